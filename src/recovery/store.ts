import type { Database, Transaction } from '../context.ts';

/** The codes that an account was given together. */
export interface CodeSet {
  /** Base64url; of all its codes. */
  readonly salt: string;
  /** Epoch milliseconds. */
  readonly madeAt: number;
}

/** Whether a new set may take the place of the one that there is. */
export type MayReplace = (old: { readonly madeAt: number | undefined; readonly left: number }) => boolean;

export function createRecoveryStore(db: Database) {
  // Changes nothing where there is a row, but locks it: what follows happens one after the other.
  const ensure = `insert into tandem_recovery_sets (account_id, salt, made_at) values (?, '', 0)`;
  const onConflict = 'on conflict (account_id) do update set account_id = excluded.account_id';
  const claim = db.statement({
    sqlite: `${ensure} ${onConflict}`,
    postgres: `${ensure} ${onConflict}`,
    mysql: `${ensure} on duplicate key update account_id = values(account_id)`,
  });
  const find = db.statement<{ salt: string; made_at: number }>('select salt, made_at from tandem_recovery_sets where account_id = ?');
  // SQLite has one writer at a time, and so nothing to lock.
  const lock = db.statement({
    sqlite: 'select salt from tandem_recovery_sets where account_id = ?',
    postgres: 'select salt from tandem_recovery_sets where account_id = ? for update',
    mysql: 'select salt from tandem_recovery_sets where account_id = ? for update',
  });
  const replace = db.statement('update tandem_recovery_sets set salt = ?, made_at = ? where account_id = ?');
  const removeSet = db.statement('delete from tandem_recovery_sets where account_id = ?');
  const removeCodes = db.statement('delete from tandem_recovery_codes where account_id = ?');
  const insert = db.statement('insert into tandem_recovery_codes (account_id, hash) values (?, ?)');
  const unused = db.statement<{ unused: number | string }>('select count(*) as unused from tandem_recovery_codes where account_id = ? and used_at is null');
  const use = db.statement('update tandem_recovery_codes set used_at = ? where account_id = ? and hash = ? and used_at is null');

  async function left(accountId: string, tx?: Transaction): Promise<number> {
    return Number((await unused.get([accountId], tx))?.unused ?? 0);
  }

  return {
    left,

    async find(accountId: string): Promise<CodeSet | undefined> {
      const row = await find.get([accountId]);
      return row?.salt ? { salt: row.salt, madeAt: row.made_at } : undefined;
    },

    /** Nobody else can replace the account's set until `tx` ends. */
    async lock(accountId: string, tx: Transaction): Promise<void> {
      await lock.get([accountId], tx);
    },

    /** Puts a set of codes in the place of what there was; false, and nothing, where `may` does not allow it. */
    async replace(accountId: string, { salt, madeAt }: CodeSet, hashes: readonly string[], tx: Transaction, may: MayReplace): Promise<boolean> {
      await claim.run([accountId], tx);
      const old = await find.get([accountId], tx);
      if (!may({ madeAt: old?.made_at || undefined, left: await left(accountId, tx) })) return false;
      await replace.run([salt, madeAt, accountId], tx);
      await removeCodes.run([accountId], tx);
      for (const hash of hashes) await insert.run([accountId, hash], tx);
      return true;
    },

    /** False where this is no code of the account, or was used before. */
    async use(accountId: string, hash: string, at: number, tx: Transaction): Promise<boolean> {
      return (await use.run([at, accountId, hash], tx)) === 1;
    },

    /** Returns how many codes had been unused. */
    async remove(accountId: string, tx: Transaction): Promise<number> {
      const count = await left(accountId, tx);
      await removeCodes.run([accountId], tx);
      await removeSet.run([accountId], tx);
      return count;
    },
  };
}
