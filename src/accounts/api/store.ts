import type { Database, Transaction } from '../../context.ts';

/** A request that made an account, as it is kept to answer the same one alike. */
export interface AccountRequest {
  readonly clientId: string;
  /** SHA-256 of its idempotency key, base64url. */
  readonly keyHash: string;
  /** SHA-256 of what it asked for, base64url. */
  readonly bodyHash: string;
  readonly accountId: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

interface Row {
  body_hash: string;
  account_id: string;
  expires_at: number;
}

export function createAccountRequestStore(db: Database) {
  const find = db.statement<Row>('select body_hash, account_id, expires_at from tandem_account_requests where client_id = ? and key_hash = ?');
  const insert = db.statement('insert into tandem_account_requests (client_id, key_hash, body_hash, account_id, expires_at) values (?, ?, ?, ?, ?)');
  const forget = db.statement('delete from tandem_account_requests where client_id = ? and key_hash = ? and expires_at <= ?');

  return {
    async find(clientId: string, keyHash: string): Promise<AccountRequest | undefined> {
      const row = await find.get([clientId, keyHash]);
      return row && { clientId, keyHash, bodyHash: row.body_hash, accountId: row.account_id, expiresAt: row.expires_at };
    },
    /** Throws a unique violation where the client has used the key. */
    async insert({ clientId, keyHash, bodyHash, accountId, expiresAt }: AccountRequest, tx: Transaction): Promise<void> {
      await insert.run([clientId, keyHash, bodyHash, accountId, expiresAt], tx);
    },
    /** Forgets a key that ran out before `now`. */
    async forget(clientId: string, keyHash: string, now: number): Promise<void> {
      await forget.run([clientId, keyHash, now]);
    },
  };
}
