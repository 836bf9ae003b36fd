import { hash } from 'node:crypto';
import { AppError } from '../errors.ts';
import type { Clock } from './clock.ts';
import type { Database } from './database/database.ts';
import { createLimitsStore, RateLimiterRes } from './limits-store.ts';

/** A limit on how often something may happen, shared by all processes. */
export interface Limit {
  /** Takes one point of `key`; throws `AppError('rate_limited')` with `retryAfter` when none is left. */
  take(key: string): Promise<void>;
  /** Throws like {@link Limit.take} when no point is left, but takes none. */
  check(key: string): Promise<void>;
  /** Gives one point back, for an attempt that was no miss; what others took meanwhile stays counted. */
  refund(key: string): Promise<void>;
  /** Forgets `key`, as after a success. */
  forget(key: string): Promise<void>;
}

export interface Limits {
  /** Declares a limit of `points` per `seconds`, blocked for `blockSeconds` once used up (default: until the window ends). */
  limit(options: { name: string; points: number; seconds: number; blockSeconds?: number }): Limit;
}

/**
 * Creates the limits of an installation, counted in the database and so shared by all of its processes.
 *
 * A limit is taken outside of transactions: it must count what the transaction is about to undo, and on SQLite it would wait for
 * the transaction that waits for it. Taken inside one it throws at once instead.
 *
 * @example
 * const tries = limits.limit({ name: 'password-account', points: 10, seconds: 900 });
 * await tries.take(accountId); // throws AppError('rate_limited') at the eleventh time within 15 minutes
 */
export function createLimits({ db, clock }: { db: Database; clock: Clock }): Limits {
  const Store = createLimitsStore({ db, clock });

  return {
    limit({ name, points, seconds, blockSeconds = 0 }) {
      const limiter = new Store({ keyPrefix: '', points, duration: seconds, blockDuration: blockSeconds });
      // Hashed: keys are as long as whoever sends them likes, and often name a person.
      const idOf = (key: string) => hash('sha256', `${name}:${key}`, 'base64url');

      return {
        async take(key) {
          const id = idOf(key);
          const { remainingPoints } = await limiter.consume(id).catch(refuse);
          // From the last point on, so that a check sees the block too.
          if (remainingPoints === 0 && blockSeconds > 0) await limiter.block(id, blockSeconds);
        },
        async check(key) {
          const used = await limiter.get(idOf(key));
          if (used && used.remainingPoints <= 0) refuse(used);
        },
        async refund(key) {
          await limiter.reward(idOf(key), 1);
        },
        async forget(key) {
          await limiter.delete(idOf(key));
        },
      };
    },
  };
}

function refuse(reason: unknown): never {
  if (!(reason instanceof RateLimiterRes)) throw reason;
  const retryAfter = Math.max(1, Math.ceil(reason.msBeforeNext / 1000));
  throw new AppError('rate_limited', `too many attempts; try again in ${retryAfter} s`, { retryAfter });
}
