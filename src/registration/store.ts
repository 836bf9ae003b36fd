import type { Database, Transaction } from '../context.ts';
import type { RegistrationPolicy } from './types.ts';

/** A token as it is kept: by its hash. Times in milliseconds since the epoch. */
export interface TokenRecord {
  readonly id: string;
  readonly label: string;
  readonly policy: RegistrationPolicy;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly usedAt: number | undefined;
  readonly revokedAt: number | undefined;
  readonly clientId: string | undefined;
}

interface Row {
  readonly id: string;
  readonly label: string;
  readonly policy: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly used_at: number | null;
  readonly revoked_at: number | null;
  readonly client_id: string | null;
}

/** Where a page ends: the newest come first. */
export interface Position {
  readonly createdAt: number;
  readonly id: string;
}

const SELECT = 'select id, label, policy, created_at, expires_at, used_at, revoked_at, client_id from tandem_registration_tokens';

export type TokenStore = ReturnType<typeof createTokenStore>;

export function createTokenStore(db: Database) {
  const insert = db.statement('insert into tandem_registration_tokens (id, token_hash, label, policy, created_at, expires_at) values (?, ?, ?, ?, ?, ?)');
  const byHash = db.statement<Row>(`${SELECT} where token_hash = ?`);
  const byClient = db.statement<Row>(`${SELECT} where client_id = ?`);
  // SQLite has one writer at a time, and so nothing to lock.
  const lock = db.statement<Row>({ sqlite: `${SELECT} where id = ?`, postgres: `${SELECT} where id = ? for update`, mysql: `${SELECT} where id = ? for update` });
  const page = db.statement<Row>(`${SELECT} where created_at < ? or (created_at = ? and id > ?) order by created_at desc, id limit ?`);
  const use = db.statement(
    'update tandem_registration_tokens set used_at = ?, client_id = ? where id = ? and used_at is null and revoked_at is null and expires_at > ?',
  );
  const revoke = db.statement('update tandem_registration_tokens set revoked_at = ? where id = ?');
  const prune = db.statement('delete from tandem_registration_tokens where expires_at <= ? and used_at is null');

  return {
    async insert({ id, label, policy, createdAt, expiresAt }: TokenRecord, tokenHash: string, tx: Transaction): Promise<void> {
      await insert.run([id, tokenHash, label, JSON.stringify(policy), createdAt, expiresAt], tx);
    },
    async findByHash(tokenHash: string): Promise<TokenRecord | undefined> {
      return mapRow(await byHash.get([tokenHash]));
    },
    /** The one that a client registered with. */
    async findByClient(clientId: string): Promise<TokenRecord | undefined> {
      return mapRow(await byClient.get([clientId]));
    },
    /** Nobody else can use or revoke it until `tx` ends. */
    async lock(id: string, tx: Transaction): Promise<TokenRecord | undefined> {
      return mapRow(await lock.get([id], tx));
    },
    async list(limit: number, after: Position | undefined): Promise<TokenRecord[]> {
      const { createdAt, id } = after ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' };
      return (await page.all([createdAt, createdAt, id, limit])).map((row) => mapRow(row)!);
    },
    /** Of any number who try, one is told true. */
    async use(id: string, clientId: string, at: number, tx: Transaction): Promise<boolean> {
      return (await use.run([at, clientId, id, at], tx)) === 1;
    },
    async revoke(id: string, at: number, tx: Transaction): Promise<void> {
      await revoke.run([at, id], tx);
    },
    /** Forgets what expired before `expiredBy` without having been used. */
    async prune(expiredBy: number): Promise<number> {
      return prune.run([expiredBy]);
    },
  };
}

function mapRow(row: Row): TokenRecord;
function mapRow(row: Row | undefined): TokenRecord | undefined;
function mapRow(row: Row | undefined): TokenRecord | undefined {
  return (
    row && {
      id: row.id,
      label: row.label,
      policy: JSON.parse(row.policy) as RegistrationPolicy,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      usedAt: row.used_at ?? undefined,
      revokedAt: row.revoked_at ?? undefined,
      clientId: row.client_id ?? undefined,
    }
  );
}
