import type { Database, Transaction, Value } from '../lib/database/database.ts';

/** One thing that happened. */
export interface AuditEvent {
  /** Grows with time; unique. */
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly name: string;
  readonly accountId?: string;
  readonly clientId?: string;
  readonly deviceId?: string;
  readonly transactionId?: string;
  readonly address?: string;
  /** What else the event carried. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface AuditQuery {
  readonly accountId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly transactionId?: string | undefined;
  /** A whole name, or the beginning of names: `qr.claimed`, `qr.*`. */
  readonly name?: string | undefined;
  /** From this instant on, in milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Before this instant, in milliseconds since the epoch. */
  readonly until?: number | undefined;
}

export interface AuditStore {
  insert(tx: Transaction, event: Omit<AuditEvent, 'id'>): Promise<void>;
  /** The newest first, from before the event with id `before` where it is given. */
  list(query: AuditQuery, limit: number, before?: number): Promise<AuditEvent[]>;
}

interface Row {
  readonly id: number;
  readonly at: number;
  readonly name: string;
  readonly account_id: string | null;
  readonly client_id: string | null;
  readonly device_id: string | null;
  readonly transaction_id: string | null;
  readonly address: string | null;
  readonly data: string;
}

const COLUMNS = 'id, at, name, account_id, client_id, device_id, transaction_id, address, data';

export function createAuditStore(db: Database): AuditStore {
  const insert = db.statement(
    'INSERT INTO tandem_events (at, name, account_id, client_id, device_id, transaction_id, address, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const list = (conditions: readonly string[]) => {
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    return db.statement<Row>(`SELECT ${COLUMNS} FROM tandem_events ${where} ORDER BY id DESC LIMIT ?`);
  };
  /** One statement for each set of conditions that was asked for. */
  const lists = new Map<string, ReturnType<typeof list>>();

  return {
    async insert(tx, { at, name, accountId, clientId, deviceId, transactionId, address, data }) {
      const values = [at, name, accountId ?? null, clientId ?? null, deviceId ?? null, transactionId ?? null, address ?? null];
      await insert.run([...values, JSON.stringify(data)], tx);
    },

    async list(query, limit, before) {
      const wanted = conditionsOf(query, before);
      const conditions = wanted.map(([condition]) => condition);
      const key = conditions.join();
      const statement = lists.get(key) ?? list(conditions);
      lists.set(key, statement);
      return (await statement.all([...wanted.map(([, value]) => value), limit])).map(mapRow);
    },
  };
}

function conditionsOf(query: AuditQuery, before: number | undefined): Array<[condition: string, value: Value]> {
  const { accountId, clientId, deviceId, transactionId, name, since, until } = query;
  const prefix = name?.endsWith('*') ? name.slice(0, -1) : undefined;
  const all: Array<[string, Value | undefined]> = [
    ['account_id = ?', accountId],
    ['client_id = ?', clientId],
    ['device_id = ?', deviceId],
    ['transaction_id = ?', transactionId],
    ['name = ?', prefix === undefined ? name : undefined],
    [`name LIKE ? ESCAPE '!'`, prefix === undefined ? undefined : `${prefix.replace(/[!%_]/g, '!$&')}%`],
    ['at >= ?', since],
    ['at < ?', until],
    ['id < ?', before],
  ];
  return all.filter((condition): condition is [string, Value] => condition[1] !== undefined);
}

function mapRow(row: Row): AuditEvent {
  return {
    id: row.id,
    at: row.at,
    name: row.name,
    ...(row.account_id !== null && { accountId: row.account_id }),
    ...(row.client_id !== null && { clientId: row.client_id }),
    ...(row.device_id !== null && { deviceId: row.device_id }),
    ...(row.transaction_id !== null && { transactionId: row.transaction_id }),
    ...(row.address !== null && { address: row.address }),
    data: JSON.parse(row.data) as Record<string, unknown>,
  };
}
