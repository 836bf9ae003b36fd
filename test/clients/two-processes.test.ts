import assert from 'node:assert/strict';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import type { Configuration } from 'oidc-provider';
import { newEncryptionKey, type Tandem } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { API, type TestTandem } from '../support/tandem.ts';
import { anotherProcess, askToken, HOST, post, refused, SERVICE, startWithRegistry, works } from './helpers.ts';

const BY_KEY = { ...SERVICE, token_endpoint_auth_method: 'private_key_jwt' };
const MANY = 1100;

onEachDatabase('clients of two processes', (database) => {
  /** What is at the URLs of clients. */
  const documents = new Map<string, unknown>();
  const asked: string[] = [];
  const fetchOfHost: Configuration['fetch'] = async (url) => {
    const { href } = new URL(url as string | URL);
    asked.push(href);
    return documents.has(href) ? Response.json(documents.get(href)) : new Response('', { status: 404 });
  };
  const encryption = [newEncryptionKey()];
  let tandem: TestTandem;
  let other: Tandem;
  const here = () => tandem.t.admin!.clients;
  const there = () => other.admin!.clients;
  before('start', async () => {
    tandem = await startWithRegistry(database, { tandem: { secrets: { encryption } }, configuration: { fetch: fetchOfHost } });
    other = await anotherProcess(tandem, encryption)();
  });
  after('stop', async () => {
    await other.close();
    await tandem.close();
  });
  afterEach('without errors', () => assert.deepEqual(tandem.errors, []));

  async function byKey(clientId: string, key: JWK): Promise<boolean> {
    const now = Math.floor(tandem.clock() / 1000);
    const assertion = await new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', ...(key.kid !== undefined && { kid: key.kid }) })
      .setIssuer(clientId).setSubject(clientId).setAudience(tandem.issuer).setIssuedAt(now).setExpirationTime(now + 60)
      .sign(await importJWK(key, 'ES256'));
    const { status, json } = await post(tandem, '/token', undefined, {
      grant_type: 'client_credentials', resource: API, scope: 'read', client_id: clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: assertion,
    });
    if (status !== 200) assert.deepEqual([status, json['error']], [401, 'invalid_client']);
    return status === 200;
  }

  async function pair(kid: string) {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    return { publicJwk: { ...(await exportJWK(publicKey)), kid }, privateJwk: { ...(await exportJWK(privateKey)), kid } };
  }

  /** Whether a client gets a token by a secret in the body. */
  async function posts(id: string, secret: string): Promise<boolean> {
    const { status, json } = await post(tandem, '/token', undefined, { grant_type: 'client_credentials', resource: API, scope: 'read', client_id: id, client_secret: secret });
    if (status !== 200) assert.deepEqual([status, json['error']], [401, 'invalid_client']);
    return status === 200;
  }

  for (const [method, opens] of [['client_secret_basic', (...given: [string, string]) => works(tandem, ...given)], ['client_secret_post', posts]] as const) {
    it(`change over from one secret to the next by ${method}, at the next request`, async () => {
      const { client: { clientId }, secret: first } = await here().create({ ...SERVICE, token_endpoint_auth_method: method }, HOST);
      assert.equal(await opens(clientId, first!.value), true);
      const second = await there().addSecret(clientId, { endOthersIn: 600 }, HOST);
      assert.deepEqual([await opens(clientId, first!.value), await opens(clientId, second.value), await opens(clientId, 'x')], [true, true, false]);
      tandem.clock.advance(601_000);
      assert.deepEqual([await opens(clientId, first!.value), await opens(clientId, second.value)], [false, true]);
      await there().removeSecret(clientId, second.id, HOST);
      assert.equal(await opens(clientId, second.value), false);
    });
  }

  it('never make a secret last longer that was to end', async () => {
    const { client: { clientId }, secret: first } = await here().create(SERVICE, HOST);
    const second = await here().addSecret(clientId, { endOthersIn: 60 }, HOST);
    await here().removeSecret(clientId, second.id, HOST);
    await here().addSecret(clientId, { endOthersIn: 3600 }, HOST);
    assert.equal(await works(tandem, clientId, first!.value), true);
    tandem.clock.advance(61_000);
    assert.equal(await works(tandem, clientId, first!.value), false);
  });

  it('lose a key at the next request, uploaded or made, and gain one', async () => {
    const { client: { clientId }, privateKey: made } = await here().create(BY_KEY, HOST, { generateKey: 'ES256' });
    const { publicJwk, privateJwk } = await pair('uploaded');
    assert.deepEqual([await byKey(clientId, made as JWK), await byKey(clientId, privateJwk)], [true, false]);
    await there().addKey(clientId, publicJwk as never, HOST);
    assert.deepEqual([await byKey(clientId, made as JWK), await byKey(clientId, privateJwk)], [true, true]);
    await there().removeKey(clientId, (made as JWK).kid!, HOST);
    assert.deepEqual([await byKey(clientId, made as JWK), await byKey(clientId, privateJwk)], [false, true]);
    await there().removeKey(clientId, 'uploaded', HOST);
    assert.equal(await byKey(clientId, privateJwk), false);
  });

  it('prove themselves by the keys at their URL, asked for by what the host asks with', async () => {
    const url = 'https://app.example/keys.json';
    const { publicJwk, privateJwk } = await pair('theirs');
    documents.set(url, { keys: [publicJwk] });
    const { client: { clientId } } = await here().create({ ...BY_KEY, jwks_uri: url }, HOST);
    assert.deepEqual([await byKey(clientId, privateJwk), asked.includes(url)], [true, true]);
    assert.equal(await byKey(clientId, (await pair('theirs')).privateJwk), false);
    // Another URL is another client: nothing of what was read before counts.
    await there().update(clientId, { jwks_uri: 'https://app.example/none.json' }, HOST);
    assert.equal(await byKey(clientId, privateJwk), false);
    assert.equal(asked.some((each) => each.startsWith(tandem.issuer)), false);
  });

  it('get scopes of resource servers by tandem_resources, whatever their own scope says, and lose them at the next request', async () => {
    const tokens = async (metadata: object, scope: string) => {
      const { client, secret } = await here().create({ ...SERVICE, tandem_resources: {}, ...metadata }, HOST);
      return { id: client.clientId, secret: secret!.value, ...(await askToken(tandem, client.clientId, secret!.value, scope)) };
    };
    assert.equal((await tokens({}, 'read')).json['error'], 'invalid_target');
    assert.equal((await tokens({ scope: 'openid email' }, 'read')).json['error'], 'invalid_target');
    await assert.rejects(tokens({ scope: 'openid read' }, 'read'), refused('invalid_request', 'scope'));
    const given = await tokens({ scope: 'openid', tandem_resources: { [API]: ['read'] } }, 'read');
    assert.deepEqual([given.status, given.json['scope']], [200, 'read']);
    for (const scope of ['write', 'read write', 'openid', 'read openid']) assert.equal((await askToken(tandem, given.id, given.secret, scope)).json['error'], 'invalid_scope', scope);
    await there().update(given.id, { tandem_resources: { [API]: ['write'] } }, HOST);
    assert.deepEqual([(await askToken(tandem, given.id, given.secret, 'write')).status, (await askToken(tandem, given.id, given.secret)).json['error']], [200, 'invalid_scope']);
  });

  it(`are right where there are ${MANY}, and each of them is held already`, async () => {
    const { client: { clientId }, secret } = await here().create(SERVICE, HOST);
    const [row] = (await tandem.knex('tandem_clients').where({ client_id: clientId })) as object[];
    const ids = Array.from({ length: MANY }, (_, index) => `many-${index}`);
    for (let at = 0; at < MANY; at += 50) await tandem.knex('tandem_clients').insert(ids.slice(at, at + 50).map((id) => ({ ...row, client_id: id })));
    const { Client } = tandem.provider;
    const before = new Map<string, unknown>();
    for (const id of ids) before.set(id, await Client.find(id));
    assert.ok([...before.values()].every(Boolean));

    const next = await there().addSecret('many-7', { endOthersIn: 0 }, HOST);
    await there().update('many-500', { tandem_resources: null }, HOST);
    await there().remove('many-1099', HOST);
    assert.deepEqual([await works(tandem, 'many-7', secret!.value), await works(tandem, 'many-7', next.value)], [false, true]);
    assert.equal((await askToken(tandem, 'many-500', secret!.value)).json['error'], 'invalid_target');
    assert.equal(await works(tandem, 'many-1099', secret!.value), false);
    assert.equal(await works(tandem, 'many-8', secret!.value), true);

    const changed = new Set(['many-7', 'many-500', 'many-1099']);
    for (const id of ids) assert.equal((await Client.find(id)) === before.get(id), !changed.has(id), id);
  });
});
