import assert from 'node:assert/strict';
import { accounts, newEncryptionKey, tandem, type TandemOptions } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';

const DAY = 24 * 3_600_000;

onEachDatabase('how long the audit log is kept', (database) => {
  let now = 1_800_000_000_000;

  /** The names of what is left after `days`, of one registration now and one each ten days. */
  async function leftAfter(days: number, audit?: TandemOptions['audit']) {
    const db = await database.open();
    const t = tandem({
      db,
      issuer: 'https://id.example.com',
      secrets: { encryption: [newEncryptionKey()] },
      features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } })],
      clock: () => now,
      ...(audit && { audit }),
    });
    try {
      await t.migrate();
      for (let day = 0; day <= days; day += 10) {
        await t.accounts!.register({ email: `day${day}@example.com`, password: 'seven grey herons at noon' });
        now += day < days ? 10 * DAY : 0;
      }
      await t.sweep();
      const { events } = await t.audit.list({ name: 'account.registered' });
      return events.map(({ at }) => (now - at) / DAY);
    } finally {
      await t.close();
    }
  }

  it('is for ever, where nobody says otherwise', async () => {
    assert.deepEqual(await leftAfter(40), [0, 10, 20, 30, 40]);
    assert.deepEqual(await leftAfter(40, {}), [0, 10, 20, 30, 40]);
  });

  it('is as many days as the host says', async () => {
    assert.deepEqual(await leftAfter(40, { keepDays: 21 }), [0, 10, 20]);
  });

  it('is no number that makes no sense', async () => {
    const options = { db: await database.open(), issuer: 'https://id.example.com', secrets: { encryption: [newEncryptionKey()] } };
    for (const keepDays of [0, -1, NaN, Infinity, '30' as unknown as number]) {
      assert.throws(() => tandem({ ...options, audit: { keepDays } }), { name: 'TypeError', message: /audit\.keepDays/ });
    }
    assert.throws(() => tandem({ ...options, audit: { days: 3 } as object }), { name: 'TypeError', message: /audit/ });
  });
});
