import type { Database, Transaction } from '../../context.ts';

/** An account that a client looks after. */
export interface ManagedAccount {
  readonly accountId: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

interface Row {
  account_id: string;
  created_at: number;
}

const FROM = 'from tandem_managed_accounts where';

export function createManagedAccountStore({ db, clock }: { db: Database; clock: () => number }) {
  const row = 'tandem_managed_accounts (client_id, account_id, created_at) values (?, ?, ?)';
  const add = db.statement({
    sqlite: `insert into ${row} on conflict do nothing`,
    postgres: `insert into ${row} on conflict do nothing`,
    mysql: `insert ignore into ${row}`,
  });
  const one = `select account_id, created_at ${FROM} client_id = ? and account_id = ?`;
  const find = db.statement<Row>(one);
  // SQLite has one writer at a time, and so nothing to lock.
  const lock = db.statement<Row>({ sqlite: one, postgres: `${one} for update`, mysql: `${one} for update` });
  const anyone = db.statement<Row>(`select account_id, created_at ${FROM} account_id = ? limit 1`);
  const list = db.statement<Row>(`select account_id, created_at ${FROM} client_id = ? and account_id > ? order by account_id limit ?`);
  const remove = db.statement(`delete ${FROM} client_id = ? and account_id = ?`);
  const removeAll = db.statement(`delete ${FROM} client_id = ?`);

  return {
    /** False where the client looks after the account already. */
    async add(clientId: string, accountId: string, tx: Transaction): Promise<boolean> {
      return (await add.run([clientId, accountId, clock()], tx)) === 1;
    },
    /** Inside `tx` it stays so until that ends. */
    async has(clientId: string, accountId: string, tx?: Transaction): Promise<boolean> {
      return (await (tx ? lock : find).get([clientId, accountId], tx)) !== undefined;
    },
    /** Since when the client looks after the account, in milliseconds since the epoch. */
    async since(clientId: string, accountId: string): Promise<number | undefined> {
      return (await find.get([clientId, accountId]))?.created_at;
    },
    /** Whether any client looks after the account. */
    async any(accountId: string, tx?: Transaction): Promise<boolean> {
      return (await anyone.get([accountId], tx)) !== undefined;
    },
    /** In the order of account ids, from behind `after`. */
    async list(clientId: string, limit: number, after: string): Promise<ManagedAccount[]> {
      return (await list.all([clientId, after, limit])).map((row) => ({ accountId: row.account_id, since: row.created_at }));
    },
    /** False where it did not. */
    async remove(clientId: string, accountId: string, tx: Transaction): Promise<boolean> {
      return (await remove.run([clientId, accountId], tx)) === 1;
    },
    async removeAll(clientId: string, tx: Transaction): Promise<void> {
      await removeAll.run([clientId], tx);
    },
  };
}
