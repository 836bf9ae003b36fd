import type { Database, Transaction, Value } from '../../lib/database/database.ts';
import type { AdminAccount } from '../types.ts';

export interface AccountQuery {
  /** Part of an e-mail address or name. */
  readonly search?: string | undefined;
  readonly admin?: boolean | undefined;
}

/** Where a page begins: behind this account. */
export interface Position {
  readonly createdAt: number;
  readonly id: string;
}

interface Row {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly password_changed_at: number;
  readonly has_password: number;
  readonly phones: number;
  readonly authenticators: number;
  readonly since: number | null;
}

/** The accounts of a page, and of these alone what the other tables tell. */
const pageOf = (conditions: readonly string[]) => `select p.*,
    (select count(*) from tandem_devices d where d.account_id = p.id and d.state = 'active') as phones,
    (select count(*) from tandem_authenticators t where t.account_id = p.id and t.activated_at is not null) as authenticators
  from (
    select a.id, a.email, a.name, a.created_at, a.updated_at, a.password_changed_at, r.created_at as since, case when a.password_hash = '' then 0 else 1 end as has_password
    from tandem_accounts a left join tandem_roles r on r.role = 'admin' and r.account_id = a.id
    ${conditions.length ? `where ${conditions.join(' and ')}` : ''} order by a.created_at desc, a.id desc limit ?
  ) p order by p.created_at desc, p.id desc`;

/** Reads lists of accounts beside their roles and factors, a page in one statement; what is changed in them is changed by the rooms that they belong to. */
export function createAccountListStore(db: Database) {
  const statementOf = (conditions: readonly string[]) => db.statement<Row>(pageOf(conditions));
  /** One statement for each set of conditions that was asked for. */
  const statements = new Map<string, ReturnType<typeof statementOf>>();

  // SQLite has one writer at a time, and so nothing to lock.
  const lock = db.statement({
    sqlite: 'select id from tandem_accounts where id = ?',
    postgres: 'select id from tandem_accounts where id = ? for update',
    mysql: 'select id from tandem_accounts where id = ? for update',
  });

  return {
    /** Until `tx` ends, nobody else that asks so goes on with this account. */
    async lock(accountId: string, tx: Transaction): Promise<void> {
      await lock.get([accountId], tx);
    },

    /** The newest first. */
    async list({ search, admin }: AccountQuery, limit: number, after: Position | undefined): Promise<AdminAccount[]> {
      const part = search === undefined || search === '' ? undefined : `%${search.toLowerCase().replace(/[!%_]/g, '!$&')}%`;
      const wanted: Array<[condition: string, values: Value[]] | false> = [
        part !== undefined && [`(a.email_key like ? escape '!' or lower(a.name) like ? escape '!')`, [part, part]],
        admin === true && ['r.created_at is not null', []],
        admin === false && ['r.created_at is null', []],
        after !== undefined && ['(a.created_at < ? or (a.created_at = ? and a.id < ?))', [after.createdAt, after.createdAt, after.id]],
      ];
      const given = wanted.filter((each) => each !== false);
      const conditions = given.map(([condition]) => condition);
      const key = conditions.join();
      const statement = statements.get(key) ?? statementOf(conditions);
      statements.set(key, statement);
      return (await statement.all([...given.flatMap(([, values]) => values), limit])).map(mapRow);
    },
  };
}

function mapRow(row: Row): AdminAccount {
  return {
    id: row.id,
    email: row.email,
    name: row.name ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    passwordChangedAt: row.password_changed_at,
    admin: row.since !== null,
    password: Number(row.has_password) === 1,
    phones: Number(row.phones),
    authenticators: Number(row.authenticators),
  };
}
