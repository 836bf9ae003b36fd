import { hash } from 'node:crypto';
import type { Knex } from 'knex';
import { createGatherer } from './postgres-gather.ts';
import { createListener } from './postgres-listener.ts';
import { codeOf, writes, type Compiled, type Connection, type Driver, type Want } from './driver.ts';
import type { Value } from './database.ts';

interface PgResult {
  readonly command: string;
  readonly rows: unknown[];
  readonly rowCount: number | null;
}
interface PgConnection {
  query(config: { name?: string; text: string; values?: readonly Value[]; types?: typeof TYPES }): Promise<PgResult>;
}

/**
 * How answers are read, given with each query: a host's own `pg.types` are neither used nor changed.
 * Integers and numerics become numbers, bytea bytes, booleans booleans; everything else stays text.
 */
const TYPES = {
  getTypeParser(oid: number): (text: string) => unknown {
    switch (oid) {
      case 20: // int8
      case 21: // int2
      case 23: // int4
      case 26: // oid
      case 700: // float4
      case 701: // float8
      case 1700: // numeric
        return Number;
      case 16: // bool
        return (text) => text === 't';
      case 17: // bytea
        return (text) => Buffer.from(text.slice(2), 'hex');
      default:
        return String;
    }
  },
};

/** PostgreSQL, by pg: statements are named, so each connection prepares them once. */
export function createPostgresDriver(knex: Knex): Driver {
  const names = new Map<string, string>();
  const listener = createListener(knex);

  const acquire = async () => (await knex.client.acquireConnection()) as PgConnection;
  const release = (connection: PgConnection) => void knex.client.releaseConnection(connection);

  function nameOf(sql: string): string {
    let name = names.get(sql);
    // By its text, since two instances of Tandem may share a connection.
    if (!name) names.set(sql, (name = `tandem_${hash('sha256', sql, 'base64url').slice(0, 22)}`));
    return name;
  }

  async function query(held: Connection, statement: Compiled, values: readonly Value[], want: Want): Promise<unknown> {
    const answer = await (held as PgConnection).query({ name: nameOf(statement.sql), text: statement.sql, values, types: TYPES });
    if (want === 'all') return answer.rows;
    return want === 'get' ? answer.rows[0] : (answer.rowCount ?? 0);
  }

  async function alone(statement: Compiled, values: readonly Value[], want: Want): Promise<unknown> {
    const connection = await acquire();
    try {
      return await query(connection, statement, values, want);
    } finally {
      release(connection);
    }
  }
  const gathered = createGatherer(alone);

  return {
    dialect: 'postgres',
    compile: (sql, gather) => ({ sql: numbered(sql), writes: writes(sql), gather }),
    query,
    autocommit: (statement, values, want) => (statement.gather ? gathered(statement, values) : alone(statement, values, want)),
    async begin() {
      const connection = await acquire();
      try {
        await connection.query({ text: 'BEGIN' });
        return connection;
      } catch (error) {
        release(connection);
        throw error;
      }
    },
    async commit(connection) {
      const { command } = await (connection as PgConnection).query({ text: 'COMMIT' });
      // PostgreSQL answers so, without an error, when a statement failed and its caller carried on.
      if (command === 'ROLLBACK') throw new Error('nothing was committed: a statement of the transaction had failed');
      release(connection as PgConnection);
    },
    async rollback(connection) {
      await (connection as PgConnection).query({ text: 'ROLLBACK' }).catch(() => {});
      release(connection as PgConnection);
    },
    async publish(connection, topic, payload) {
      await listener.publish(connection, topic, payload);
    },
    subscribe: (topic, handler, missed) => listener.subscribe(topic, handler, missed),
    isUniqueViolation: (error) => codeOf(error) === '23505',
    isDeadlock: (error) => codeOf(error) === '40P01' || codeOf(error) === '40001',
    close: () => listener.close(),
  };
}

/** Numbers the places of values, as PostgreSQL wants them, leaving quoted text alone. */
function numbered(sql: string): string {
  let place = 0;
  return sql.replace(/'(?:[^']|'')*'|"[^"]*"|\?/g, (found) => (found === '?' ? `$${++place}` : found));
}
