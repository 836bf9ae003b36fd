import { AsyncLocalStorage } from 'node:async_hooks';
import type { Knex } from 'knex';
import { AppError } from '../../errors.ts';
import { checkPool, dialectOf } from './dialect.ts';
import type { Connection, Driver, Want } from './driver.ts';
import { createMysqlDriver } from './mysql.ts';
import { createPostgresDriver } from './postgres.ts';
import { createSqliteDriver } from './sqlite.ts';

export type Dialect = 'sqlite' | 'postgres' | 'mysql';
/** What a statement may be given: booleans are stored as 0 and 1, times as milliseconds, JSON as text. */
export type Value = string | number | null | Uint8Array;

/** One open database transaction, passed explicitly to every statement that belongs to it. */
export interface Transaction {
  /** Runs `work` once the transaction has committed; never after a rollback. What it throws is a warning of the process. */
  afterCommit(work: () => void): void;
}

/** A statement built once and run prepared, on each connection. `?` marks a value. */
export interface Statement<Row> {
  /** All rows. Big integers arrive as numbers. */
  all(values: readonly Value[], tx?: Transaction): Promise<Row[]>;
  /** The first row. */
  get(values: readonly Value[], tx?: Transaction): Promise<Row | undefined>;
  /** Runs it; returns how many rows it changed. */
  run(values: readonly Value[], tx?: Transaction): Promise<number>;
}

/**
 * What runs of one statement in one tick of the event loop have in common, so that the database may be asked once for all of them:
 *
 * - `rows`: `INSERT … VALUES (?, …) ON CONFLICT … DO UPDATE …`, a key first, which writes one row each time and may be repeated; only `run`
 * - `keys`: `SELECT key, … WHERE key = ?`, the key unique and text; only `get`
 */
export type Gather = 'rows' | 'keys';

export interface Database {
  readonly dialect: Dialect;
  /** For schema, migrations, and queries that are not hot. */
  readonly knex: Knex;
  /** Builds a statement: one text for all dialects, or one per dialect where they differ. */
  statement<Row = Record<string, unknown>>(sql: string | Readonly<Record<Dialect, string>>, options?: { gather?: Gather }): Statement<Row>;
  /**
   * Runs `work` in one transaction: commits when it resolves, rolls back when it rejects.
   *
   * `work` changes nothing but the database, because it runs again when the database sacrificed it to end a deadlock. A statement
   * inside it without its `tx` is a mistake, and throws: on SQLite it would wait for ever.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Tells other processes something after `tx` commits, where the database can (PostgreSQL). */
  publish(topic: string, payload: string, tx: Transaction): Promise<void>;
  /**
   * Hears what any process published, this one too; on databases that cannot, `live` is false and nothing arrives.
   *
   * @param missed called after a broken connection was made again: something may have been published meanwhile
   */
  subscribe(
    topic: string,
    handler: (payload: string) => void,
    missed?: () => void,
  ): Promise<{ live: boolean; close(): Promise<void> }>;
  /** True when `error` is a broken unique constraint. */
  isUniqueViolation(error: unknown): boolean;
  /** Closes what this object opened; a knex instance that a host handed in stays open. */
  close(): Promise<void>;
}

/** How often a transaction runs that the database keeps sacrificing to others. */
const ATTEMPTS = 5;

interface TransactionState {
  readonly connection: Connection;
  readonly work: Array<() => void>;
  open: boolean;
}

const DRIVERS = { sqlite: createSqliteDriver, postgres: createPostgresDriver, mysql: createMysqlDriver };

/**
 * Makes Tandem's view of a database out of a knex instance, which stays its owner's.
 *
 * @param knex a knex instance with the client better-sqlite3 (pool of one), pg or mysql2
 * @throws Error when Tandem cannot work with it, naming what to change
 *
 * @example
 * const db = createDatabase(openDatabase('sqlite:./data/tandem.sqlite'));
 * const find = db.statement<{ name: string }>('SELECT name FROM tandem_devices WHERE id = ?');
 * await db.transaction(async (tx) => (await find.get([id], tx))?.name);
 */
export function createDatabase(knex: Knex): Database {
  const dialect = dialectOf(knex);
  checkPool(knex, dialect);
  const driver: Driver = DRIVERS[dialect](knex);
  const states = new WeakMap<Transaction, TransactionState>();
  const current = new AsyncLocalStorage<TransactionState | undefined>();
  let running = 0;

  function stateOf(tx: Transaction): TransactionState {
    const state = states.get(tx);
    if (!state?.open) throw new Error('the transaction has ended, or is of another database');
    return state;
  }

  async function attempt<T>(work: (tx: Transaction) => Promise<T>): Promise<{ answer: T; state: TransactionState }> {
    const connection = await driver.begin();
    const state: TransactionState = { connection, work: [], open: true };
    const tx: Transaction = { afterCommit: (later) => void stateOf(tx).work.push(later) };
    states.set(tx, state);
    running += 1;
    try {
      const answer = await current.run(state, work, tx);
      state.open = false;
      await driver.commit(connection);
      return { answer, state };
    } catch (error) {
      state.open = false;
      await driver.rollback(connection);
      throw error;
    } finally {
      running -= 1;
      // Every promise of the process pays for a storage that is on: without a transaction there is nothing to know.
      if (running === 0) current.disable();
    }
  }

  function refuseInside(what: string) {
    if (current.getStore()?.open) throw new Error(`${what} inside a transaction, without its tx`);
  }

  return {
    dialect,
    knex,
    statement<Row>(sql: string | Readonly<Record<Dialect, string>>, { gather }: { gather?: Gather } = {}): Statement<Row> {
      const compiled = driver.compile(typeof sql === 'string' ? sql : sql[dialect], gather);
      const run = async (values: readonly Value[], tx: Transaction | undefined, want: Want): Promise<unknown> => {
        for (const value of values) {
          // PostgreSQL cannot store it; the others would keep what nobody can have meant.
          if (typeof value === 'string' && value.includes('\0')) throw new AppError('invalid_request', 'a value contains a NUL character');
        }
        if (tx) return driver.query(stateOf(tx).connection, compiled, values, want);
        refuseInside('a statement');
        return driver.autocommit(compiled, values, want);
      };
      return {
        all: (values, tx) => run(values, tx, 'all') as Promise<Row[]>,
        get: (values, tx) => run(values, tx, 'get') as Promise<Row | undefined>,
        run: (values, tx) => run(values, tx, 'run') as Promise<number>,
      };
    },
    async transaction(work) {
      refuseInside('a transaction');
      for (let left = ATTEMPTS - 1; ; left -= 1) {
        try {
          const { answer, state } = await attempt(work);
          for (const later of state.work) afterwards(later);
          return answer;
        } catch (error) {
          if (left === 0 || !driver.isDeadlock(error)) throw error;
        }
      }
    },
    publish: (topic, payload, tx) => driver.publish(stateOf(tx).connection, topic, payload),
    subscribe: (topic, handler, missed = () => {}) => driver.subscribe(topic, handler, missed),
    isUniqueViolation: (error) => driver.isUniqueViolation(error),
    close: () => driver.close(),
  };
}

/** What has been committed cannot fail any more. */
function afterwards(work: () => void) {
  try {
    work();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
