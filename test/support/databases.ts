import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { openDatabase } from '../../src/lib/database/open.ts';
import { startPostgres } from './postgres-server.ts';
import { itWhere } from './skip.ts';

/** A kind of database that a suite runs on. */
export interface TestDatabase {
  readonly name: 'sqlite' | 'postgres' | 'mariadb';
  /** A fresh, empty database; destroying the knex instance is enough, what remains is dropped after the suite. */
  open(): Promise<Knex>;
  /** Like {@link TestDatabase.open}, as a URL for other processes. */
  url(): Promise<string>;
}

type Name = TestDatabase['name'];

/** The databases to test on: `DATABASES=sqlite,postgres,mariadb`; SQLite and PostgreSQL unless told otherwise. */
const wanted = (process.env['DATABASES'] ?? 'sqlite,postgres').split(',').map((name) => name.trim()) as Name[];
if (process.env['TEST_MARIADB_URL'] && !process.env['DATABASES']) wanted.push('mariadb');

/**
 * Runs a suite once on each database.
 *
 * @example
 * onEachDatabase('the device store', (database) => {
 *   it('keeps a device', async () => { const knex = await database.open(); … });
 * });
 */
export function onEachDatabase(title: string, suite: (database: TestDatabase) => void): void {
  for (const name of wanted) {
    describe(`${title} on ${name}`, function () {
      if (name === 'mariadb' && !process.env['TEST_MARIADB_URL']) {
        itWhere(false, 'set TEST_MARIADB_URL to run on MariaDB', 'the whole suite', async () => {});
        return;
      }
      this.timeout(60_000);
      const opened: Knex[] = [];
      const dropping: Array<() => Promise<void>> = [];

      async function url(): Promise<string> {
        const made = await create(name);
        dropping.push(made.drop);
        return made.url;
      }
      suite({
        name,
        url,
        async open() {
          const knex = openDatabase(await url());
          opened.push(knex);
          return knex;
        },
      });
      after('drop the databases', async () => {
        await Promise.all(opened.map((knex) => knex.destroy()));
        for (const drop of dropping) await drop();
      });
    });
  }
}

interface Made {
  readonly url: string;
  drop(): Promise<void>;
}

async function create(name: Name): Promise<Made> {
  if (name === 'sqlite') {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-test-'));
    return { url: `sqlite:${join(folder, 'test.sqlite')}`, drop: () => rm(folder, { recursive: true, force: true }) };
  }
  const server = name === 'postgres' ? await postgresServer() : (process.env['TEST_MARIADB_URL'] as string);
  const database = `tandem_test_${randomBytes(6).toString('hex')}`;
  await onServer(server, (knex) => knex.raw('CREATE DATABASE ??', [database]));
  const url = new URL(server);
  url.pathname = `/${database}`;
  return {
    url: url.href,
    drop: () => onServer(server, (knex) => knex.raw(name === 'postgres' ? 'DROP DATABASE IF EXISTS ?? WITH (FORCE)' : 'DROP DATABASE IF EXISTS ??', [database])),
  };
}

async function onServer(url: string, work: (knex: Knex) => Promise<unknown>): Promise<void> {
  const knex = openDatabase(url);
  try {
    await work(knex);
  } finally {
    await knex.destroy();
  }
}

let embedded: Promise<{ url: string; stop(): Promise<void> }> | undefined;

/** A PostgreSQL server: the one of `TEST_POSTGRES_URL`, else one that is started with the first test that needs it. */
async function postgresServer(): Promise<string> {
  const given = process.env['TEST_POSTGRES_URL'];
  if (given) return given;
  // What a test writes may vanish with the machine.
  embedded ??= startPostgres(['-c', 'fsync=off', '-c', 'max_connections=300']);
  return (await embedded).url;
}

after('stop PostgreSQL', async () => {
  // That it did not start has been said by the tests that wanted it.
  await (await embedded?.catch(() => undefined))?.stop();
});
