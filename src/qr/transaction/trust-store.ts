import type { Database, Transaction } from '../../context.ts';

export type TrustStore = ReturnType<typeof createTrustStore>;

/** Keeps of accounts since when a browser must have signed in to be a known one. */
export function createTrustStore({ db, clock }: { db: Database; clock: () => number }) {
  const find = db.statement<{ since: number }>('select since from tandem_browser_trust where account_id = ?');
  const insert = 'insert into tandem_browser_trust (account_id, since) values (?, ?)';
  const upsert = `${insert} on conflict (account_id) do update set since = excluded.since`;
  const write = db.statement({ sqlite: upsert, postgres: upsert, mysql: `${insert} on duplicate key update since = values(since)` });

  return {
    /** No sign-in before now makes a browser known to the account. */
    async end(accountId: string, tx: Transaction): Promise<void> {
      await write.run([accountId, clock()], tx);
    },

    /** Whether a browser on which the account signed in at `at` is still a known one. */
    async holds(accountId: string, at: number): Promise<boolean> {
      const since = (await find.get([accountId]))?.since;
      return since === undefined || at >= since;
    },
  };
}
