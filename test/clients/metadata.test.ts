import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import type { Metadata } from '../../src/clients/types.ts';
import { API, type TestTandem } from '../support/tandem.ts';
import { HOST, refused, SERVICE, startWithRegistry } from './helpers.ts';

const SITE = { client_name: 'Site', redirect_uris: ['https://app.example/cb'] } satisfies Metadata;

/** Every member that a provider with its usual features knows, as a client might have it. */
const FULL: Metadata = {
  client_name: 'Everything',
  client_uri: 'https://app.example/',
  logo_uri: 'https://app.example/logo.png',
  policy_uri: 'https://app.example/privacy',
  tos_uri: 'https://app.example/terms',
  contacts: ['ops@app.example'],
  software_id: '4NRB1-0XZABZI9E6-5SM3R',
  software_version: '2.1',
  application_type: 'web',
  redirect_uris: ['https://app.example/cb', 'https://app.example.net/cb'],
  post_logout_redirect_uris: ['https://app.example/out'],
  response_types: ['code'],
  response_modes: ['query', 'form_post'],
  grant_types: ['authorization_code', 'refresh_token'],
  scope: 'openid email profile offline_access',
  default_acr_values: ['urn:tandem:acr:2'],
  default_max_age: 3600,
  require_auth_time: true,
  initiate_login_uri: 'https://app.example/login',
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  jwks_uri: 'https://app.example/jwks',
  dpop_bound_access_tokens: true,
  id_token_signed_response_alg: 'ES256',
  require_pushed_authorization_requests: true,
  subject_type: 'pairwise',
  tandem_attributes: ['email'],
  tandem_confirm: 'always',
  tandem_consent: 'ask',
  tandem_event_stream: { delivery: 'push', endpoint_url: 'https://app.example/events', events: ['https://schemas.openid.net/secevent/risc/event-type/account-disabled'] },
  tandem_introspects: [API],
  tandem_level: 2,
  tandem_resources: { [API]: ['read'] },
  tandem_sector: 'shops',
};

