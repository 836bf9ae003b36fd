import assert from 'node:assert/strict';
import type { Actor } from '../../src/lib/actor.ts';
import { onEachDatabase } from '../support/databases.ts';
import { API, type TestTandem } from '../support/tandem.ts';
import { askToken, HOST, refused, SERVICE, startWithRegistry, works } from './helpers.ts';

onEachDatabase('the registry of clients', (database) => {
  let tandem: TestTandem;
  const registry = () => tandem.t.admin!.clients;
  before('start', async () => {
    tandem = await startWithRegistry(database);
  });
  after('stop', () => tandem.close());
  afterEach('without errors', () => assert.deepEqual(tandem.errors, []));

  const events = async (clientId: string) => (await tandem.t.audit.list({ clientId })).events;

  it('makes a client that gets a token by the secret that it was told, of the scopes that it was granted', async () => {
    const { client, secret } = await registry().create(SERVICE, HOST);
    assert.equal(await works(tandem, client.clientId, secret!.value), true);
    assert.equal(await works(tandem, client.clientId, `${secret!.value}x`), false);
    assert.equal((await askToken(tandem, client.clientId, secret!.value, 'write')).json['error'], 'invalid_scope');
  });

  it('keeps what it was told, and no more', async () => {
    const { client } = await registry().create({ ...SERVICE, software_id: 'shop', software_version: '4.2', tandem_level: 2 }, HOST);
    const found = await registry().get(client.clientId);
    assert.deepEqual(found, client);
    assert.deepEqual(found.metadata, { ...SERVICE, software_id: 'shop', software_version: '4.2', tandem_level: 2 });
    assert.deepEqual([found.origin, found.secrets.length, found.keys], ['admin', 1, []]);
  });

  it('makes no secret for a client that proves itself otherwise, or not at all', async () => {
    const made = await registry().create({ redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'none' }, HOST);
    assert.deepEqual([made.secret, made.client.secrets], [undefined, []]);
  });

  it('takes a change at once: scopes, and what is taken away', async () => {
    const { client: { clientId }, secret } = await registry().create(SERVICE, HOST);
    await registry().update(clientId, { tandem_resources: { [API]: ['read', 'write'] } }, HOST);
    assert.equal((await askToken(tandem, clientId, secret!.value, 'read write')).status, 200);
    const changed = await registry().update(clientId, { tandem_resources: null, client_name: 'Less' }, HOST);
    assert.equal('tandem_resources' in changed.metadata, false);
    assert.equal((await askToken(tandem, clientId, secret!.value)).json['error'], 'invalid_target');
  });

  it('says in the audit log who did what, before and after', async () => {
    const actor: Actor = { kind: 'account', id: 'ada', clientId: 'console', address: '192.0.2.7', authority: 'all' };
    const { client: { clientId } } = await registry().create(SERVICE, actor);
    await registry().update(clientId, { client_name: 'Other', contacts: ['ops@example.com'] }, actor);
    await registry().remove(clientId, actor);
    const [deleted, updated, created] = await events(clientId);
    assert.deepEqual([created!.name, created!.data['after']], ['client.created', SERVICE]);
    assert.deepEqual([created!.address, created!.data['actor']], ['192.0.2.7', { kind: 'account', id: 'ada', client: 'console' }]);
    assert.deepEqual(updated!.data['before'], { client_name: 'Backend', contacts: null });
    assert.deepEqual(updated!.data['after'], { client_name: 'Other', contacts: ['ops@example.com'] });
    assert.equal(deleted!.name, 'client.deleted');
  });

  it('writes nothing where nothing changes', async () => {
    const { client } = await registry().create(SERVICE, HOST);
    const same = await registry().update(client.clientId, { ...SERVICE, tandem_resources: { [API]: ['read'] }, client_id: client.clientId }, HOST);
    assert.deepEqual(same, client);
    assert.equal((await events(client.clientId)).length, 1);
  });

  it('loses none of many changes at once', async () => {
    const { client: { clientId } } = await registry().create(SERVICE, HOST);
    const fields = ['client_uri', 'policy_uri', 'tos_uri', 'logo_uri'];
    await Promise.all(fields.map((field) => registry().update(clientId, { [field]: `https://example.com/${field}` }, HOST)));
    const { metadata } = await registry().get(clientId);
    for (const field of fields) assert.equal(metadata[field], `https://example.com/${field}`);
  });

  it('gives an id once: not of a client that is there, that was there, or that the provider is configured with', async () => {
    await registry().create({ ...SERVICE, client_id: 'shop' }, HOST);
    await assert.rejects(registry().create({ ...SERVICE, client_id: 'shop' }, HOST), refused('conflict', 'client_id'));
    await registry().remove('shop', HOST);
    await assert.rejects(registry().create({ ...SERVICE, client_id: 'shop' }, HOST), refused('conflict', 'client_id'));
    // A dry run knows it as well.
    await assert.rejects(registry().check('shop', SERVICE, HOST), refused('conflict', 'client_id'));
    await assert.rejects(registry().create({ ...SERVICE, client_id: 'rp' }, HOST), refused('conflict', 'client_id'));
    await assert.rejects(registry().create({ ...SERVICE, client_id: 'tandem-account' }, HOST), refused('conflict', 'client_id'));
    const tries = await Promise.allSettled(Array.from({ length: 10 }, () => registry().create({ ...SERVICE, client_id: 'race' }, HOST)));
    assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const tried of tries) if (tried.status === 'rejected') refused('conflict', 'client_id')(tried.reason);
  });

  it('ends a client, and its tokens with it, for itself and for resource servers', async () => {
    const { client: { clientId }, secret } = await registry().create(SERVICE, HOST);
    const token = String((await askToken(tandem, clientId, secret!.value)).json['access_token']);
    const introspect = async () => {
      const headers = { Authorization: `Basic ${Buffer.from(`service:${tandem.clients.service.client_secret}`).toString('base64')}` };
      const response = await fetch(tandem.url('/token/introspection'), { method: 'POST', headers, body: new URLSearchParams({ token }) });
      assert.equal(response.status, 200);
      return ((await response.json()) as { active: boolean }).active;
    };
    assert.equal(await introspect(), true);
    await registry().remove(clientId, HOST);
    assert.equal(await introspect(), false);
    assert.equal(await works(tandem, clientId, secret!.value), false);
    assert.deepEqual([await registry().exists(clientId), await registry().exists('rp'), await registry().jwks(clientId)], [false, true, undefined]);
    await assert.rejects(registry().get(clientId), refused('not_found'));
    await assert.rejects(registry().update(clientId, { client_name: 'x' }, HOST), refused('not_found'));
    await assert.rejects(registry().remove(clientId, HOST), refused('not_found'));
    await assert.rejects(registry().addSecret(clientId, {}, HOST), refused('not_found'));
    assert.deepEqual((await tandem.knex('tandem_client_grants').where({ client_id: clientId })).length, 0);
  });

  it('knows who holds a scope after each change', async () => {
    const holders = async () => (await tandem.t.admin!.resources.usedBy(API, 'write', { limit: 200 })).clients;
    const { client: { clientId } } = await registry().create(SERVICE, HOST);
    assert.equal((await holders()).includes(clientId), false);
    await registry().update(clientId, { tandem_resources: { [API]: ['read', 'write'] } }, HOST);
    assert.equal((await holders()).includes(clientId), true);
    await registry().update(clientId, { tandem_resources: { [API]: ['read'] } }, HOST);
    assert.equal((await holders()).includes(clientId), false);
  });

  it('knows who holds a scope, and refuses one that there is not', async () => {
    const { client: { clientId } } = await registry().create({ ...SERVICE, client_id: 'writer', tandem_resources: { [API]: ['write'] } }, HOST);
    const { clients, count } = await registry().usedBy(API, 'write');
    assert.deepEqual([clients, count], [[clientId], 1]);
    const all = await registry().usedBy(API, undefined, { limit: 2 });
    assert.equal(all.clients.length, 2);
    assert.ok(all.count > 2);
    for (const resources of [{ [API]: ['fly'] }, { 'https://nobody.example': ['read'] }, { [API]: ['__proto__'] }, { constructor: ['name'] }]) {
      await assert.rejects(registry().create({ ...SERVICE, tandem_resources: resources }, HOST), refused('invalid_request', 'tandem_resources'));
      await assert.rejects(registry().update(clientId, { tandem_resources: resources }, HOST), refused('invalid_request', 'tandem_resources'));
    }
    assert.deepEqual((await registry().get(clientId)).metadata['tandem_resources'], { [API]: ['write'] });
  });

  describe('lists', () => {
    it('the newest first, by pages that miss and repeat none', async () => {
      for (let index = 0; index < 7; index += 1) await registry().create({ ...SERVICE, client_name: `Paged ${index}` }, HOST);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await registry().list({ search: 'PAGED' }, { limit: 3, cursor });
        seen.push(...page.clients.map(({ clientId }) => clientId));
        cursor = page.cursor;
      } while (cursor);
      assert.equal(new Set(seen).size, 7);
      assert.equal(seen.length, 7);
    });

    it('what matches a part of id or name, and takes no wildcards', async () => {
      await registry().create({ ...SERVICE, client_id: 'Needle-7', client_name: 'Übergröße 100%' }, HOST);
      const found = async (search: string) => (await registry().list({ search })).clients.map(({ clientId }) => clientId);
      assert.deepEqual(await found('needle'), ['Needle-7']);
      assert.deepEqual(await found('ÜBERGRÖ'), ['Needle-7']);
      assert.deepEqual(await found('100%'), ['Needle-7']);
      assert.deepEqual(await found('n_edle'), []);
    });

    it('refuse a limit and a cursor that make no sense', async () => {
      for (const limit of [0, 201, 1.5, Number.NaN]) await assert.rejects(registry().list({}, { limit }), refused('invalid_request'));
      for (const cursor of ['x', 'e30', 'W10', Buffer.from('["a",1]').toString('base64url')]) await assert.rejects(registry().list({}, { cursor }), refused('invalid_request', 'cursor'));
    });
  });
});
