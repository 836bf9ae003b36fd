import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { HOST, startWithAdmin, type AdminTandem } from './harness.ts';

const KEY = { kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' };

onEachDatabase('hostile input to the admin API', (database) => {
  let tandem: AdminTandem;
  let token: string;
  before(async () => {
    tandem = await startWithAdmin(database);
    token = await tandem.token('root', tandem.scopes);
  });
  after(() => tandem.close());
  // A bad request is never an error of ours.
  afterEach(() => assert.deepEqual(tandem.errors, []));

  async function refused(path: string, body: string, field?: string) {
    const response = await fetch(tandem.url(path), { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body });
    const json = (await response.json()) as Record<string, unknown>;
    assert.deepEqual([response.status, json['error']], [400, 'invalid_request'], `${body.slice(0, 200)}: ${JSON.stringify(json).slice(0, 300)}`);
    if (field !== undefined) assert.equal(json['field'] ?? (json['errors'] as Array<{ pointer: string }>)[0]!.pointer, field);
  }

  it('is refused where it is nested deeper than anything that there is', async () => {
    for (const depth of [100, 9000, 30_000]) {
      const nested = '['.repeat(depth) + ']'.repeat(depth);
      const key = JSON.stringify(KEY).replace('}', `,"more":${nested}}`);
      await refused('/api/admin/clients', `{"redirect_uris":["https://a.example/cb"],"jwks":{"keys":[${key}]}}`);
      await refused('/api/admin/registration-tokens', `{"policy":{"metadata":{"tandem_level":${nested}}}}`);
      await refused('/api/admin/apply', `{"clients":[{"client_id":"deep","redirect_uris":["https://a.example/cb"],"jwks":{"keys":[${key}]}}]}`);
    }
    await refused('/api/admin/apply', `{"clients":${'[{"a":'.repeat(250_000)}`);
    assert.equal(await tandem.admin.clients.exists('deep'), false);
  });

  it('is refused as a URI of a client that would not be one in a header, or is read in two ways', async () => {
    for (const uri of ['https://shop.exa\tmple/cb', 'https://shop.example/\ncb', ' https://shop.example/cb', 'https://shop.example/cb\u0000', 'https://shop.example\\@evil.example/cb', 'https://shop.example/\ud800', 'https://shop.example/\u202ebc']) {
      await refused('/api/admin/clients', JSON.stringify({ redirect_uris: [uri] }));
      await refused('/api/admin/clients', JSON.stringify({ redirect_uris: ['https://shop.example/cb'], logo_uri: uri }));
    }
  });

  it('takes a phone of an administrator from nobody but an administrator', async () => {
    const { accountId } = await tandem.registerAccount();
    await tandem.admin.accounts.setAdmin(accountId, true, HOST);
    await tandem.knex('tandem_devices').insert({ id: 'phone-of-ada', account_id: accountId, name: 'Pixel', platform: '', kid: 'kid-of-ada', algorithm: 'ES256', public_key: '{}', state: 'active', credential_counter: 0, created_at: 1 });
    const answer = await tandem.call('POST', '/api/admin/devices/phone-of-ada/revoke', { body: { reason: 'lost' } });
    assert.deepEqual([answer.status, answer.json.error], [403, 'access_denied']);
    assert.equal((await tandem.admin.accounts.devices(accountId)).length, 1);
    await tandem.admin.accounts.revokeDevice('phone-of-ada', 'lost', HOST);
  });
});
