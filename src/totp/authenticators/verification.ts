import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { uuid } from '../../lib/crypto.ts';
import { acceptedSteps, digitsOf, learnedDrift } from '../codes/acceptance.ts';
import { matchingSteps, stepAt } from '../codes/otp.ts';
import { OFF_AT, TELL_AT, triesLeft, waitAfter } from '../codes/throttle.ts';
import '../events.ts';
import type { Authenticator, AuthenticatorsRooms, CodeOrigin, VerifiedAuthenticator } from './authenticators.ts';
import type { Seeds } from './seeds.ts';
import type { AuthenticatorRecord, Standing, TotpStore } from './store.ts';

export const FRESH: Standing = { misses: 0, nextTryAt: undefined };

type Parts = { store: TotpStore; seeds: Seeds } & Pick<AuthenticatorsRooms, 'verified'>;
/** A refusal is an outcome of the transaction and no error in it, or the miss would not be counted. */
type Outcome = { authenticator: VerifiedAuthenticator } | { failure: AppError };

/** Creates what takes the codes of the authenticators in use. */
export function createVerification({ db, clock, events }: Pick<Context, 'db' | 'clock' | 'events'>, { store, seeds, verified }: Parts) {
  /** The one that shows this code, of a step that is not used up. Every one is tried, whichever it is. */
  function find(records: readonly AuthenticatorRecord[], code: string, now: number) {
    const found = records.flatMap((record) => {
      const key = seeds.open(record);
      const steps = key ? matchingSteps(key, code, acceptedSteps(now, record.drift)) : [];
      const step = steps.find((each) => record.lastStep === undefined || each > record.lastStep);
      return step === undefined ? [] : [{ record, step }];
    });
    return found[0];
  }

  async function take(tx: Transaction, accountId: string, { misses }: Standing, { record, step }: { record: AuthenticatorRecord; step: number }, origin: CodeOrigin) {
    const drift = learnedDrift(step, stepAt(clock()), record.drift);
    if (!(await store.use(record.id, { step, drift }, tx))) return undefined;
    if (misses > 0) await store.setStanding(accountId, FRESH, tx);
    await verified?.(tx, accountId);
    await events.emit(tx, 'totp.verified', { authenticatorId: record.id, accountId, ...origin });
    return { authenticator: { ...publicAuthenticator(record), lastUsedAt: clock(), activatedBy: record.activatedBy ?? 'account' } };
  }

  async function miss(tx: Transaction, id: string, accountId: string | undefined, before: Standing, counts: boolean, origin: CodeOrigin): Promise<Outcome> {
    const failures = before.misses + 1;
    const wait = waitAfter(failures);
    await store.setStanding(id, counts ? { misses: failures, nextTryAt: wait ? clock() + wait : undefined } : before, tx);
    await events.emit(tx, 'totp.failed', { accountId, failures, ...origin });
    if (failures === TELL_AT) await events.emit(tx, 'totp.guessed', { accountId, failures, ...origin });
    if (failures < OFF_AT) return { failure: wrongCode(failures) };
    await events.emit(tx, 'totp.switched_off', { accountId, ...origin });
    return { failure: switchedOff() };
  }

  return {
    async verify(accountId: string | undefined, typed: string, { clientId, address }: CodeOrigin): Promise<VerifiedAuthenticator> {
      const code = digitsOf(typed);
      const id = accountId ?? uuid();
      const origin = { clientId, address };
      const outcome = await db.transaction(async (tx): Promise<Outcome> => {
        const standing = (await store.lock(id, tx)) ?? FRESH;
        const records = await store.active(id, tx);
        if (records.length) {
          const failure = refusal(standing, clock());
          if (failure) return { failure };
        } else {
          find([{ ...NOBODYS, ...seeds.decoy }], code, stepAt(clock()));
        }
        const found = find(records, code, stepAt(clock()));
        const taken = found && (await take(tx, id, standing, found, origin));
        return taken ?? (await miss(tx, id, accountId, standing, records.length > 0, origin));
      });
      if ('failure' in outcome) throw outcome.failure;
      return outcome.authenticator;
    },
  };
}

const NOBODYS = { name: '', createdAt: 0, lastUsedAt: undefined, active: true, activatedBy: undefined, expiresAt: undefined, lastStep: undefined, drift: 0, ...FRESH };

/** Why no code is taken now, be it right or wrong. */
export function refusal({ misses, nextTryAt }: Standing, now: number): AppError | undefined {
  if (misses >= OFF_AT) return switchedOff();
  if (nextTryAt === undefined || nextTryAt <= now) return undefined;
  const retryAfter = Math.ceil((nextTryAt - now) / 1000);
  return new AppError('rate_limited', `too many wrong codes; try again in ${retryAfter} s`, { retryAfter });
}

export function wrongCode(misses: number): AppError {
  const wait = waitAfter(misses);
  return new AppError('invalid_code', 'this is not a code that the authenticator shows now', {
    extra: { tries_left: triesLeft(misses) },
    ...(wait > 0 && { retryAfter: wait / 1000 }),
  });
}

function switchedOff(): AppError {
  return new AppError('locked', 'after too many wrong codes none is taken any more; add the authenticator anew, or have it reset');
}

/** What other rooms may know of an authenticator. */
export function publicAuthenticator({ id, name, createdAt, lastUsedAt }: AuthenticatorRecord): Authenticator {
  return { id, name, createdAt, lastUsedAt };
}
