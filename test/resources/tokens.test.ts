import assert from 'node:assert/strict';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { onEachDatabase } from '../support/databases.ts';
import { TEST_CLIENTS } from '../support/tandem.ts';
import { payloadOf, tokenRequest } from '../oidc/helpers.ts';
import { startApi, type Api } from './api.ts';
import { HOST, ORDERS, SCOPES, startRegistry, type RegistryTandem } from './harness.ts';

const CLIENTS = [
  { ...TEST_CLIENTS.service, tandem_resources: { [ORDERS]: ['orders:read', 'orders:pay', 'orders:burn'] }, tandem_introspects: [ORDERS] },
  { ...TEST_CLIENTS.rp, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], post_logout_redirect_uris: [], tandem_resources: {} },
];

onEachDatabase('tokens for a resource server of the registry', (database) => {
  let tandem: RegistryTandem;
  let api: Api;
  before(async () => {
    tandem = await startRegistry(database, { clients: CLIENTS });
    // Before there is such a resource server: it may come.
    api = await startApi(tandem.t.protect({ resource: ORDERS, scopes: ['orders:read'] }));
  });
  after(async () => {
    await api.close();
    await tandem.close();
  });
  beforeEach(() => tandem.resources.create({ identifier: ORDERS, scopes: SCOPES }, HOST));
  afterEach(async () => {
    await tandem.resources.remove(ORDERS, HOST).catch(() => {});
    assert.deepEqual(tandem.errors, []);
  });

  const ask = (scope = 'orders:read', clientId = 'service') => tokenRequest(tandem, clientId, { grant_type: 'client_credentials', scope, resource: ORDERS });
  const tokenOf = async (scope?: string) => String((await ask(scope)).json['access_token']);
  const introspect = async (token: string) => (await tokenRequest(tandem, 'service', { token }, '/token/introspection')).json;
  const change = (changes: object) => tandem.resources.update(ORDERS, changes, HOST);

  it('are given as soon as it is there, and no longer than it is', async () => {
    const { status, json } = await ask();
    assert.deepEqual([status, json['scope'], json['expires_in']], [200, 'orders:read', 3600]);
    const token = String(json['access_token']);
    assert.equal((await introspect(token))['aud'], ORDERS);
    assert.equal(await api.call(token), 200);
    await tandem.resources.remove(ORDERS, HOST);
    assert.deepEqual([(await ask()).json['error'], await api.call(token)], ['invalid_target', 401]);
  });

  it('are for clients that were given it, and for scopes that it knows', async () => {
    assert.equal((await ask('orders:read', 'rp')).json['error'], 'invalid_target');
    assert.deepEqual((({ status, json }) => [status, json['error']])(await ask('orders:burn')), [400, 'invalid_scope']);
    await tandem.resources.putScope(ORDERS, { ...SCOPES[0], name: 'orders:burn' }, HOST);
    assert.equal((await ask('orders:burn')).json['scope'], 'orders:burn');
    await tandem.resources.removeScope(ORDERS, 'orders:burn', HOST);
    assert.equal((await ask('orders:burn')).json['error'], 'invalid_scope');
  });

  it('last as long as it says', async () => {
    await change({ ttl: 86_400 });
    assert.equal((await ask()).json['expires_in'], 86_400);
    await change({ format: 'jwt', ttl: 60 });
    assert.equal((await ask()).json['expires_in'], 60);
  });

  it('have the format, the audience and the algorithm that it says', async () => {
    const keys = createRemoteJWKSet(new URL(tandem.url('/jwks')));
    await change({ format: 'jwt', audience: 'urn:shop:orders' });
    for (const algorithm of [undefined, 'ES256', 'RS256', 'EdDSA'] as const) {
      if (algorithm) await change({ algorithm });
      const token = await tokenOf();
      const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer: tandem.issuer, audience: 'urn:shop:orders', typ: 'at+jwt' });
      assert.deepEqual([protectedHeader.alg, payload['scope']], [algorithm ?? 'ES256', 'orders:read']);
      assert.equal(await api.call(token), 200, String(algorithm));
    }
    await change({ format: 'opaque' });
    const token = await tokenOf();
    assert.deepEqual([token.includes('.'), (await introspect(token))['aud'], await api.call(token)], [false, 'urn:shop:orders', 200]);
  });

  it('are worth nothing where their audience has changed, nor without the scope', async () => {
    const [before, other] = [await tokenOf(), await tokenOf('orders:pay')];
    assert.equal(await api.call(other), 403);
    await change({ audience: 'urn:shop:orders' });
    assert.equal(await api.call(before), 401);
    assert.equal(await api.call(await tokenOf()), 200);
  });

  it('come in the format that the host chose for its own API', async () => {
    const own = `${tandem.issuer}/api`;
    for (const format of ['opaque', 'jwt'] as const) {
      const scope = Object.keys((await tandem.resources.find(own))!.scopes)[0]!;
      const other = await startRegistry(database, {
        clients: (issuer) => [{ ...TEST_CLIENTS.service, tandem_resources: { [`${issuer}/api`]: [scope] } }],
        tandem: { api: { format } },
      });
      const { json } = await tokenRequest(other, 'service', { grant_type: 'client_credentials', scope, resource: `${other.issuer}/api` });
      const token = String(json['access_token']);
      assert.equal((await other.resources.get(`${other.issuer}/api`)).format, format);
      if (format === 'jwt') assert.equal(payloadOf(token)['aud'], `${other.issuer}/api`);
      else assert.ok(!token.includes('.'));
      const guarded = await startApi(other.t.protect({ resource: `${other.issuer}/api`, scopes: [scope] }));
      assert.equal(await guarded.call(token), 200);
      await guarded.close();
      await other.close();
    }
  });
});
