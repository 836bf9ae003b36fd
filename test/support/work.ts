import { createHook } from 'node:async_hooks';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { Knex } from 'knex';
import type { TestDatabase } from './databases.ts';

/** Counts the Argon2 hashes from now on, until it is asked how many; the library's tasks, in other threads, have no name. */
export function countHashes(): () => number {
  let count = 0;
  const hook = createHook({ init: (_, type) => void (count += type === 'undefined' ? 1 : 0) }).enable();
  return () => (hook.disable(), count);
}

/** How many HMACs `work` computes: two for each authenticator whose codes of two steps are compared with what was typed. */
export async function countHmacs(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const { createHmac } = crypto;
  crypto.createHmac = (...of) => ((count += 1), createHmac(...of));
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    crypto.createHmac = createHmac;
    syncBuiltinESMExports();
  }
  return count;
}

interface Connection {
  prepare(sql: string): Record<'all' | 'get' | 'run', (...values: unknown[]) => unknown>;
}

/**
 * A SQLite database that tells which statements it runs; beginnings and ends of transactions are none.
 *
 * @returns what a server is started on, and `during`: the texts of the statements that `work` has run
 */
export function watchStatements(database: Pick<TestDatabase, 'open'>) {
  const watched = new WeakSet<Connection>();
  let heard: string[] | undefined;

  function watch(connection: Connection): Connection {
    if (watched.has(connection)) return connection;
    watched.add(connection);
    const prepare = connection.prepare.bind(connection);
    connection.prepare = (sql) => {
      const statement = prepare(sql);
      for (const how of ['all', 'get', 'run'] as const) {
        const execute = statement[how].bind(statement);
        statement[how] = (...values) => {
          if (!/^(begin|commit|rollback)\b/i.test(sql)) heard?.push(sql.replace(/\s+/g, ' '));
          return execute(...values);
        };
      }
      return statement;
    };
    return connection;
  }

  return {
    async open(): Promise<Knex> {
      const knex = await database.open();
      const client = knex.client as { acquireConnection(): Promise<Connection> };
      const acquire = client.acquireConnection.bind(client);
      client.acquireConnection = async () => watch(await acquire());
      return knex;
    },
    async during(work: () => Promise<unknown>): Promise<string[]> {
      const statements: string[] = (heard = []);
      await work();
      heard = undefined;
      return statements;
    },
  };
}
