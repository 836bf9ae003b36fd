import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate, type Migration } from '../../src/lib/database/migrate.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import { onEachDatabase } from '../support/databases.ts';

const run = promisify(execFile);
const child = fileURLToPath(new URL('../support/migrate-child.ts', import.meta.url));

const counter: Migration = {
  name: '001_counter',
  up: (knex) =>
    knex.schema.createTable('tandem_counter', (table) => {
      table.string('id', 190).primary();
      table.bigint('n').notNullable();
    }),
  down: (knex) => knex.schema.dropTable('tandem_counter'),
};

onEachDatabase('a database shared by processes', (database) => {
  it('is migrated once by many that start together', async () => {
    const url = await database.url();
    const answers = await Promise.all(Array.from({ length: 5 }, () => run(process.execPath, ['--import', 'tsx', child, url])));
    const applied = answers.map(({ stdout }) => JSON.parse(stdout) as string[]);
    assert.deepEqual(applied.flat().sort(), ['000_table', '001_table', '002_table', '003_table', '004_table']);
    const knex = openDatabase(url);
    try {
      for (let n = 0; n < 5; n += 1) assert.equal((await knex(`tandem_table${n}`).select('id')).length, 1);
      assert.equal((await knex('tandem_migrations').select('name')).length, 5);
    } finally {
      await knex.destroy();
    }
  });

  it('loses nothing when several write at once', async () => {
    const url = await database.url();
    const instances = Array.from({ length: 3 }, () => openDatabase(url));
    try {
      await migrate(instances[0]!, [counter]);
      const databases = instances.map((knex) => createDatabase(knex));
      await databases[0]!.statement('INSERT INTO tandem_counter (id, n) VALUES (?, ?)').run(['a', 0]);
      await Promise.all(
        databases.flatMap((db) => {
          const add = db.statement('UPDATE tandem_counter SET n = n + 1 WHERE id = ?');
          const insert = db.statement('INSERT INTO tandem_counter (id, n) VALUES (?, ?)');
          return Array.from({ length: 30 }, async (_, n) => {
            if (n % 3 === 0) await add.run(['a']);
            else
              await db.transaction(async (tx) => {
                await add.run(['a'], tx);
                await new Promise((resolve) => setImmediate(resolve));
                await insert.run([`${databases.indexOf(db)}:${n}`, 1], tx);
              });
          });
        }),
      );
      const total = await databases[1]!.statement<{ n: number; total: number }>('SELECT MAX(n) AS n, COUNT(*) AS total FROM tandem_counter').get([]);
      assert.deepEqual({ ...total }, { n: 90, total: 61 });
    } finally {
      await Promise.all(instances.map((knex) => knex.destroy()));
    }
  });

  it('hears what another publishes, once it has committed', async () => {
    const url = await database.url();
    const [mine, theirs] = [openDatabase(url), openDatabase(url)];
    const [here, there] = [createDatabase(mine), createDatabase(theirs)];
    try {
      const heard: string[] = [];
      let missed = 0;
      let tell = () => {};
      const next = () => new Promise<void>((resolve) => (tell = resolve));
      const subscription = await here.subscribe(
        'qr',
        (payload) => {
          heard.push(payload);
          tell();
        },
        () => {
          missed += 1;
          tell();
        },
      );
      assert.equal(subscription.live, database.name === 'postgres');
      if (!subscription.live) return;
      await here.subscribe('other', (payload) => heard.push(`other: ${payload}`));

      const first = next();
      await assert.rejects(
        there.transaction(async (tx) => {
          await there.publish('qr', 'undone', tx);
          throw new Error('no');
        }),
      );
      await there.transaction((tx) => there.publish('qr', 'one\ntwo "é"', tx));
      await first;
      assert.deepEqual(heard, ['one\ntwo "é"']);

      const again = next();
      await theirs.raw(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'`,
      );
      await again;
      assert.equal(missed, 1);
      const after = next();
      await there.transaction((tx) => there.publish('qr', 'three', tx));
      await after;
      assert.deepEqual(heard.slice(1), ['three']);
      await assert.rejects(there.transaction((tx) => there.publish('qr', 'x'.repeat(8000), tx)), /at most/);
      await subscription.close();
    } finally {
      await Promise.all([here.close(), there.close()]);
      await Promise.all([mine.destroy(), theirs.destroy()]);
    }
  });
});

describe('a host’s own knex', () => {
  it('is refused on SQLite with more than one connection, naming the setting', async () => {
    const knex = openDatabase('sqlite::memory:');
    try {
      const pool = (knex.client as { pool: { max: number } }).pool;
      pool.max = 4;
      assert.throws(() => createDatabase(knex), /pool\.max to 1/);
    } finally {
      await knex.destroy();
    }
  });

  it('is refused with a client that Tandem does not know', async () => {
    assert.throws(() => createDatabase({ client: { driverName: 'sqlite3' } } as never), /better-sqlite3, pg and mysql2.*sqlite3/);
    assert.throws(() => openDatabase('mssql://x'), /sqlite:, postgres: or mysql:/);
  });
});
