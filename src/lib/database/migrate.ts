import type { Knex } from 'knex';
import { dialectOf } from './dialect.ts';
import { isBusy, patience, worn } from './sqlite.ts';

/** One step of the schema. Written with knex's schema builder alone, and never changed once released. */
export interface Migration {
  /** Unique and sortable, as `001_oidc`; without an extension, so that source and build agree. */
  readonly name: string;
  up(knex: Knex): Promise<void>;
  down(knex: Knex): Promise<void>;
}

const TABLE = 'tandem_migrations';
/** Names our lock among those of a PostgreSQL database: the first bytes of "tandem". */
const LOCK = 0x74616e64;
/** How long one process waits for another to migrate, in seconds. */
const LOCK_SECONDS = 120;

/**
 * Brings the schema up to date: applies, in order, each migration that the database has not seen.
 * Safe to call from any number of processes at once; one works, the others wait and find nothing left to do.
 *
 * @returns the names of the migrations that this call applied
 * @throws Error when the database has seen a migration that is not in the list: it belongs to a newer version
 */
export async function migrate(knex: Knex, migrations: readonly Migration[]): Promise<string[]> {
  return exclusively(knex, async (trx) => {
    const done = await appliedTo(trx, migrations);
    const due = migrations.filter(({ name }) => !done.includes(name));
    for (const migration of due) {
      await migration.up(trx);
      await makeCaseSensitive(trx);
      await trx(TABLE).insert({ name: migration.name, applied_at: new Date().toISOString() });
    }
    return due.map(({ name }) => name);
  });
}

/**
 * Takes back every migration, the newest first, or only those after `to`.
 *
 * @returns the names of the migrations that this call took back
 */
export async function rollback(knex: Knex, migrations: readonly Migration[], to?: string): Promise<string[]> {
  if (to !== undefined && !migrations.some(({ name }) => name === to)) throw new Error(`there is no migration ${to}`);
  return exclusively(knex, async (trx) => {
    const done = await appliedTo(trx, migrations);
    const keep = to === undefined ? 0 : migrations.findIndex(({ name }) => name === to) + 1;
    const due = migrations.slice(keep).filter(({ name }) => done.includes(name)).reverse();
    for (const migration of due) {
      await migration.down(trx);
      await trx(TABLE).where({ name: migration.name }).delete();
    }
    return due.map(({ name }) => name);
  });
}

async function appliedTo(trx: Knex, migrations: readonly Migration[]): Promise<string[]> {
  const done = (await trx(TABLE).select('name').orderBy('name')).map(({ name }: { name: string }) => name);
  const unknown = done.filter((name) => !migrations.some((migration) => migration.name === name));
  if (unknown.length > 0) throw new Error(`the database is newer than this program: it has seen ${unknown.join(', ')}`);
  return done;
}

/** Runs `work` in one transaction while no other process does. On MySQL, where DDL commits, only the lock holds it together. */
async function exclusively<T>(knex: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
  switch (dialectOf(knex)) {
    case 'postgres':
      return knex.transaction(async (trx) => {
        await trx.raw('SELECT pg_advisory_xact_lock(?)', [LOCK]);
        await trx.raw(createTable('timestamptz'));
        return work(trx);
      });
    case 'mysql':
      return knex.transaction(async (trx) => {
        const [[{ locked }]] = await trx.raw(`SELECT GET_LOCK(CONCAT('tandem:', MD5(DATABASE())), ?) AS locked`, [LOCK_SECONDS]);
        if (locked !== 1) throw new Error('another process has been migrating this database for too long');
        try {
          await trx.raw(createTable('varchar(32)'));
          return await work(trx);
        } finally {
          await trx.raw(`SELECT RELEASE_LOCK(CONCAT('tandem:', MD5(DATABASE())))`);
        }
      });
    case 'sqlite': {
      const wait = patience(LOCK_SECONDS * 1000);
      for (;;) {
        try {
          await knex.raw(createTable('text'));
          return await knex.transaction(async (trx) => {
            // A write comes first, to take SQLite's write lock before anything has been read.
            await trx(TABLE).where({ name: '' }).delete();
            return work(trx);
          });
        } catch (error) {
          const busy = isBusy(error);
          await abandon(knex, busy);
          if (!busy) throw error;
          await wait(error);
        }
      }
    }
  }
}

/**
 * A commit that another process held up leaves the transaction open on SQLite, and knex gives the connection back so. A statement
 * that found the file busy may also keep an old view of it, in which nothing can be written any more: the next try gets
 * a new connection.
 */
async function abandon(knex: Knex, renew: boolean): Promise<void> {
  const connection = (await knex.client.acquireConnection()) as { inTransaction: boolean; exec(sql: string): unknown };
  try {
    if (connection.inTransaction) connection.exec('ROLLBACK');
    if (renew) worn.add(connection);
  } finally {
    await knex.client.releaseConnection(connection);
  }
}

function createTable(time: string): string {
  return `CREATE TABLE IF NOT EXISTS ${TABLE} (name varchar(190) PRIMARY KEY, applied_at ${time} NOT NULL)`;
}

/** MySQL compares text without regard to case, accents or trailing spaces unless a table says otherwise: ours all do. */
async function makeCaseSensitive(trx: Knex): Promise<void> {
  if (dialectOf(trx) !== 'mysql') return;
  const [[{ version }]] = await trx.raw('SELECT VERSION() AS version');
  const collation = String(version).includes('MariaDB') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
  const [tables] = await trx.raw(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'tandem\\_%' AND table_collation <> ?`,
    [collation],
  );
  await trx.raw('SET foreign_key_checks = 0');
  for (const { name } of tables as Array<{ name: string }>) {
    await trx.raw(`ALTER TABLE ?? CONVERT TO CHARACTER SET utf8mb4 COLLATE ${collation}`, [name]);
  }
  await trx.raw('SET foreign_key_checks = 1');
}
