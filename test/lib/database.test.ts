import assert from 'node:assert/strict';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate, rollback, type Migration } from '../../src/lib/database/migrate.ts';
import { onEachDatabase } from '../support/databases.ts';

const counters: Migration = {
  name: '001_counters',
  async up(knex) {
    await knex.schema.createTable('tandem_counters', (table) => {
      table.string('id', 190).primary();
      table.bigint('n').notNullable();
      table.binary('raw');
      table.text('words', 'longtext');
    });
  },
  async down(knex) {
    await knex.schema.dropTable('tandem_counters');
  },
};

onEachDatabase('a database', (database) => {
  async function open() {
    const knex = await database.open();
    await migrate(knex, [counters]);
    const db = createDatabase(knex);
    return {
      db,
      knex,
      insert: db.statement('INSERT INTO tandem_counters (id, n, raw, words) VALUES (?, ?, ?, ?)'),
      add: db.statement('UPDATE tandem_counters SET n = n + ? WHERE id = ?'),
      find: db.statement<{ id: string; n: number; raw: Buffer | null; words: string | null }>('SELECT * FROM tandem_counters WHERE id = ?'),
      list: db.statement<{ id: string }>('SELECT id FROM tandem_counters ORDER BY id LIMIT ?'),
      count: db.statement<{ total: number }>('SELECT COUNT(*) AS total FROM tandem_counters'),
    };
  }

  it('keeps numbers, text, bytes and nothing as they were', async () => {
    const { insert, find } = await open();
    const words = 'é "quoted" \u{1f511} \\ % _ \n' + 'x'.repeat(100_000);
    assert.equal(await insert.run(['a', Number.MAX_SAFE_INTEGER, Buffer.from([0, 255, 7]), words]), 1);
    await insert.run(['b', -1, null, null]);
    const row = await find.get(['a']);
    assert.equal(row?.n, Number.MAX_SAFE_INTEGER);
    assert.deepEqual(Buffer.from(row?.raw ?? []), Buffer.from([0, 255, 7]));
    assert.equal(row?.words, words);
    assert.deepEqual({ ...(await find.get(['b'])) }, { id: 'b', n: -1, raw: null, words: null });
  });

  it('compares ids by case, accent and trailing space', async () => {
    const { insert, find } = await open();
    for (const id of ['a', 'A', 'á', 'a ']) await insert.run([id, 1, null, null]);
    for (const id of ['a', 'A', 'á', 'a ']) assert.equal((await find.get([id]))?.id, id);
    assert.equal(await find.get(['Á']), undefined);
  });

  it('limits and counts', async () => {
    const { insert, list, count } = await open();
    for (const id of ['c', 'a', 'b']) await insert.run([id, 1, null, null]);
    assert.deepEqual((await list.all([2])).map(({ id }) => id), ['a', 'b']);
    assert.equal((await count.get([]))?.total, 3);
  });

  it('says how many rows a write changed, even where it changed nothing in them', async () => {
    const { insert, add } = await open();
    await insert.run(['a', 1, null, null]);
    assert.equal(await add.run([0, 'a']), 1);
    assert.equal(await add.run([1, 'nobody']), 0);
  });

  it('answers each of many writes at once by itself', async () => {
    const { db, insert, find } = await open();
    await insert.run(['taken', 0, null, null]);
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => insert.run([n % 10 === 0 ? 'taken' : `id${n}`, n, null, null])),
    );
    answers.forEach((answer, n) => {
      assert.equal(answer.status, n % 10 === 0 ? 'rejected' : 'fulfilled', `write ${n}`);
      if (answer.status === 'rejected') assert.equal(db.isUniqueViolation(answer.reason), true);
    });
    assert.equal((await find.get(['id49']))?.n, 49);
  });

  it('answers each of many gathered writes and finds by itself', async () => {
    const { db } = await open();
    const insert = 'INSERT INTO tandem_counters (id, n, words) VALUES (?, ?, ?)';
    const onConflict = `${insert} ON CONFLICT (id) DO UPDATE SET n = excluded.n`;
    const put = db.statement(
      { sqlite: onConflict, postgres: onConflict, mysql: `${insert} ON DUPLICATE KEY UPDATE n = VALUES(n)` },
      { gather: 'rows' },
    );
    const find = db.statement<{ id: string; n: number }>('SELECT id, n FROM tandem_counters WHERE id = ?', { gather: 'keys' });
    const ids = Array.from({ length: 70 }, (_, n) => `id ${n} "\\{},é'`);

    const answers = await Promise.allSettled(ids.map((id, n) => put.run([id, n % 20 === 7 ? null : n, null])));
    answers.forEach(({ status }, n) => assert.equal(status, n % 20 === 7 ? 'rejected' : 'fulfilled', `write ${n}`));
    await Promise.all([put.run(['twice', 1, null]), put.run(['twice', 1, null]), put.run(['once', 1, null])]);

    const found = await Promise.all([...ids, 'nobody', 'once', 'once'].map((id) => find.get([id])));
    ids.forEach((id, n) => assert.deepEqual(found[n] && { ...found[n] }, n % 20 === 7 ? undefined : { id, n }));
    assert.equal(found[70], undefined);
    assert.deepEqual({ ...found[71] }, { id: 'once', n: 1 });
    assert.notEqual(found[71], found[72]);
  });

  it('commits what resolves and undoes what rejects', async () => {
    const { db, insert, find } = await open();
    const after: string[] = [];
    const answer = await db.transaction(async (tx) => {
      await insert.run(['kept', 1, null, null], tx);
      tx.afterCommit(() => after.push('kept'));
      assert.deepEqual(after, []);
      return (await find.get(['kept'], tx))?.n;
    });
    assert.equal(answer, 1);
    await assert.rejects(
      db.transaction(async (tx) => {
        tx.afterCommit(() => after.push('undone'));
        await insert.run(['undone', 1, null, null], tx);
        throw new Error('no');
      }),
      /no/,
    );
    assert.deepEqual(after, ['kept']);
    assert.equal(await find.get(['undone']), undefined);
    assert.equal((await find.get(['kept']))?.n, 1);
  });

  it('never claims to have committed what it did not', async () => {
    const { db, insert, find } = await open();
    await insert.run(['taken', 1, null, null]);
    const answer = await db
      .transaction(async (tx) => {
        await insert.run(['new', 1, null, null], tx);
        await insert.run(['taken', 1, null, null], tx).catch(() => {});
      })
      .then(() => 'committed', () => 'undone');
    assert.equal(answer === 'committed', (await find.get(['new'])) !== undefined);
  });

  it('warns of what fails after the commit, which stands', async () => {
    const { db, insert, find } = await open();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await db.transaction(async (tx) => {
      await insert.run(['a', 1, null, null], tx);
      tx.afterCommit(() => {
        throw new Error('too late');
      });
    });
    assert.equal((await warned).message, 'too late');
    assert.ok(await find.get(['a']));
  });

  it('keeps statements of others out of an open transaction', async () => {
    const { db, insert, find } = await open();
    let insideDone = () => {};
    const inside = new Promise<void>((resolve) => (insideDone = resolve));
    const undone = db.transaction(async (tx) => {
      await insert.run(['mine', 1, null, null], tx);
      insideDone();
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      throw new Error('rolled back');
    });
    await inside;
    const others = [insert.run(['theirs', 1, null, null]), find.get(['mine'])] as const;
    await assert.rejects(undone, /rolled back/);
    assert.equal(await others[0], 1);
    assert.equal(await others[1], undefined);
    assert.equal((await find.get(['theirs']))?.n, 1);
  });

  it('loses no update among concurrent transactions', async () => {
    const { db, insert, add, find } = await open();
    await insert.run(['a', 0, null, null]);
    await Promise.all(
      Array.from({ length: 50 }, () =>
        db.transaction(async (tx) => {
          await add.run([1, 'a'], tx);
          await new Promise((resolve) => setImmediate(resolve));
          await add.run([1, 'a'], tx);
        }),
      ),
    );
    assert.equal((await find.get(['a']))?.n, 100);
  });

  it('refuses a statement that forgot its transaction, a nested one, and one that came too late', async () => {
    const { db, insert, find } = await open();
    await assert.rejects(db.transaction(async () => void (await find.get(['a']))), /without its tx/);
    await assert.rejects(db.transaction(() => db.transaction(async () => {})), /without its tx/);
    const late = await db.transaction(async (tx) => tx);
    await assert.rejects(insert.run(['a', 1, null, null], late), /has ended/);
    assert.throws(() => late.afterCommit(() => {}), /has ended/);
  });

  it('refuses a NUL character as a bad request', async () => {
    const { find } = await open();
    await assert.rejects(find.get(['a\0b']), { code: 'invalid_request' });
  });

  it('shares the connection with queries of knex itself', async () => {
    const { knex, insert } = await open();
    const [, , rows] = await Promise.all([
      insert.run(['a', 1, null, null]),
      knex.transaction(async (trx) => void (await trx('tandem_counters').insert({ id: 'b', n: 2 }))),
      knex('tandem_counters').select('id'),
      insert.run(['c', 1, null, null]),
    ]);
    assert.ok(Array.isArray(rows));
    assert.equal((await knex('tandem_counters').select('id')).length, 3);
  });

  it('migrates forth and back', async () => {
    const knex = await database.open();
    const second: Migration = { name: '002_more', up: (k) => k.schema.createTable('tandem_more', (t) => void t.string('id')), down: (k) => k.schema.dropTable('tandem_more') };
    assert.deepEqual(await migrate(knex, [counters]), ['001_counters']);
    assert.deepEqual(await migrate(knex, [counters, second]), ['002_more']);
    assert.deepEqual(await migrate(knex, [counters, second]), []);
    await assert.rejects(migrate(knex, [counters]), /newer than this program.*002_more/);
    assert.deepEqual(await rollback(knex, [counters, second], '001_counters'), ['002_more']);
    assert.equal(await knex.schema.hasTable('tandem_more'), false);
    assert.deepEqual(await rollback(knex, [counters, second]), ['001_counters']);
    assert.equal(await knex.schema.hasTable('tandem_counters'), false);
    assert.deepEqual(await migrate(knex, [counters, second]), ['001_counters', '002_more']);
  });
});
