import assert from 'node:assert/strict';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { onEachDatabase } from '../support/databases.ts';
import { API } from '../support/tandem.ts';
import { HOST, REDIRECT, startRegistration } from './harness.ts';

const SERVICE = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };

onEachDatabase('clients that register themselves', (database) => {
  let site: Awaited<ReturnType<typeof startRegistration>>;
  before('start', async () => {
    site = await startRegistration(database);
  });
  after('stop', () => site.tandem.close());

  it('finds where to register in discovery', async () => {
    const { json } = await site.send('GET', site.tandem.url('/.well-known/openid-configuration'));
    assert.equal(json['registration_endpoint'], site.tandem.url('/reg'));
  });

  it('registers a client, which gets tokens with its secret for what it was given', async () => {
    const policy = { metadata: { tandem_resources: { [API]: ['read'] } } };
    const { status, headers, json } = await site.register(await site.tokenFor(policy), { client_name: 'Shop', ...SERVICE });
    assert.equal(status, 201, JSON.stringify(json));
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(json['client_name'], 'Shop');
    assert.equal(json['client_secret_expires_at'], 0);
    assert.equal(json['registration_client_uri'], `${site.tandem.url('/reg')}/${json['client_id']}`);
    assert.deepEqual(json['tandem_resources'], { [API]: ['read'] });
    assert.equal((await site.credentials(json['client_id'], json['client_secret'], { resource: API, scope: 'read' })).status, 200);
    assert.equal((await site.credentials(json['client_id'], json['client_secret'], { resource: API, scope: 'write' })).json['error'], 'invalid_scope');
    assert.equal((await site.credentials(json['client_id'], 'another')).status, 401);

    const client = await site.tandem.t.admin!.clients.get(json['client_id']);
    assert.deepEqual([client.origin, client.secrets.length, client.metadata['client_name']], ['registration', 1, 'Shop']);
  });

  it('takes redirect URIs on several hosts', async () => {
    const several = await site.register(await site.tokenFor(), { redirect_uris: [REDIRECT, 'https://other.example/cb'] });
    assert.equal(several.status, 201, JSON.stringify(several.json));
  });

  it('keeps no more than hashes of the tokens and the secret', async () => {
    const value = await site.tokenFor();
    const { json } = await site.register(value);
    for (const table of ['tandem_registration_tokens', 'tandem_clients', 'tandem_oidc', 'tandem_events']) {
      const rows = JSON.stringify(await site.tandem.knex(table));
      for (const secret of [value, json['client_secret'], json['registration_access_token']]) assert.ok(!rows.includes(secret as string), table);
    }
  });

  it('reads, changes and ends itself', async () => {
    const client = await site.registered();
    const read = await site.read(client);
    assert.equal(read.status, 200);
    assert.deepEqual(read.json['redirect_uris'], [REDIRECT]);

    const changed = await site.update(client, { redirect_uris: [REDIRECT], client_name: 'Renamed' });
    assert.equal(changed.status, 200, JSON.stringify(changed.json));
    assert.equal(changed.json['client_name'], 'Renamed');
    assert.equal((await site.read(client)).status, 401, 'the token before counts no more');
    const next = { ...client, registration_access_token: changed.json['registration_access_token'] };
    assert.equal((await site.read(next)).json['client_name'], 'Renamed');

    assert.equal((await site.remove(next)).status, 204);
    assert.equal((await site.read(next)).status, 401);
    await assert.rejects(site.tandem.t.admin!.clients.get(client['client_id']), { code: 'not_found' });
  });

  it('takes back what it answered', async () => {
    const client = await site.registered({ metadata: { tandem_level: 2, tandem_resources: { [API]: ['read'] } } });
    const { registration_access_token: token, registration_client_uri: _, client_id_issued_at: __, ...metadata } = (await site.read(client)).json;
    const { status, json } = await site.update({ ...client, registration_access_token: token }, metadata);
    assert.equal(status, 200, JSON.stringify(json));
    assert.deepEqual([json['tandem_level'], json['tandem_resources']], [2, { [API]: ['read'] }]);
  });

  it('never says a secret again, nor what stands for it', async () => {
    const client = await site.registered();
    const read = await site.read(client);
    assert.ok(!('client_secret' in read.json) && !('client_secret_expires_at' in read.json));
    const changed = await site.update(client, { redirect_uris: [REDIRECT] });
    assert.equal(changed.status, 200);
    assert.ok(!('client_secret' in changed.json));
  });

  it('takes the right secret in an update, and refuses any other', async () => {
    const client = await site.registered({}, SERVICE);
    for (const wrong of ['wrong', '', 7, null, { secret: client['client_secret'] }]) {
      const refused = await site.update(client, { ...SERVICE, client_secret: wrong });
      assert.deepEqual([refused.status, refused.json['error']], [400, 'invalid_request'], JSON.stringify(wrong));
    }
    const taken = await site.update(client, { ...SERVICE, client_secret: client['client_secret'] });
    assert.equal(taken.status, 200, JSON.stringify(taken.json));
    assert.notEqual((await site.credentials(client['client_id'], client['client_secret'])).status, 401, 'the secret is what it was');
  });

  it('gets a secret when it begins to need one, told once', async () => {
    const client = await site.registered({}, { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' });
    assert.ok(!('client_secret' in client));
    const changed = await site.update(client, { ...SERVICE, token_endpoint_auth_method: 'client_secret_basic' });
    assert.equal(typeof changed.json['client_secret'], 'string', JSON.stringify(changed.json));
    assert.notEqual((await site.credentials(client['client_id'], changed.json['client_secret'])).status, 401);
    assert.ok(!('client_secret' in (await site.read({ ...client, ...changed.json })).json));
  });

  it('is in the audit log with who, before and after', async () => {
    const { token, value } = await site.registrationTokens.create({ label: 'Shop' }, HOST);
    const client = (await site.register(value)).json;
    const changed = (await site.update(client, { redirect_uris: [REDIRECT], client_name: 'Renamed' })).json;
    await site.remove({ ...client, ...changed });
    const [used] = await site.events('registration_token.used');
    assert.deepEqual([used!.clientId, used!.data['tokenId'], used!.data['label']], [client['client_id'], token.id, 'Shop']);
    const [updated] = await site.events('client.self_updated');
    assert.deepEqual([updated!.data['before'], updated!.data['after']], [{ client_name: null }, { client_name: 'Renamed' }]);
    for (const name of ['client.registered', 'client.self_updated', 'client.self_deleted']) {
      const [event] = await site.events(name);
      assert.deepEqual([event!.clientId, event!.data['actor']], [client['client_id'], { kind: 'client', id: client['client_id'] }]);
    }
  });

  it('works under a path, and with a storage of the host, whose own tokens stay its own', async () => {
    const mounted = await startRegistration(database, { mount: '/oidc', configuration: { adapter: HostAdapter } });
    try {
      const client = await mounted.registered({}, SERVICE);
      assert.ok((client['registration_client_uri'] as string).startsWith(`${mounted.tandem.issuer}/reg/`));
      const changed = await mounted.update(client, { ...SERVICE, client_secret: client['client_secret'] });
      assert.equal(changed.status, 200, JSON.stringify(changed.json));
      assert.ok(!('client_secret' in changed.json));
      assert.equal((await mounted.read(client)).status, 401);

      const { InitialAccessToken } = mounted.tandem.provider as unknown as { InitialAccessToken: new (input: object) => { save(): Promise<string> } };
      const own = await new InitialAccessToken({ expiresIn: 60 }).save();
      assert.equal((await mounted.register(own)).status, 201);
      assert.equal((await mounted.register(own, { redirect_uris: [REDIRECT], tandem_level: 1 })).status, 400);
    } finally {
      await mounted.tandem.close();
    }
  });
});

/** A host's storage, with private members as a class may have them. */
class HostAdapter implements Adapter {
  static readonly #rows = new Map<string, AdapterPayload>();
  readonly #model: string;
  constructor(model: string) {
    this.#model = model;
  }
  async upsert(id: string, payload: AdapterPayload) {
    HostAdapter.#rows.set(`${this.#model}:${id}`, payload);
  }
  async find(id: string) {
    return HostAdapter.#rows.get(`${this.#model}:${id}`);
  }
  async findByUid() {
    return undefined;
  }
  async findByUserCode() {
    return undefined;
  }
  async consume(id: string) {
    HostAdapter.#rows.get(`${this.#model}:${id}`)!.consumed = 1;
  }
  async destroy(id: string) {
    HostAdapter.#rows.delete(`${this.#model}:${id}`);
  }
  async revokeByGrantId() {}
}
