import { migrations } from '../../migrations/index.ts';
import type { Context } from '../../src/context.ts';
import { AppError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { createEvents } from '../../src/lib/events.ts';
import type { TandemEvent } from '../../src/lib/events.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import { createLimits } from '../../src/lib/limits.ts';
import { createAuthenticators } from '../../src/totp/authenticators.ts';
import type { AuthenticatorsRooms } from '../../src/totp/authenticators.ts';
import type { TestDatabase } from '../support/databases.ts';
import { codeOf } from '../support/otp.ts';
import type { OtpAlgorithm } from '../support/otp.ts';

export const STEP = 30_000;

export type TotpHarness = Awaited<ReturnType<typeof startTotp>>;

/** The authenticators alone, on a real database, of a host with accounts of its own. The time stands still but where a test moves it. */
export async function startTotp(database: Pick<TestDatabase, 'open'>, rooms: Partial<AuthenticatorsRooms> & { algorithm?: OtpAlgorithm } = {}) {
  const knex = await database.open();
  await migrate(knex, migrations);
  // In the middle of a step.
  const time = { now: Date.UTC(2030, 0, 1, 12) + STEP / 2 };
  const clock = () => time.now;
  const keyRing = createKeyRing([newEncryptionKey()]);
  const logged: object[] = [];
  const emitted: TandemEvent[] = [];

  /** One more process on the same database. */
  function instance() {
    const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void logged.push(fields) };
    const db = createDatabase(knex);
    const events = createEvents({ clock, log });
    events.subscribe(async (tx, event) => tx.afterCommit(() => emitted.push(event)));
    const context: Context = { issuer: 'https://id.example.com', db, clock, log, keyRing, limits: createLimits({ db, clock }), events };
    const totp = createAuthenticators(context, {
      label: async (accountId) => (accountId.startsWith('gone') ? undefined : `${accountId}@example.com`),
      issuerName: 'Example',
      ...rooms,
    });
    return { db, totp };
  }
  const { db, totp } = instance();

  return {
    knex,
    db,
    totp,
    instance: () => instance().totp,
    clock,
    logged,
    emitted,
    names: () => emitted.map(({ name }) => name),
    advance(ms: number) {
      time.now += ms;
    },
    /** An authenticator in use; the time goes on until its first code can be followed by others. */
    async enrolled(accountId = 'alice', name?: string) {
      const { id, secret } = await totp.begin(accountId);
      const activated = await totp.activate(accountId, id, codeOf(secret, clock, 0, rooms), { by: 'account', ...(name !== undefined && { name }) });
      time.now += 2 * STEP;
      return { ...activated, secret, code: (stepsAhead = 0) => codeOf(secret, clock, stepsAhead, rooms) };
    },
  };
}

/** An error of this code, with these members and this `retryAfter`. */
export function refused(code: ErrorCode, extra: AppError['extra'] = {}, retryAfter?: number) {
  return (error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    const { code: actual, extra: members, retryAfter: seconds } = error;
    const expected = JSON.stringify({ code, extra, retryAfter });
    const found = JSON.stringify({ code: actual, extra: members, retryAfter: seconds });
    if (found !== expected) throw new Error(`expected ${expected}, got ${found}: ${error.message}`);
    return true;
  };
}