onEachDatabase('metadata of clients', (database) => {
  let tandem: TestTandem;
  const registry = () => tandem.t.admin!.clients;
  before('start', async () => {
    tandem = await startWithRegistry(database, { configuration: { extraClientMetadata: { properties: ['tenant'] } } });
  });
  after('stop', () => tandem.close());
  afterEach('without errors', () => assert.deepEqual(tandem.errors, []));

  it('is kept as it was given, and is what the provider goes by', async () => {
    const { client } = await registry().create({ ...FULL, tenant: 'acme' }, HOST);
    assert.deepEqual((await registry().get(client.clientId)).metadata, { ...FULL, tenant: 'acme' });
    const seen = (await tandem.provider.Client.find(client.clientId))!.metadata() as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(FULL)) assert.deepEqual(seen[name], value, name);
    assert.equal(seen['tenant'], 'acme');
  });

  it('takes each member away again', async () => {
    const { client } = await registry().create(FULL, HOST);
    const needed = ['redirect_uris', 'jwks_uri', 'token_endpoint_auth_method', 'token_endpoint_auth_signing_alg'];
    const without = Object.keys(FULL).filter((name) => !needed.includes(name));
    const { metadata } = await registry().update(client.clientId, Object.fromEntries(without.map((name) => [name, null])), HOST);
    assert.deepEqual(Object.keys(metadata).sort(), needed.sort());
    await assert.rejects(registry().update(client.clientId, { redirect_uris: null }, HOST), refused('invalid_request', 'redirect_uris'));
  });

  const bad: ReadonlyArray<readonly [field: string, metadata: Metadata]> = [
    ['client_name', { client_name: '' }],
    ['client_name', { client_name: 'Bank\u202egnp.exe' }],
    ['client_name', { client_name: 7 }],
    ['client_name', { client_name: 'x'.repeat(201) }],
    ['redirect_uris', { redirect_uris: [] }],
    ['redirect_uris', { redirect_uris: 'https://app.example/cb' }],
    ['redirect_uris', { redirect_uris: ['https://app.example/cb#fragment'] }],
    ['redirect_uris', { redirect_uris: ['javascript:alert(1)'] }],
    ['redirect_uris', { redirect_uris: ['http://app.example/cb'] }],
    ['redirect_uris', { redirect_uris: ['nowhere'] }],
    ['redirect_uris', { redirect_uris: Array.from({ length: 101 }, (_, index) => `https://app.example/${index}`) }],
    ['grant_types', { grant_types: ['authorization_code', 'fly'] }],
    ['grant_types', { grant_types: ['urn:ietf:params:oauth:grant-type:device_code'] }],
    ['response_types', { response_types: ['token'] }],
    ['token_endpoint_auth_method', { token_endpoint_auth_method: 'guess' }],
    ['token_endpoint_auth_method', { token_endpoint_auth_method: 'client_secret_jwt' }],
    ['id_token_signed_response_alg', { id_token_signed_response_alg: 'HS256' }],
    ['id_token_signed_response_alg', { id_token_signed_response_alg: 'none' }],
    ['tls_client_auth_san_dns', { tls_client_auth_san_dns: 'app.example' }],
    ['id_token_encrypted_response_alg', { id_token_encrypted_response_alg: 'RSA-OAEP' }],
    ['scope', { scope: 'openid fly' }],
    ['default_max_age', { default_max_age: -1 }],
    ['logo_uri', { logo_uri: 'javascript:alert(1)' }],
    ['contacts', { contacts: ['nobody'] }],
    ['jwks_uri', { jwks_uri: 'file:///etc/passwd' }],
    ['subject_type', { subject_type: 'public' }],
    ['client_secret', { client_secret: 'of my own choice' }],
    ['client_id_issued_at', { client_id_issued_at: 0 }],
    ['tandem_level', { tandem_level: 3 }],
    ['tandem_resources', { tandem_resources: [API] }],
    ['tandem_resources', { tandem_resources: { [API]: 'read' } }],
    ['tandem_sector', { tandem_sector: 'a b' }],
    ['tandem_confirm', { tandem_confirm: 'never' }],
    ['tandem_attributes', { tandem_attributes: 'email' }],
    ['tandem_event_stream', { tandem_event_stream: { delivery: 'push', events: ['x'] } }],
    ['tandem_event_stream', { tandem_event_stream: { delivery: 'push', endpoint_url: 'http://app.example/events', events: ['x'] } }],
    ['tandem_event_stream', { tandem_event_stream: { delivery: 'poll', endpoint_url: 'https://app.example/events', events: ['x'] } }],
    ['tandem_event_stream', { tandem_event_stream: { delivery: 'poll', events: ['x'], more: 1 } }],
    ['tandem_admin', { tandem_admin: true }],
    ['__proto__', JSON.parse('{"__proto__": {"x": 1}}') as Metadata],
    ['version', { version: 9 }],
  ];
  for (const [field, metadata] of bad) {
    it(`is refused: ${field} of ${JSON.stringify(metadata).slice(0, 90)}`, async () => {
      const before = (await registry().list({}, { limit: 200 })).clients.length;
      await assert.rejects(registry().create({ ...SITE, ...metadata, ...(field === '__proto__' && JSON.parse('{"__proto__":{}}')) }, HOST), refused('invalid_request', field));
      assert.equal((await registry().list({}, { limit: 200 })).clients.length, before);
    });
  }

  for (const id of ['new', '', '-x', '.', '..', 'a/b', 'a b', 'ä', 'x'.repeat(101), 'https://app.example', 7]) {
    it(`is refused: the id ${JSON.stringify(id).slice(0, 40)}`, () => assert.rejects(registry().create({ ...SITE, client_id: id }, HOST), refused('invalid_request', 'client_id')));
  }

  it('never changes the id', async () => {
    const { client } = await registry().create(SITE, HOST);
    await assert.rejects(registry().update(client.clientId, { client_id: 'another' }, HOST), refused('invalid_request', 'client_id'));
  });

  it('is refused to whoever asks for a client of a strange name, without an error', async () => {
    for (const id of ['a\0b', 'x'.repeat(5000), '\u{1f600}', '%00']) {
      const response = await fetch(tandem.url('/token'), { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: 'x' }) });
      assert.equal(response.status, 401);
      assert.equal((await fetch(tandem.url(`/clients/${encodeURIComponent(id)}/jwks`))).status, 404);
    }
  });

  describe('and who may give what', () => {
    const api = () => `${tandem.issuer}/api`;
    const limited = (...scopes: string[]) => ({ kind: 'client', id: 'deputy', authority: new Set(scopes) }) as const;
    const OWN = 'admin:clients:create';

    it('lets nobody give scopes of the provider’s own API that they do not have', async () => {
      const wanted = { ...SERVICE, tandem_resources: { [api()]: [OWN] } };
      const lacks = (error: Error & { extra?: Record<string, unknown> }) => refused('insufficient_scope')(error) && error.extra?.['scope'] === OWN;
      await assert.rejects(registry().create(wanted, limited()), lacks);
      const { client } = await registry().create(SERVICE, limited());
      await assert.rejects(registry().update(client.clientId, { tandem_resources: wanted.tandem_resources }, limited('admin:clients:update')), lacks);
    });

    it('lets nobody touch a client that has more than they have', async () => {
      const { client: { clientId }, secret } = await registry().create({ ...SERVICE, tandem_resources: { [api()]: [OWN] } }, HOST);
      const deputy = limited('admin:clients:update');
      for (const attack of [
        () => registry().update(clientId, { redirect_uris: [] }, deputy),
        () => registry().update(clientId, { tandem_resources: null }, deputy),
        () => registry().update(clientId, { client_name: 'Mine' }, deputy),
        () => registry().addSecret(clientId, {}, deputy),
        () => registry().removeSecret(clientId, secret!.id, deputy),
        () => registry().addKey(clientId, {} as never, deputy),
        () => registry().generateKey(clientId, undefined, deputy),
        () => registry().removeKey(clientId, 'x', deputy),
        () => registry().remove(clientId, deputy),
      ]) await assert.rejects(attack, refused('insufficient_scope'));
      assert.equal((await registry().update(clientId, { client_name: 'Deputised' }, limited(OWN))).metadata['client_name'], 'Deputised');
    });
  });
});
