import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { AppError } from '../../errors.ts';
import { codeOf, writes, type Compiled, type Connection, type Driver, type Want } from './driver.ts';
import type { Value } from './database.ts';

/** What libsql and better-sqlite3 have in common. */
interface SqliteConnection {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): unknown;
  readonly inTransaction: boolean;
}
interface SqliteStatement {
  all(values: readonly Value[]): unknown[];
  get(values: readonly Value[]): unknown;
  run(values: readonly Value[]): { changes: number };
}
interface Job {
  readonly statement: Compiled;
  readonly values: readonly Value[];
  readonly want: Want;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** For how long another process may keep the database locked before we give up, in milliseconds. */
const PATIENCE = 15_000;

/** Connections that the pool must not hand out again. */
export const worn = new WeakSet<object>();

export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error)) || /database( table)? is locked/.test(String((error as Error)?.message));
}

/** Waits between attempts to get a lock that another process holds; throws when it took too long. */
export function patience(milliseconds = PATIENCE): (error: unknown) => Promise<void> {
  const giveUpAt = performance.now() + milliseconds;
  let attempt = 0;
  return async (error) => {
    if (performance.now() > giveUpAt) throw new AppError('temporarily_unavailable', 'the database is busy', { cause: error });
    attempt += 1;
    await sleep(Math.min(attempt, 20));
  };
}

/**
 * SQLite on a pool of one connection. Whoever holds the connection has the database to itself: a transaction holds it from its first
 * to its last statement, and statements outside of it wait their turn, so that none can join a transaction that is not theirs.
 *
 * Statements by themselves share a *lease* of the connection, from the first of them until the end of the event loop's tick. Reads run at
 * once. Writes are gathered and run as one transaction at the end of the tick: one commit for all of them, though each succeeds
 * or fails alone, and none is answered before the commit.
 */
export function createSqliteDriver(knex: Knex): Driver {
  const prepared = new WeakMap<SqliteConnection, Map<string, SqliteStatement>>();
  let lease: SqliteConnection | undefined;
  let leasing = false;
  const reads: Job[] = [];
  let pending: Job[] = [];

  const acquire = async () => (await knex.client.acquireConnection()) as SqliteConnection;
  const release = (connection: SqliteConnection) => void knex.client.releaseConnection(connection);

  function execute(connection: SqliteConnection, sql: string, values: readonly Value[], want: Want): unknown {
    let statements = prepared.get(connection);
    if (!statements) prepared.set(connection, (statements = new Map<string, SqliteStatement>()));
    let statement = statements.get(sql);
    if (!statement) statements.set(sql, (statement = connection.prepare(sql)));
    if (want === 'all') return statement.all(values);
    if (want === 'get') return firstRow(statement.get(values));
    return statement.run(values).changes;
  }

  function submit(job: Job) {
    if (job.statement.writes) pending.push(job);
    else if (lease) return read(lease, job);
    else reads.push(job);
    if (!leasing) void takeLease();
  }

  async function takeLease() {
    leasing = true;
    try {
      lease = await acquire();
    } catch (error) {
      leasing = false;
      for (const job of [...reads.splice(0), ...pending.splice(0)]) job.reject(error);
      return;
    }
    const connection = lease;
    for (const job of reads.splice(0)) read(connection, job);
    setImmediate(endLease, connection);
  }

  function endLease(connection: SqliteConnection) {
    const batch = pending;
    pending = [];
    lease = undefined;
    leasing = false;
    try {
      if (batch.length > 0) write(connection, batch);
    } finally {
      release(connection);
    }
  }

  function read(connection: SqliteConnection, job: Job) {
    try {
      job.resolve(execute(connection, job.statement.sql, job.values, job.want));
    } catch (error) {
      if (isBusy(error)) void retry([job], error);
      else job.reject(error);
    }
  }

  /** Runs a batch of writes in one transaction. A statement that fails is undone by SQLite alone, and the others go on. */
  function write(connection: SqliteConnection, batch: Job[]) {
    const done: Array<{ job: Job; answer: unknown }> = [];
    let left = batch;
    try {
      execute(connection, 'BEGIN IMMEDIATE', [], 'run');
      while (left.length > 0) {
        const job = left[0] as Job;
        try {
          done.push({ job, answer: execute(connection, job.statement.sql, job.values, job.want) });
        } catch (error) {
          // A full disk and the like end the whole transaction, a broken constraint does not.
          if (!connection.inTransaction || isBusy(error)) throw error;
          job.reject(error);
        }
        left = left.slice(1);
      }
      execute(connection, 'COMMIT', [], 'run');
    } catch (error) {
      if (connection.inTransaction) connection.exec('ROLLBACK');
      const undone = [...done.map(({ job }) => job), ...left];
      if (isBusy(error)) void retry(undone, error);
      else for (const job of undone) job.reject(error);
      return;
    }
    for (const { job, answer } of done) job.resolve(answer);
  }

  const waits = new WeakMap<Job, (error: unknown) => Promise<void>>();
  async function retry(jobs: Job[], error: unknown) {
    const oldest = jobs[0] as Job;
    const wait = waits.get(oldest) ?? patience();
    waits.set(oldest, wait);
    try {
      await wait(error);
      for (const job of jobs) submit(job);
    } catch (tooLong) {
      for (const job of jobs) job.reject(tooLong);
    }
  }

  /** Transactions begin one after the other, so that a lock of another process is asked for once at a time. */
  let beginning: Promise<unknown> = Promise.resolve();
  async function begin(): Promise<SqliteConnection> {
    const wait = patience();
    for (;;) {
      const connection = await acquire();
      try {
        execute(connection, 'BEGIN IMMEDIATE', [], 'run');
        return connection;
      } catch (error) {
        // Given back, so that reads go on while the transaction waits.
        release(connection);
        if (!isBusy(error)) throw error;
        await wait(error);
      }
    }
  }

  return {
    dialect: 'sqlite',
    compile: (sql) => ({ sql, writes: writes(sql) }),
    // Not `async`: within a transaction each statement has run before the next line of the caller does.
    query(connection, statement, values, want) {
      return new Promise((resolve) => {
        resolve(execute(connection as SqliteConnection, statement.sql, values, want));
      });
    },
    autocommit(statement, values, want) {
      return new Promise((resolve, reject) => {
        submit({ statement, values, want, resolve, reject });
      });
    },
    begin() {
      const begun = beginning.then(begin);
      beginning = begun.catch(() => {});
      return begun;
    },
    async commit(connection) {
      const wait = patience();
      for (;;) {
        try {
          execute(connection as SqliteConnection, 'COMMIT', [], 'run');
          return release(connection as SqliteConnection);
        } catch (error) {
          // Only outside of WAL: a reader in another process holds up the commit, which may be tried again.
          if (!isBusy(error) || !(connection as SqliteConnection).inTransaction) throw error;
          await wait(error);
        }
      }
    },
    async rollback(held: Connection) {
      const connection = held as SqliteConnection;
      try {
        if (connection.inTransaction) connection.exec('ROLLBACK');
      } finally {
        release(connection);
      }
    },
    publish: async () => {},
    subscribe: async () => ({ live: false, close: async () => {} }),
    isUniqueViolation: (error) =>
      /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(codeOf(error)) || /UNIQUE constraint failed/.test(String((error as Error)?.message)),
    isDeadlock: () => false,
    close: async () => {},
  };
}

/** libsql says `null` where there is no row, and adds the time it took where there is one. */
function firstRow(row: unknown): unknown {
  if (row) delete (row as { _metadata?: unknown })._metadata;
  return row ?? undefined;
}
