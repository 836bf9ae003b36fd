import { migrations } from '../../migrations/index.ts';
import type { Context, Transaction } from '../../src/context.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import { createEvents } from '../../src/lib/events.ts';
import type { TandemEvent } from '../../src/lib/events.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import { createLimits } from '../../src/lib/limits.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createRecoveryService } from '../../src/recovery/service.ts';
import type { HeldFactors } from '../../src/recovery/service.ts';
import type { TestDatabase } from '../support/databases.ts';

export const CHEAP = { memoryCost: 64, timeCost: 1, parallelism: 1 };

/** Recovery codes alone, on a real database, of accounts whose factors are what the test says. */
export async function startRecovery(database: Pick<TestDatabase, 'url'>) {
  const url = await database.url();
  const time = { now: Date.UTC(2030, 0, 1) };
  const clock = () => time.now;
  const emitted: TandemEvent[] = [];
  const ended: string[] = [];
  const factors = new Set<string>();
  const unproven = new Set<string>();
  const opened: Array<() => Promise<void>> = [];

  const held: HeldFactors = {
    any: async (accountId) => factors.has(accountId),
    authenticators: async (accountId) => factors.has(accountId),
    names: async () => ({ phones: [], authenticators: [] }),
    lostUnproven: async (accountId) => unproven.has(accountId),
    async endPhones(tx, accountId, reason) {
      tx.afterCommit(() => ended.push(`phones of ${accountId}: ${reason}`));
      factors.delete(accountId);
      return 1;
    },
    async endAuthenticators(tx, accountId, reason) {
      tx.afterCommit(() => ended.push(`authenticators of ${accountId}: ${reason}`));
      return 1;
    },
    async proven(_tx, accountId) {
      unproven.delete(accountId);
    },
  };

  /** A process: all that it shares with the others is the database. */
  function join() {
    const knex = openDatabase(url);
    const db = createDatabase(knex);
    opened.push(async () => {
      await db.close();
      await knex.destroy();
    });
    const events = createEvents({ clock, log: silentLog });
    events.subscribe(async (tx, event) => tx.afterCommit(() => emitted.push(event)));
    const context: Context = { issuer: 'https://id.example.com', db, clock, log: silentLog, keyRing: createKeyRing([newEncryptionKey()]), limits: createLimits({ db, clock }), events };
    return { knex, db, events, recovery: createRecoveryService(context, { held, hashing: CHEAP }) };
  }
  const { knex, db, events, recovery } = join();
  await migrate(knex, migrations);

  return {
    knex,
    recovery,
    join: () => join().recovery,
    emitted,
    ended,
    factors,
    unproven,
    advance(ms: number) {
      time.now += ms;
    },
    /** As another room would tell of a factor that has gone. */
    gone: (accountId: string, { proven, reason = 'lost' }: { proven?: boolean; reason?: 'lost' | 'unconfirmed' } = {}) =>
      db.transaction((tx: Transaction) => {
        factors.delete(accountId);
        return events.emit(tx, 'device.revoked', { deviceId: 'd', accountId, reason, by: 'account', ...(proven !== undefined && { proven }) });
      }),
    async close() {
      for (const end of opened.splice(0)) await end();
    },
  };
}
