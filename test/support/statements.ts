import type { TestDatabase } from './databases.ts';

/** A database of which each statement is counted that runs on it. */
export async function countStatements(database: Pick<TestDatabase, 'open'>) {
  let ran: string[] | undefined;
  return {
    async open() {
      const knex = await database.open();
      const connection = (await knex.client.acquireConnection()) as { prepare(sql: string): Record<'all' | 'get' | 'run', (...values: unknown[]) => unknown> };
      const prepare = connection.prepare.bind(connection);
      connection.prepare = (sql) => {
        const statement = prepare(sql);
        const counted = (how: 'all' | 'get' | 'run') => (...values: unknown[]) => {
          ran?.push(sql.trim().split(/\s+/).join(' '));
          return statement[how](...values);
        };
        return Object.assign(Object.create(statement) as typeof statement, { all: counted('all'), get: counted('get'), run: counted('run') });
      };
      await knex.client.releaseConnection(connection);
      return knex;
    },
    record() {
      const list: string[] = (ran = []);
      return () => ((ran = undefined), list);
    },
  };
}
