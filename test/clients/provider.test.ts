import assert from 'node:assert/strict';
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';
import { onEachDatabase } from '../support/databases.ts';
import { itWhere } from '../support/skip.ts';
import { countStatements } from '../support/statements.ts';
import { API, type TestTandem } from '../support/tandem.ts';
import { askToken, HOST, SERVICE, startWithRegistry, works } from './helpers.ts';

const ELSEWHERE = { client_id: 'elsewhere', client_secret: 'elsewhere-elsewhere-elsewhere', ...SERVICE, sector_identifier_uri: 'https://sector.invalid/elsewhere' };

/** A host's own storage, with a client in it. */
function hostStorage() {
  const asked: string[] = [];
  const rows = new Map<string, AdapterPayload>([['Client:elsewhere', ELSEWHERE]]);
  const factory: AdapterFactory = (model) => ({
    find: async (id: string) => (asked.push(`${model}:${id}`), rows.get(`${model}:${id}`)),
    upsert: async (id: string, payload: AdapterPayload) => void rows.set(`${model}:${id}`, payload),
    destroy: async (id: string) => void rows.delete(`${model}:${id}`),
    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    consume: async () => {},
    revokeByGrantId: async () => {},
  });
  return { asked, rows, factory };
}

onEachDatabase('clients of the registry at the provider', (database) => {
  describe('of more than a hundred', () => {
    let tandem: TestTandem;
    before('start', async () => {
      tandem = await startWithRegistry(database);
    });
    after('stop', () => tandem.close());

    it('none is made anew for a request', async () => {
      const { clients } = tandem.t.admin!;
      const ids: string[] = [];
      for (let index = 0; index < 150; index += 1) ids.push((await clients.create(SERVICE, HOST)).client.clientId);
      const find = () => Promise.all(ids.map((id) => tandem.provider.Client.find(id)));
      const [first, second] = [await find(), await find()];
      assert.deepEqual(second.map((client) => client?.clientId), ids);
      assert.ok(first.every((client, index) => client === second[index]));
    });

    it('one that changes is', async () => {
      const { clients } = tandem.t.admin!;
      const { client: { clientId } } = await clients.create(SERVICE, HOST);
      const before = await tandem.provider.Client.find(clientId);
      await clients.update(clientId, { client_name: 'Changed' }, HOST);
      assert.equal(before!.clientName, 'Backend');
      assert.equal((await tandem.provider.Client.find(clientId))!.clientName, 'Changed');
      await clients.remove(clientId, HOST);
      assert.equal(await tandem.provider.Client.find(clientId), undefined);
    });

    it('tell nothing of secrets where the library tells their metadata', async () => {
      const { client, secret } = await tandem.t.admin!.clients.create(SERVICE, HOST);
      const found = (await tandem.provider.Client.find(client.clientId))!;
      const told = JSON.stringify([found, found.metadata()]);
      const [row] = (await tandem.knex('tandem_clients').where({ client_id: client.clientId })) as Array<{ secrets: string }>;
      for (const [{ hash }] of [JSON.parse(row!.secrets) as [{ hash: string }]]) assert.equal(told.includes(hash), false);
      assert.equal(told.includes(secret!.value), false);
      // What stands for the secret opens nothing.
      assert.equal(await works(tandem, client.clientId, found.clientSecret!), false);
      const other = (await tandem.t.admin!.clients.create(SERVICE, HOST)).client.clientId;
      assert.notEqual((await tandem.provider.Client.find(other))!.clientSecret, found.clientSecret);
    });
  });

  const running: TestTandem[] = [];
  const start = async (...parameters: Parameters<typeof startWithRegistry>) => {
    const tandem = await startWithRegistry(...parameters);
    running.push(tandem);
    return tandem;
  };
  afterEach('stop those of the test', async () => {
    for (const tandem of running.splice(0)) await tandem.close();
  });

  itWhere(database.name === 'sqlite', 'statements are counted on SQLite', 'cost a request one look at the registry', async () => {
    const counted = await countStatements(database);
    const tandem = await start(counted);
    const { client, secret } = await tandem.t.admin!.clients.create(SERVICE, HOST);
    await askToken(tandem, client.clientId, secret!.value);
    const statements = counted.record();
    assert.equal((await askToken(tandem, client.clientId, secret!.value)).status, 200);
    assert.deepEqual(statements().filter((sql) => sql.includes('tandem_client')).map((sql) => sql.replace(/\s+/g, ' ')), [
      'select client_id, version from tandem_clients where client_id = ? and deleted_at is null',
    ]);
    const ofConfiguration = counted.record();
    assert.equal((await askToken(tandem, 'service', tandem.clients.service.client_secret!)).status, 200);
    assert.deepEqual(ofConfiguration().filter((sql) => sql.includes('tandem_client')), []);
  });

  for (const kind of ['a function', 'a class'] as const) {
    it(`leave those of a host’s storage where they are: ${kind}`, async () => {
      const { asked, rows, factory } = hostStorage();
      // The library takes classes, too.
      class Storage { constructor(model: string) { return factory(model); } }
      const tandem = await start(database, { configuration: { adapter: (kind === 'a class' ? Storage : factory) as unknown as AdapterFactory } });
      const { client, secret } = await tandem.t.admin!.clients.create(SERVICE, HOST);
      assert.equal(await works(tandem, 'elsewhere', ELSEWHERE.client_secret), true);
      assert.equal(await works(tandem, 'elsewhere', 'x'), false);
      assert.equal(await works(tandem, client.clientId, secret!.value), true);
      assert.equal(rows.has(`Client:${client.clientId}`), false);
      assert.ok(asked.includes('Client:elsewhere') && !asked.includes(`Client:${client.clientId}`));
      const adapter = (tandem.provider.Client as unknown as { adapter: Adapter }).adapter;
      await adapter.upsert('elsewhere', { ...ELSEWHERE, client_name: 'Kept there' } as never, 0);
      assert.equal((rows.get('Client:elsewhere') as { client_name: string }).client_name, 'Kept there');
      await adapter.destroy('elsewhere');
      assert.equal(await works(tandem, 'elsewhere', ELSEWHERE.client_secret), false);
      assert.deepEqual(tandem.errors, []);
      });
  }

  it('are the same for the next provider that is attached', async () => {
    const tandem = await start(database);
    const { client, secret } = await tandem.t.admin!.clients.create({ ...SERVICE, tandem_resources: { [API]: ['read'] } }, HOST);
    const { Provider } = await import('oidc-provider');
    const next = new Provider(tandem.issuer, tandem.t.configure());
    tandem.t.attach(next);
    for (const provider of [tandem.provider, next]) {
      const found = (await provider.Client.find(client.clientId))!;
      assert.ok(found instanceof provider.Client);
      assert.deepEqual([await found.compareClientSecret(secret!.value), await found.compareClientSecret('x')], [true, false]);
    }
  });
});
