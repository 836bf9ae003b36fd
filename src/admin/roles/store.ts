import type { Database, Transaction } from '../../context.ts';

/** Who the administrators are. */
export function createRoleStore(db: Database) {
  const find = db.statement<{ exempt: number }>(`select exempt from tandem_roles where role = 'admin' and account_id = ?`);
  const columns = `(role, account_id, exempt, created_at) values ('admin', ?, ?, ?)`;
  const insert = db.statement({
    sqlite: `insert into tandem_roles ${columns} on conflict do nothing`,
    postgres: `insert into tandem_roles ${columns} on conflict do nothing`,
    mysql: `insert ignore into tandem_roles ${columns}`,
  });
  const remove = db.statement(`delete from tandem_roles where role = 'admin' and account_id = ?`);
  const all = `select account_id from tandem_roles where role = 'admin' order by account_id`;
  // SQLite has one writer at a time, and so nothing to lock.
  const locked = db.statement<{ account_id: string }>({ sqlite: all, postgres: `${all} for update`, mysql: `${all} for update` });
  const use = db.statement(`update tandem_roles set exempt = 0 where role = 'admin' and account_id = ? and exempt = 1`);

  return {
    async has(accountId: string, tx?: Transaction): Promise<boolean> {
      return (await find.get([accountId], tx)) !== undefined;
    },

    /** False where the account has the role already. */
    async grant(accountId: string, exempt: boolean, at: number, tx: Transaction): Promise<boolean> {
      return (await insert.run([accountId, exempt ? 1 : 0, at], tx)) === 1;
    },

    /** False where the account has not the role. */
    async revoke(accountId: string, tx: Transaction): Promise<boolean> {
      return (await remove.run([accountId], tx)) === 1;
    },

    /** The accounts with the role; nobody else can take it from one of them until `tx` ends. */
    async lockAll(tx: Transaction): Promise<string[]> {
      return (await locked.all([], tx)).map((row) => row.account_id);
    },

    /** Uses up what spares the account's first phone its time of trial; false where there is nothing to use. */
    async useExemption(accountId: string, tx: Transaction): Promise<boolean> {
      return (await use.run([accountId], tx)) === 1;
    },
  };
}
