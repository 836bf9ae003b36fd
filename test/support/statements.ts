import type { Knex } from 'knex';
import type { TestDatabase } from './databases.ts';

/** A database on SQLite whose statements are counted. */
export async function countStatements(database: Pick<TestDatabase, 'open'>): Promise<{ open(): Promise<Knex>; record(): () => string[] }> {
  const knex = await database.open();
  let ran: string[] = [];
  const client = knex.client as { acquireRawConnection(): Promise<{ prepare(sql: string): object }> };
  const acquire = client.acquireRawConnection.bind(client);
  client.acquireRawConnection = async () => {
    const connection = await acquire();
    const prepare = connection.prepare.bind(connection);
    connection.prepare = (sql) => {
      const statement = prepare(sql) as Record<'all' | 'get' | 'run', (...values: unknown[]) => unknown>;
      for (const kind of ['all', 'get', 'run'] as const) {
        const run = statement[kind].bind(statement);
        statement[kind] = (...values) => (ran.push(sql), run(...values));
      }
      return statement;
    };
    return connection;
  };
  return {
    open: async () => knex,
    /** Counts from now on; returns what ran since. */
    record() {
      ran = [];
      return () => ran;
    },
  };
}
