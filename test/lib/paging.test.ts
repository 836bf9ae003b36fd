import assert from 'node:assert/strict';
import { FEATURES, HOST } from '../admin/harness.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';

onEachDatabase('lists by pages', (database) => {
  let t: TestTandem;
  before(async () => {
    t = await startTandem(database, { features: FEATURES });
    for (let each = 0; each < 3; each += 1) {
      await t.registerAccount();
      await t.t.admin!.clients.create({ client_id: `c${each}`, client_name: `Client ${each}`, redirect_uris: ['https://c.example/cb'] }, HOST);
      await t.t.admin!.registrationTokens.create({ label: `token ${each}` }, HOST);
    }
    const { accounts: people } = await t.t.admin!.accounts.list();
    for (const { id } of people) await t.t.admin!.accounts.giveTo('rp', id, HOST);
  });
  after(() => t.close());

  const lists = {
    clients: (page: object) => t.t.admin!.clients.list({}, page).then(({ clients, ...rest }) => ({ ids: clients.map(({ clientId }) => clientId), ...rest })),
    accounts: (page: object) => t.t.admin!.accounts.list({}, page).then(({ accounts: found, ...rest }) => ({ ids: found.map(({ id }) => id), ...rest })),
    'managed accounts': (page: object) => t.t.admin!.accounts.managedBy('rp', page).then(({ accounts: found, ...rest }) => ({ ids: found.map(({ accountId }) => accountId), ...rest })),
    'registration tokens': (page: object) => t.t.admin!.registrationTokens.list(page).then(({ tokens, ...rest }) => ({ ids: tokens.map(({ id }) => id), ...rest })),
  };
  const cursorOf = (position: unknown) => Buffer.from(JSON.stringify(position)).toString('base64url');
  /** What no page ends with: no JSON, no list, and members of other types, of which a database would make an error. */
  const NONSENSE = ['', '%', 'nonsense', cursorOf({}), cursorOf([]), cursorOf([1]), cursorOf([1, 2, 3]), cursorOf([null, null]), cursorOf([1.5, 'x']), cursorOf([2 ** 60, 'x']), cursorOf([['x']]), cursorOf([true])];

  for (const [name, list] of Object.entries(lists)) {
    it(`${name}: each once, page after page`, async () => {
      const whole = await list({});
      assert.equal(whole.ids.length, 3);
      assert.equal(whole.cursor, undefined);
      const first = await list({ limit: 2 });
      const second = await list({ limit: 2, cursor: first.cursor });
      assert.deepEqual([...first.ids, ...second.ids], whole.ids);
      assert.equal(second.cursor, undefined);
      assert.equal((await list({ limit: 3 })).cursor, undefined, 'the last page is full');
    });

    it(`${name}: no limit and no cursor that makes no sense`, async () => {
      for (const limit of [0, -1, 1.5, 201, NaN]) await assert.rejects(list({ limit }), { code: 'invalid_request' }, String(limit));
      for (const cursor of NONSENSE) await assert.rejects(list({ cursor }), { code: 'invalid_request' }, cursor);
    });
  }
});
