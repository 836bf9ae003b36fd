import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import knexFactory, { type Knex } from 'knex';
import type { Log } from '../log.ts';
import { isBusy, worn } from './sqlite.ts';

const require = createRequire(import.meta.url);

interface SqliteConnection {
  exec(sql: string): unknown;
}

/**
 * Opens a database by its URL.
 *
 * - `sqlite:./data/tandem.sqlite`, `sqlite:/var/lib/tandem.sqlite`, `sqlite::memory:` — the folder is made where it is missing
 * - `postgres://user:password@host:5432/name` (also `postgresql:`)
 * - `mysql://user:password@host:3306/name` (also `mariadb:`)
 *
 * @param url where the database is
 * @param options `pool`: how many connections a process may open (PostgreSQL and MySQL; default 10). SQLite always has one.
 *   `log`: hears what knex has to say, which goes to the console otherwise.
 * @returns a knex instance; end it with `destroy()`
 * @throws Error when the URL names no database that Tandem knows
 */
export function openDatabase(url: string, { pool = 10, log }: { pool?: number; log?: Log } = {}): Knex {
  const logging = log && { log: knexLog(log) };
  const scheme = /^([a-z]+):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'sqlite') return openSqlite(url.slice('sqlite:'.length), logging);
  if (scheme === 'postgres' || scheme === 'postgresql') {
    return knexFactory({ client: 'pg', connection: { connectionString: url, keepAlive: true }, pool: { min: 0, max: pool }, ...logging });
  }
  if (scheme === 'mysql' || scheme === 'mariadb') {
    return knexFactory({ client: 'mysql2', connection: mysqlConnection(url), pool: { min: 0, max: pool }, ...logging });
  }
  throw new Error('a database URL starts with sqlite:, postgres: or mysql:');
}

function knexLog(log: Log): Knex.Logger {
  const tell = (level: 'warn' | 'debug') => (message: unknown) => log[level]({}, `knex: ${String(message).split('\n', 1)[0]}`);
  // What fails is told by the error that is thrown; knex's word on it is only a hint.
  return { error: tell('warn'), warn: tell('warn'), deprecate: tell('debug'), debug: tell('debug') };
}

function openSqlite(path: string, logging?: Pick<Knex.Config, 'log'>): Knex {
  const filename = path.replace(/^\/\/(?=\/|\.)/, '');
  if (filename === '') throw new Error('sqlite: needs a path, as in sqlite:./data/tandem.sqlite');
  if (filename !== ':memory:') mkdirSync(dirname(filename), { recursive: true });
  const knex = knexFactory({
    client: libsqlClient(),
    connection: { filename },
    useNullAsDefault: true,
    pool: { min: 1, max: 1, idleTimeoutMillis: 2 ** 31 - 1, afterCreate: setUpSqlite },
    ...logging,
  });
  // Libraries that look at a knex instance tell its kind by this name.
  (knex.client as { config: Knex.Config }).config.client = 'better-sqlite3';
  return knex;
}

/** The better-sqlite3 dialect of knex on libsql, which has the same API and brings its binary along. */
function libsqlClient(): typeof Knex.Client {
  const Dialect = require('knex/lib/dialects/better-sqlite3/index.js') as typeof Knex.Client;
  return class LibsqlClient extends Dialect {
    _driver() {
      return require('libsql') as unknown;
    }
    // Typed as a promise, and called without waiting for one.
    override validateConnection(connection: object): never {
      return !worn.has(connection) as never;
    }
  };
}

function setUpSqlite(connection: SqliteConnection, done: (error?: unknown) => void, attempt = 0) {
  try {
    // Short, since libsql waits with the whole process; the driver asks again without blocking.
    connection.exec('PRAGMA busy_timeout = 20');
    connection.exec('PRAGMA journal_mode = WAL');
    connection.exec('PRAGMA synchronous = NORMAL');
    connection.exec('PRAGMA foreign_keys = ON');
    done();
  } catch (error) {
    // Turning on WAL needs the file alone for a moment.
    if (!isBusy(error) || attempt > 500) return done(error);
    setTimeout(setUpSqlite, 10, connection, done, attempt + 1);
  }
}

function mysqlConnection(url: string): Knex.MySql2ConnectionConfig {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  return {
    host: hostname,
    ...(port && { port: Number(port) }),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    charset: 'utf8mb4',
    ...(searchParams.get('ssl') === 'true' && { ssl: {} }),
  };
}
