import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/lib/database/open.ts';
import { startPostgres } from '../support/postgres-server.ts';

export type DatabaseName = 'sqlite' | 'postgres';

export interface Databases {
  readonly names: readonly DatabaseName[];
  /** The URL of a fresh, empty database. */
  create(name: DatabaseName): Promise<string>;
  close(): Promise<void>;
}

/** Prepares the databases that the rows run on; a PostgreSQL server of the bench's own writes as durably as any other. */
export async function openDatabases(names: readonly DatabaseName[]): Promise<Databases> {
  for (const name of names) if (name !== 'sqlite' && name !== 'postgres') throw new Error(`no database is called ${String(name)}`);
  const folder = await mkdtemp(join(tmpdir(), 'tandem-bench-'));
  const given = process.env['TEST_POSTGRES_URL'];
  let own: Promise<{ url: string; stop(): Promise<void> }> | undefined;
  const made: Array<{ server: string; name: string }> = [];

  async function postgres(): Promise<string> {
    if (given) return given;
    own ??= startPostgres(['-c', 'max_connections=300']);
    return (await own).url;
  }

  async function on(server: string, sql: string, name: string) {
    const knex = openDatabase(server);
    await knex.raw(sql, [name]).finally(() => knex.destroy());
  }

  return {
    names,
    async create(kind) {
      const name = `tandem_bench_${randomBytes(6).toString('hex')}`;
      if (kind === 'sqlite') return `sqlite:${join(folder, `${name}.sqlite`)}`;
      const server = await postgres();
      await on(server, 'CREATE DATABASE ??', name);
      made.push({ server, name });
      return Object.assign(new URL(server), { pathname: `/${name}` }).href;
    },
    async close() {
      for (const { server, name } of made) await on(server, 'DROP DATABASE IF EXISTS ?? WITH (FORCE)', name).catch(() => undefined);
      await (await own)?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
