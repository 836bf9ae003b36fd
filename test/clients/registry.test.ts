import assert from 'node:assert/strict';
import { accounts, admin } from '../../src/index.ts';
import type { Actor } from '../../src/lib/actor.ts';
import { onEachDatabase } from '../support/databases.ts';
import { API, startTandem, type TestTandem } from '../support/tandem.ts';

const HOST: Actor = { kind: 'host', id: 'tests', authority: 'all' };

onEachDatabase('the registry of clients', (database) => {
  let tandem: TestTandem;
  before('start', async () => {
    tandem = await startTandem(database, { features: [accounts(), admin()] });
  });
  after('stop', () => tandem.close());

  async function token(id: string, secret: string, scope = 'read') {
    const response = await fetch(tandem.url('/token'), {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: API, scope }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  it('makes a client that gets a token by the secret that it was told', async () => {
    const { clients } = tandem.t.admin!;
    const { client, secret } = await clients.create({ client_name: 'Backend', grant_types: ['client_credentials'], response_types: [], redirect_uris: [], tandem_resources: { [API]: ['read'] } }, HOST);
    assert.equal((await token(client.clientId, secret!.value)).status, 200);
    assert.equal((await token(client.clientId, 'another')).status, 401);
    assert.equal((await token(client.clientId, secret!.value, 'write')).body['error'], 'invalid_scope');
  });
});
