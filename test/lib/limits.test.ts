import assert from 'node:assert/strict';
import { limits as migration } from '../../migrations/006_limits.ts';
import { AppError } from '../../src/errors.ts';
import { createDatabase, type Database } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { createLimits, type Limits } from '../../src/lib/limits.ts';
import { onEachDatabase } from '../support/databases.ts';

onEachDatabase('limits', (database) => {
  let db: Database;
  let limits: Limits;
  let now = 1_700_000_000_000;
  const clock = () => now;

  before(async () => {
    const knex = await database.open();
    await migrate(knex, [migration]);
    db = createDatabase(knex);
    limits = createLimits({ db, clock });
  });

  const refused = (retryAfter: number) => (error: unknown) => {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, 'rate_limited');
    assert.equal(error.retryAfter, retryAfter);
    return true;
  };

  it('lets through as many as it has points, until the window ends', async () => {
    const limit = limits.limit({ name: 'window', points: 3, seconds: 60 });
    await limit.check('a');
    for (let n = 0; n < 3; n += 1) await limit.take('a');
    now += 1000;
    await assert.rejects(limit.take('a'), refused(59));
    await assert.rejects(limit.check('a'), refused(59));
    await limit.take('A');
    now += 59_000;
    await limit.check('a');
    await limit.take('a');
  });

  it('checks without taking', async () => {
    const limit = limits.limit({ name: 'check', points: 1, seconds: 60 });
    for (let n = 0; n < 5; n += 1) await limit.check('a');
    await limit.take('a');
    await assert.rejects(limit.check('a'), refused(60));
  });

  it('blocks for longer than its window, from the last point on', async () => {
    const limit = limits.limit({ name: 'block', points: 2, seconds: 10, blockSeconds: 3600 });
    await limit.take('a');
    await limit.take('a');
    now += 20_000;
    await assert.rejects(limit.check('a'), refused(3580));
    await assert.rejects(limit.take('a'), refused(3580));
    now += 3_580_000;
    await limit.take('a');
  });

  it('gives a point back', async () => {
    const limit = limits.limit({ name: 'refund', points: 2, seconds: 60 });
    await limit.take('a');
    await limit.take('a');
    await limit.refund('a');
    await limit.take('a');
    await assert.rejects(limit.take('a'), refused(60));
  });

  it('gives back nothing that was not taken', async () => {
    const limit = limits.limit({ name: 'overpaid', points: 2, seconds: 60 });
    await limit.refund('a');
    await limit.take('a');
    now += 61_000;
    await limit.refund('a');
    await limit.take('a');
    for (let n = 0; n < 3; n += 1) await limit.refund('a');
    await Promise.all([limit.take('a'), limit.take('a')]);
    await assert.rejects(limit.take('a'), refused(60));
    assert.deepEqual(await db.statement('SELECT id FROM tandem_limits WHERE points < 0').all([]), []);
  });

  it('forgets', async () => {
    const limit = limits.limit({ name: 'forget', points: 1, seconds: 60, blockSeconds: 60 });
    await limit.take('a');
    await assert.rejects(limit.take('a'), refused(60));
    await limit.forget('a');
    await limit.take('a');
    await limit.forget('never seen');
  });

  it('keeps limits and keys apart, whatever they are called', async () => {
    const one = limits.limit({ name: 'one', points: 1, seconds: 60 });
    const other = limits.limit({ name: 'other', points: 1, seconds: 60 });
    for (const key of ['', 'a', 'A', 'a ', 'a\0b', "' OR 1=1", 'x'.repeat(10_000), '2001:db8::1']) {
      await one.take(key);
      await other.take(key);
      await assert.rejects(one.take(key), refused(60));
    }
  });

  it('lets exactly ten of a hundred through at once, over two instances', async () => {
    const options = { name: 'race', points: 10, seconds: 60 };
    const [here, there] = [limits.limit(options), createLimits({ db: createDatabase(db.knex), clock }).limit(options)];
    const answers = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => (n % 2 ? here : there).take('a')));
    assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 10);
    for (const answer of answers) if (answer.status === 'rejected') refused(60)(answer.reason);
  });

  it('waits for an open transaction of another request, and refuses to be taken inside one', async () => {
    const limit = limits.limit({ name: 'transaction', points: 5, seconds: 60 });
    let taken: Promise<void> | undefined;
    await Promise.all([
      db.transaction(async () => {
        for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      }),
      (taken = limit.take('a')),
    ]);
    await taken;
    await assert.rejects(
      db.transaction(async () => limit.take('a')),
      /without its tx/,
    );
  });
});
