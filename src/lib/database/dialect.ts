import type { Knex } from 'knex';
import type { Dialect } from './database.ts';

/**
 * Tells which database a knex instance speaks to.
 *
 * @throws Error when Tandem cannot work on it, naming what to change
 */
export function dialectOf(knex: Knex): Dialect {
  const { dialect, driverName } = knex.client as { dialect?: string; driverName?: string };
  switch (driverName) {
    case 'better-sqlite3':
      return 'sqlite';
    case 'pg':
      return 'postgres';
    case 'mysql2':
      return 'mysql';
    default:
      throw new Error(`Tandem works with the knex clients better-sqlite3, pg and mysql2, and this one is ${driverName ?? dialect ?? 'unknown'}`);
  }
}

/** SQLite has one writer, and a connection of its own would not see an open transaction: the pool must be of one. */
export function checkPool(knex: Knex, dialect: Dialect): void {
  const max = (knex.client as { pool?: { max?: number } }).pool?.max;
  if (dialect === 'sqlite' && max !== undefined && max > 1) {
    throw new Error(`Tandem needs a pool of one connection on SQLite: set pool.max to 1 in your knex configuration (it is ${max})`);
  }
}
