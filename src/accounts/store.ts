import type { Database, Transaction } from '../context.ts';

/** A person's account. */
export interface Account {
  readonly id: string;
  readonly email: string;
  readonly name: string | undefined;
  /** Epoch milliseconds, like the other times. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly passwordChangedAt: number;
}

/** With what proves the password; stays in this room. */
export interface AccountRecord extends Account {
  /** Undefined where the account has no password, as one that a client made for its person. */
  readonly passwordHash: string | undefined;
  /** The language in which the account was made, as a BCP 47 tag. */
  readonly locale: string | undefined;
}

interface Row {
  id: string;
  email: string;
  /** Empty where there is no password: nothing hashes to that. */
  password_hash: string;
  name: string | null;
  created_at: number;
  updated_at: number;
  password_changed_at: number;
  locale: string | null;
}

const COLUMNS = 'id, email, password_hash, name, created_at, updated_at, password_changed_at, locale';

const mapRow = (row: Row): AccountRecord => ({
  id: row.id,
  email: row.email,
  name: row.name ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  passwordChangedAt: row.password_changed_at,
  passwordHash: row.password_hash || undefined,
  locale: row.locale ?? undefined,
});

export function createAccountStore(db: Database) {
  const insert = db.statement(
    `INSERT INTO tandem_accounts (email_key, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const byId = db.statement<Row>(`SELECT ${COLUMNS} FROM tandem_accounts WHERE id = ?`);
  const byKey = db.statement<Row>(`SELECT ${COLUMNS} FROM tandem_accounts WHERE email_key = ?`);
  const setName = db.statement('UPDATE tandem_accounts SET name = ?, updated_at = ? WHERE id = ?');
  const setPassword = db.statement(
    'UPDATE tandem_accounts SET password_hash = ?, password_changed_at = ? WHERE id = ? AND password_hash = ?',
  );
  const setHash = db.statement('UPDATE tandem_accounts SET password_hash = ? WHERE id = ? AND password_hash = ?');

  return {
    /** Throws a unique violation where another account has the key. */
    async insert(record: AccountRecord, emailKey: string, tx: Transaction): Promise<void> {
      const { id, email, passwordHash, name, createdAt, updatedAt, passwordChangedAt, locale } = record;
      await insert.run([emailKey, id, email, passwordHash ?? '', name ?? null, createdAt, updatedAt, passwordChangedAt, locale ?? null], tx);
    },
    async find(id: string, tx?: Transaction): Promise<AccountRecord | undefined> {
      const row = await byId.get([id], tx);
      return row && mapRow(row);
    },
    async findByEmail(emailKey: string): Promise<AccountRecord | undefined> {
      const row = await byKey.get([emailKey]);
      return row && mapRow(row);
    },
    async rename(id: string, name: string | undefined, at: number, tx: Transaction): Promise<boolean> {
      return (await setName.run([name ?? null, at, id], tx)) === 1;
    },
    /** False where the password has changed since `previousHash` was read, or has been set since there was none. */
    async changePassword(id: string, hash: string, previousHash: string | undefined, at: number, tx: Transaction): Promise<boolean> {
      return (await setPassword.run([hash, at, id, previousHash ?? ''], tx)) === 1;
    },
    /** The same password under newer parameters; nothing where it has changed meanwhile. */
    async rehash(id: string, hash: string, previousHash: string): Promise<void> {
      await setHash.run([hash, id, previousHash]);
    },
  };
}
