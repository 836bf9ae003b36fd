import assert from 'node:assert/strict';
import type { AdapterPayload } from 'oidc-provider';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';

onEachDatabase('a client that registers itself', (database) => {
  let tandem: TestTandem;
  before(async () => {
    tandem = await startTandem(database, { configuration: { features: { registration: { enabled: true }, registrationManagement: { enabled: true, rotateRegistrationAccessToken: false } } } });
  });
  after(() => tandem.close());

  const metadata = { redirect_uris: ['https://shop.example/cb'], sector_identifier_uri: 'https://sector.invalid/x' };
  async function send(method: string, url: string, body: object, token?: string) {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
    return { status: response.status, json: (await response.json()) as Record<string, string> };
  }

  for (const [key, value] of Object.entries({ tandem_consent: 'implicit', tandem_confirm: 'auto', tandem_level: 1, tandem_resources: { 'https://api.example.com': ['read'] }, tandem_introspects: ['https://api.example.com'], tandem_sector: 'house' })) {
    it(`cannot give itself ${key}`, async () => {
      const { status, json } = await send('POST', tandem.url('/reg'), { ...metadata, [key]: value });
      assert.deepEqual([status, json['error']], [400, 'invalid_client_metadata']);
    });
  }

  it('cannot have its codes sent in cleartext', async () => {
    assert.equal((await send('POST', tandem.url('/reg'), { ...metadata, redirect_uris: ['http://shop.example/cb'] })).status, 400);
  });

  it('keeps what the operator gave it, and can neither drop nor change it', async () => {
    const { status, json } = await send('POST', tandem.url('/reg'), metadata);
    assert.equal(status, 201, JSON.stringify(json));
    const id = json['client_id']!;
    const { adapter } = tandem.provider.Client as unknown as { adapter: { find(id: string): Promise<AdapterPayload>; upsert(id: string, payload: object): Promise<void> } };
    await adapter.upsert(id, { ...(await adapter.find(id)), tandem_confirm: 'always' });
    const update = (more: object) => send('PUT', json['registration_client_uri']!, { ...metadata, client_id: id, client_secret: json['client_secret'], ...more }, json['registration_access_token']);
    assert.equal((await update({ tandem_confirm: 'auto' })).status, 400);
    assert.equal((await update({ client_name: 'Renamed' })).json['tandem_confirm'], 'always');
    assert.ok(json['registration_client_uri']!.startsWith(`${tandem.issuer}/reg/`));
  });
});
