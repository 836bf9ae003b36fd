import assert from 'node:assert/strict';
import { newEncryptionKey } from '../../src/index.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import { onEachDatabase } from '../support/databases.ts';
import { API, TEST_CLIENTS } from '../support/tandem.ts';
import { tokenRequest } from '../oidc/helpers.ts';
import { HOST, ORDERS, SCOPES, startRegistry, type RegistryTandem } from './harness.ts';

const CLIENTS = [{ ...TEST_CLIENTS.service, tandem_resources: { [ORDERS]: ['orders:read'] } }];
const METADATA = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };

onEachDatabase('resource servers in several processes', (database) => {
  let first: RegistryTandem;
  let second: RegistryTandem;
  before(async () => {
    const [url, secrets] = [await database.url(), { encryption: [newEncryptionKey()] }];
    const start = () => startRegistry({ open: async () => openDatabase(url) }, { clients: CLIENTS, tandem: { secrets } });
    first = await start();
    second = await start();
  });
  after(async () => {
    for (const each of [first, second]) {
      await each.close();
      await each.knex.destroy();
    }
  });
  afterEach(() => assert.deepEqual([...first.errors, ...second.errors], []));

  const outcome = async (tandem: RegistryTandem) => {
    const { status, json } = await tokenRequest(tandem, 'service', { grant_type: 'client_credentials', scope: 'orders:read', resource: ORDERS });
    return status === 200 ? json['expires_in'] : json['error'];
  };

  it('count at once where they were changed, and within a second elsewhere', async () => {
    const changes: Array<[() => Promise<unknown>, unknown]> = [
      [() => first.resources.create({ identifier: ORDERS, scopes: SCOPES }, HOST), 3600],
      [() => first.resources.update(ORDERS, { ttl: 90 }, HOST), 90],
      [() => first.resources.removeScope(ORDERS, 'orders:read', HOST), 'invalid_target'],
      [() => first.resources.putScope(ORDERS, SCOPES[0], HOST), 90],
      [() => first.resources.remove(ORDERS, HOST), 'invalid_target'],
    ];
    for (const [change, expected] of changes) {
      await outcome(second);
      await change();
      assert.equal(await outcome(first), expected);
      second.clock.advance(1000);
      assert.equal(await outcome(second), expected);
    }
  });

  it('are made once by a hundred at once', async () => {
    const results = await Promise.allSettled(Array.from({ length: 100 }, (_, index) => (index % 2 ? first : second).resources.create({ identifier: ORDERS }, HOST)));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code?: string }).code] : []));
    assert.deepEqual(new Set(reasons), new Set(['conflict']));
    const { events } = await first.t.audit.list({ name: 'resource_server.created' }, { limit: 500 });
    assert.equal(events.filter(({ data }) => data['resourceServer'] === ORDERS).length, 2);
  });

  it('lose no scope that others add at the same time', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `scope:${String(index).padStart(2, '0')}`);
    await Promise.all(names.map((name, index) => (index % 2 ? first : second).resources.putScope(ORDERS, { ...SCOPES[0], name }, HOST)));
    assert.deepEqual((await first.resources.get(ORDERS)).scopes.map(({ name }) => name), names);
  });

  it('are not taken away while a client is given them', async () => {
    for (let round = 0; round < 10; round += 1) {
      const name = `race:${round}`;
      await first.resources.putScope(ORDERS, { ...SCOPES[0], name }, HOST);
      const [made, removed] = await Promise.allSettled([
        second.t.admin!.clients.create({ ...METADATA, tandem_resources: { [ORDERS]: [name], [API]: ['read'] } }, HOST),
        first.resources.removeScope(ORDERS, name, HOST),
      ]);
      // One of the two, never both, never neither.
      assert.notEqual(made.status, removed.status, `round ${round}`);
      const left = (await first.resources.get(ORDERS)).scopes.some((scope) => scope.name === name);
      assert.equal(left, made.status === 'fulfilled');
      assert.equal((await first.resources.usedBy(ORDERS, name)).count, left ? 1 : 0);
    }
  });
});
