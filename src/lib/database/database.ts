import type { Knex } from 'knex';

export type Dialect = 'sqlite' | 'postgres' | 'mysql';
/** What a statement may be given: booleans are stored as 0 and 1, times as milliseconds, JSON as text. */
export type Value = string | number | null | Uint8Array;

/** One open database transaction, passed explicitly to every statement that belongs to it. */
export interface Transaction {
  /** Runs `work` once the transaction has committed; never after a rollback. */
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

export interface Database {
  readonly dialect: Dialect;
  /** For schema, migrations, and queries that are not hot. */
  readonly knex: Knex;
  /** Builds a statement: one text for all dialects, or one per dialect where they differ. */
  statement<Row = Record<string, unknown>>(sql: string | Readonly<Record<Dialect, string>>): Statement<Row>;
  /** Runs `work` in one transaction: commits when it resolves, rolls back when it rejects. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Tells other processes something after `tx` commits, where the database can (PostgreSQL). */
  publish(topic: string, payload: string, tx: Transaction): Promise<void>;
  /** Hears what other processes published; on databases that cannot, `live` is false and nothing arrives. */
  subscribe(topic: string, handler: (payload: string) => void): Promise<{ live: boolean; close(): Promise<void> }>;
  /** True when `error` is a broken unique constraint. */
  isUniqueViolation(error: unknown): boolean;
  /** Closes what this object opened; a knex instance that a host handed in stays open. */
  close(): Promise<void>;
}
