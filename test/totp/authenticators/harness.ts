import { migrations } from '../../../migrations/index.ts';
import type { Context } from '../../../src/context.ts';
import { AppError } from '../../../src/errors.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { createDatabase } from '../../../src/lib/database/database.ts';
import { migrate } from '../../../src/lib/database/migrate.ts';
import { openDatabase } from '../../../src/lib/database/open.ts';
import { createEvents } from '../../../src/lib/events.ts';
import type { TandemEvent } from '../../../src/lib/events.ts';
import { createKeyRing, newEncryptionKey } from '../../../src/lib/key-ring.ts';
import { createLimits } from '../../../src/lib/limits.ts';
import { createAuthenticators } from '../../../src/totp/authenticators/authenticators.ts';
import type { AuthenticatorsRooms } from '../../../src/totp/authenticators/authenticators.ts';
import type { TestDatabase } from '../../support/databases.ts';
import { codeOf } from '../../support/otp.ts';

/** Milliseconds for which a code is shown. */
export const STEP = 30_000;

export type TotpHarness = Awaited<ReturnType<typeof startTotp>>;

/** The authenticators alone, on a real database, of a host with accounts of its own. The time stands still but where a test moves it. */
export async function startTotp(database: Pick<TestDatabase, 'url'>, rooms: Partial<AuthenticatorsRooms> = {}) {
  const url = await database.url();
  // In the middle of a step.
  const time = { now: Date.UTC(2030, 0, 1, 12) + STEP / 2 };
  const clock = () => time.now;
  const keyRing = createKeyRing([newEncryptionKey()]);
  const logged: object[] = [];
  const emitted: TandemEvent[] = [];
  const opened: Array<() => Promise<void>> = [];
  const parameters = rooms.algorithm ? { algorithm: rooms.algorithm } : {};
  let failing: string | undefined;

  /** A process: all that it shares with the others is the database. */
  function join() {
    const knex = openDatabase(url);
    const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void logged.push(fields) };
    const db = createDatabase(knex);
    opened.push(async () => {
      await db.close();
      await knex.destroy();
    });
    const events = createEvents({ clock, log });
    events.subscribe(async (tx, event) => {
      tx.afterCommit(() => emitted.push(event));
      if (event.name === failing) throw new Error('a room failed');
    });
    const context: Context = { issuer: 'https://id.example.com', db, clock, log, keyRing, limits: createLimits({ db, clock }), events };
    const label = async (accountId: string) => (accountId === 'gone' ? undefined : `${accountId}@example.com`);
    return { knex, db, totp: createAuthenticators(context, { label, issuerName: 'Example', ...rooms }) };
  }
  const { knex, db, totp } = join();
  await migrate(knex, migrations);

  return {
    knex,
    db,
    totp,
    join: () => join().totp,
    clock,
    logged,
    emitted,
    names: () => emitted.map(({ name }) => name),
    advance(ms: number) {
      time.now += ms;
    },
    /** Makes a room fail at this event, as a broken audit table would. */
    fail(name: string | undefined) {
      failing = name;
    },
    /** An authenticator in use; the time goes on until its first code can be followed by others. */
    async enrolled(accountId = 'alice', name?: string) {
      const { id, secret } = await totp.begin(accountId);
      const activated = await totp.activate(accountId, id, codeOf(secret, clock, 0, parameters), { by: 'account', name });
      time.now += 2 * STEP;
      return { ...activated, secret, code: (stepsAhead = 0) => codeOf(secret, clock, stepsAhead, parameters) };
    },
    async close() {
      for (const end of opened.splice(0)) await end();
    },
  };
}

/** Checks for an error of this code, with just these members and this `retryAfter`. */
export function refused(code: ErrorCode, extra: AppError['extra'] = {}, retryAfter?: number) {
  return (error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    const expected = JSON.stringify({ code, extra, retryAfter });
    const found = JSON.stringify({ code: error.code, extra: error.extra, retryAfter: error.retryAfter });
    if (found !== expected) throw new Error(`expected ${expected}, got ${found}: ${error.message}`);
    return true;
  };
}

/** How often each answer was given to requests in parallel: `given`, or the code of the error. */
export function tally(answers: readonly PromiseSettledResult<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    if (answer.status === 'rejected' && !(answer.reason instanceof AppError)) throw answer.reason;
    const name = answer.status === 'fulfilled' ? 'given' : (answer.reason as AppError).code;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
