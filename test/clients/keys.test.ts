import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { exportJWK, importJWK, SignJWT, type JWK } from 'jose';
import { onEachDatabase } from '../support/databases.ts';
import { API, type TestTandem } from '../support/tandem.ts';
import { HOST, post, refused, SERVICE, startWithRegistry } from './helpers.ts';

const BY_KEY = { ...SERVICE, token_endpoint_auth_method: 'private_key_jwt' };
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

onEachDatabase('keys of clients', (database) => {
  let tandem: TestTandem;
  const registry = () => tandem.t.admin!.clients;
  before('start', async () => {
    tandem = await startWithRegistry(database, { configuration: { features: { deviceFlow: { enabled: true } } } });
  });
  after('stop', () => tandem.close());
  afterEach('without errors', () => assert.deepEqual(tandem.errors, []));

  /** RFC 7523 §3 */
  async function assertion(clientId: string, key: JWK, alg = key.alg!) {
    const now = Math.floor(tandem.clock() / 1000);
    return new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg, ...(key.kid !== undefined && { kid: key.kid }) })
      .setIssuer(clientId).setSubject(clientId).setAudience(tandem.issuer).setIssuedAt(now).setExpirationTime(now + 60)
      .sign(await importJWK(key, alg));
  }

  async function works(clientId: string, key: JWK, alg?: string): Promise<boolean> {
    const { status, json } = await post(tandem, '/token', undefined, {
      grant_type: 'client_credentials', resource: API, scope: 'read', client_id: clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: await assertion(clientId, key, alg),
    });
    if (status !== 200) assert.deepEqual([status, json['error']], [401, 'invalid_client']);
    return status === 200;
  }

  async function pair(type: 'ec' | 'rsa' | 'ed25519', options: object = { namedCurve: 'P-256' }) {
    const { publicKey, privateKey } = (generateKeyPairSync as (type: string, options: object) => ReturnType<typeof generateKeyPairSync>)(type, options) as unknown as Record<'publicKey' | 'privateKey', Parameters<typeof exportJWK>[0]>;
    return { publicJwk: await exportJWK(publicKey), privateJwk: await exportJWK(privateKey) };
  }

  it('are uploaded, count at once, and are published for whoever verifies', async () => {
    const { client: { clientId }, secret } = await registry().create(BY_KEY, HOST);
    assert.equal(secret, undefined);
    const { publicJwk, privateJwk } = await pair('ec');
    assert.equal(await works(clientId, privateJwk, 'ES256'), false);
    const key = await registry().addKey(clientId, publicJwk as never, HOST);
    assert.deepEqual([key.algorithm, key.generated], ['ES256', false]);
    assert.equal(await works(clientId, { ...privateJwk, kid: key.kid }, 'ES256'), true);
    const response = await fetch(tandem.url(`/clients/${clientId}/jwks`));
    assert.deepEqual([response.status, response.headers.get('cache-control'), response.headers.get('access-control-allow-origin')], [200, 'public, max-age=60', '*']);
    assert.match(response.headers.get('content-type')!, /^application\/jwk-set\+json/);
    assert.deepEqual(await response.json(), { keys: [{ ...publicJwk, kid: key.kid, alg: 'ES256', use: 'sig' }] });
    assert.equal((await fetch(tandem.url('/clients/nobody/jwks'))).status, 404);
    await registry().removeKey(clientId, key.kid, HOST);
    assert.equal(await works(clientId, { ...privateJwk, kid: key.kid }, 'ES256'), false);
    await assert.rejects(registry().removeKey(clientId, key.kid, HOST), refused('not_found'));
  });

  for (const algorithm of ['ES256', 'RS256', 'PS256', 'EdDSA']) {
    it(`are made for ${algorithm}, and the private part is told once`, async () => {
      const { client, privateKey } = await registry().create({ ...BY_KEY, client_id: `made-${algorithm}` }, HOST, { generateKey: algorithm });
      assert.deepEqual(client.keys.map((key) => [key.algorithm, key.generated]), [[algorithm, true]]);
      assert.equal(await works(client.clientId, privateKey as JWK), true);
      // RFC 9864 gave it a name of its own, which newer libraries sign by.
      if (algorithm === 'EdDSA') assert.equal(await works(client.clientId, privateKey as JWK, 'Ed25519'), true);
      const row = JSON.stringify(await tandem.knex('tandem_clients').where({ client_id: client.clientId }));
      const audited = JSON.stringify((await tandem.t.audit.list({ clientId: client.clientId })).events);
      for (const text of [row, audited, JSON.stringify(await registry().jwks(client.clientId))]) assert.equal(text.includes((privateKey as JWK).d!), false);
    });
  }

  it('are changed over without a moment in which none counts', async () => {
    const { client: { clientId }, privateKey: first } = await registry().create(BY_KEY, HOST, { generateKey: 'ES256' });
    const { key, privateKey: second } = await registry().generateKey(clientId, undefined, HOST);
    assert.deepEqual([await works(clientId, first as JWK), await works(clientId, second as JWK)], [true, true]);
    await registry().removeKey(clientId, (first as JWK).kid!, HOST);
    assert.deepEqual([await works(clientId, first as JWK), await works(clientId, second as JWK)], [false, true]);
    assert.deepEqual((await registry().get(clientId)).keys.map(({ kid }) => kid), [key.kid]);
  });

  it('let a client without any site of its own poll for a device, with pairwise subjects', async () => {
    const metadata = { client_name: 'TV', grant_types: [DEVICE_CODE], response_types: [], redirect_uris: [], token_endpoint_auth_method: 'private_key_jwt', scope: 'openid' };
    const { client: { clientId }, privateKey } = await registry().create(metadata, HOST, { generateKey: 'ES256' });
    const { status } = await post(tandem, '/device/auth', undefined, {
      client_id: clientId, scope: 'openid', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: await assertion(clientId, privateKey as JWK),
    });
    assert.equal(status, 200);
  });

  it('are refused where they are private, weak, for something else, or none', async () => {
    const { client: { clientId } } = await registry().create(BY_KEY, HOST);
    const { publicJwk, privateJwk } = await pair('ec');
    const weak = await pair('rsa', { modulusLength: 1024 });
    const rooted = await pair('rsa', { modulusLength: 2048, publicExponent: 3 });
    const bad: object[] = [
      privateJwk, weak.publicJwk, rooted.publicJwk, { kty: 'oct', k: 'c2VjcmV0' }, { ...publicJwk, x: 'AAAA' }, { ...publicJwk, crv: 'secp256k1' }, {},
      { ...publicJwk, alg: 'RS256' }, { ...publicJwk, alg: 'HS256' }, { ...publicJwk, alg: 'none' }, { ...publicJwk, use: 'enc' }, { ...publicJwk, kid: 'a b' }, { ...publicJwk, kid: 7 },
      { kty: 'RSA' }, { kty: 'EC', crv: 'P-256' }, { kty: '__proto__' }, { kty: ['EC'], crv: 'P-256' },
    ];
    for (const jwk of bad) await assert.rejects(registry().addKey(clientId, jwk as never, HOST), refused('invalid_request', 'key'), JSON.stringify(jwk));
    await assert.rejects(registry().generateKey(clientId, 'HS256', HOST), refused('invalid_request', 'algorithm'));
    assert.deepEqual((await registry().get(clientId)).keys, []);
  });

  it('are ten at most, each with a name of its own', async () => {
    const { client: { clientId } } = await registry().create(BY_KEY, HOST);
    const { publicJwk } = await pair('ec');
    await registry().addKey(clientId, { ...publicJwk, kid: 'one' } as never, HOST);
    await assert.rejects(registry().addKey(clientId, { ...publicJwk, kid: 'one' } as never, HOST), refused('conflict', 'kid'));
    for (let count = 1; count < 10; count += 1) await registry().addKey(clientId, { ...publicJwk, kid: `key-${count}` } as never, HOST);
    await assert.rejects(registry().addKey(clientId, { ...publicJwk, kid: 'eleven' } as never, HOST), refused('conflict'));
  });

  it('are here or elsewhere, not both', async () => {
    const { publicJwk } = await pair('ec');
    const { client: { clientId } } = await registry().create({ ...BY_KEY, jwks_uri: 'https://app.example/jwks' }, HOST);
    await assert.rejects(registry().addKey(clientId, publicJwk as never, HOST), refused('conflict', 'jwks_uri'));
    await assert.rejects(registry().create({ ...BY_KEY, jwks: { keys: [publicJwk] } }, HOST, { generateKey: 'ES256' }), refused('conflict', 'jwks'));
    const hosted = await registry().create(BY_KEY, HOST, { generateKey: 'ES256' });
    await assert.rejects(registry().update(hosted.client.clientId, { jwks_uri: 'https://app.example/jwks' }, HOST), refused('conflict', 'jwks_uri'));
  });

  it('may be part of the metadata, the public parts alone', async () => {
    const { publicJwk, privateJwk } = await pair('ec');
    const { client: { clientId } } = await registry().create({ ...BY_KEY, jwks: { keys: [publicJwk] } }, HOST);
    assert.equal(await works(clientId, privateJwk, 'ES256'), true);
    await assert.rejects(registry().create({ ...BY_KEY, jwks: { keys: [privateJwk] } }, HOST), refused('invalid_request', 'jwks'));
  });
});
