import type { Knex } from 'knex';
import { codeOf, writes, type Compiled, type Connection, type Driver, type Want } from './driver.ts';
import type { Value } from './database.ts';

interface MysqlConnection {
  execute(sql: string, values: readonly Value[], done: (error: Error | null, answer: unknown) => void): void;
  query(sql: string, done: (error: Error | null) => void): void;
}

/** MariaDB and MySQL, by mysql2: prepared on first use and kept prepared by each connection. */
export function createMysqlDriver(knex: Knex): Driver {
  const acquire = async () => (await knex.client.acquireConnection()) as MysqlConnection;
  const release = (connection: MysqlConnection) => void knex.client.releaseConnection(connection);

  function command(connection: MysqlConnection, sql: string): Promise<void> {
    return new Promise((resolve, reject) => {
      connection.query(sql, (error) => (error ? reject(error) : resolve()));
    });
  }

  function query(held: Connection, statement: Compiled, values: readonly Value[], want: Want): Promise<unknown> {
    return new Promise((resolve, reject) => {
      (held as MysqlConnection).execute(statement.sql, values.map(toMysql), (error, answer) => {
        if (error) return reject(error);
        if (want === 'run') return resolve((answer as { affectedRows: number }).affectedRows);
        resolve(want === 'all' ? answer : (answer as unknown[])[0]);
      });
    });
  }

  return {
    dialect: 'mysql',
    compile: (sql) => ({ sql, writes: writes(sql) }),
    query,
    async autocommit(statement, values, want) {
      for (let attempt = 1; ; attempt += 1) {
        const connection = await acquire();
        try {
          return await query(connection, statement, values, want);
        } catch (error) {
          if (!isDeadlock(error) || attempt === 10) throw error;
        } finally {
          release(connection);
        }
      }
    },
    async begin() {
      const connection = await acquire();
      try {
        // As PostgreSQL has it; without it InnoDB locks the gaps between rows too, and neighbours deadlock.
        await command(connection, 'SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
        await command(connection, 'START TRANSACTION');
        return connection;
      } catch (error) {
        release(connection);
        throw error;
      }
    },
    async commit(connection) {
      await command(connection as MysqlConnection, 'COMMIT');
      release(connection as MysqlConnection);
    },
    async rollback(connection) {
      await command(connection as MysqlConnection, 'ROLLBACK').catch(() => {});
      release(connection as MysqlConnection);
    },
    publish: async () => {},
    subscribe: async () => ({ live: false, close: async () => {} }),
    isUniqueViolation: (error) => codeOf(error) === 'ER_DUP_ENTRY',
    isDeadlock,
    close: async () => {},
  };
}

function isDeadlock(error: unknown): boolean {
  return codeOf(error) === 'ER_LOCK_DEADLOCK';
}

/** mysql2 sends a number as a double, which LIMIT refuses; as text it is converted to what the column needs. */
function toMysql(value: Value): Value {
  return typeof value === 'number' ? String(value) : value;
}
