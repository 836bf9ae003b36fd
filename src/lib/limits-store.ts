import { createRequire } from 'node:module';
import type { RateLimiterAbstract, RateLimiterRes as Result } from 'rate-limiter-flexible';
import type { Clock } from './clock.ts';
import type { Database } from './database/database.ts';

interface Row {
  readonly points: number;
  readonly expires_at: number;
}

/** The part of rate-limiter-flexible's base of stores that a store fills in; its types leave it out. */
interface StoreBase extends RateLimiterAbstract {
  readonly points: number;
}
type Store = new (options: { keyPrefix: string; points: number; duration: number; blockDuration: number }) => StoreBase;

const require = createRequire(import.meta.url);
// By their files: the package itself loads its stores for every database there is.
const Base = require('rate-limiter-flexible/lib/RateLimiterStoreAbstract.js') as Store;
export const RateLimiterRes = require('rate-limiter-flexible/lib/RateLimiterRes.js') as typeof Result;

/**
 * A store of rate-limiter-flexible on our own statements. Those that the library brings take connections of the pool past us, prepare nothing, and
 * ask the system for the time.
 */
export function createLimitsStore({ db, clock }: { db: Database; clock: Clock }): Store {
  const take = upserting(db, false);
  const force = upserting(db, true);
  const giveBack = db.statement('UPDATE tandem_limits SET points = points - ? WHERE id = ? AND expires_at > ? AND points >= ?');
  const find = db.statement<Row>('SELECT points, expires_at FROM tandem_limits WHERE id = ? AND expires_at > ?');
  const remove = db.statement('DELETE FROM tandem_limits WHERE id = ?');

  return class LimitsStore extends Base {
    async _upsert(id: string, points: number, duration: number, forced: boolean): Promise<Row> {
      const now = clock();
      if (points < 0) {
        // Of what is not there, or has expired, nothing was taken that could be given back.
        await giveBack.run([-points, id, now, -points]);
        return (await this._get(id)) ?? { points: 0, expires_at: now };
      }
      return (forced ? force : take)({ id, points, expiresAt: now + duration, now });
    }

    _get(id: string): Promise<Row | undefined> {
      return find.get([id, clock()]);
    }

    async _delete(id: string): Promise<boolean> {
      return (await remove.run([id])) > 0;
    }

    _getRateLimiterRes(_id: string, taken: number, { points, expires_at }: Row): Result {
      return new RateLimiterRes(Math.max(this.points - points, 0), Math.max(expires_at - clock(), 0), points, points === taken);
    }
  };
}

type Upsert = (input: { id: string; points: number; expiresAt: number; now: number }) => Promise<Row>;

/** Adds points to a row, or starts it afresh when it has expired, or in any case when `forced`; and reads it, in one. */
function upserting(db: Database, forced: boolean): Upsert {
  const insert = 'INSERT INTO tandem_limits (id, points, expires_at) VALUES (?, ?, ?)';
  if (db.dialect === 'mysql') return upsertingOnMysql(db, insert, forced);
  const onConflict = forced
    ? 'points = excluded.points, expires_at = excluded.expires_at'
    : `points = CASE WHEN tandem_limits.expires_at > ? THEN tandem_limits.points + excluded.points ELSE excluded.points END,
       expires_at = CASE WHEN tandem_limits.expires_at > ? THEN tandem_limits.expires_at ELSE excluded.expires_at END`;
  const upsert = db.statement<Row>(`${insert} ON CONFLICT (id) DO UPDATE SET ${onConflict} RETURNING points, expires_at`);
  return async ({ id, points, expiresAt, now }) =>
    (await upsert.get([id, points, expiresAt, ...(forced ? [] : [now, now])])) as Row;
}

/** MySQL returns nothing from an insert: the row it locked is read in the same transaction. */
function upsertingOnMysql(db: Database, insert: string, forced: boolean): Upsert {
  // Assigned from left to right, so the points look at the old expiry.
  const onDuplicate = forced
    ? 'points = VALUES(points), expires_at = VALUES(expires_at)'
    : `points = CASE WHEN expires_at > ? THEN points + VALUES(points) ELSE VALUES(points) END,
       expires_at = CASE WHEN expires_at > ? THEN expires_at ELSE VALUES(expires_at) END`;
  const upsert = db.statement(`${insert} ON DUPLICATE KEY UPDATE ${onDuplicate}`);
  const read = db.statement<Row>('SELECT points, expires_at FROM tandem_limits WHERE id = ?');
  return ({ id, points, expiresAt, now }) =>
    db.transaction(async (tx) => {
      await upsert.run([id, points, expiresAt, ...(forced ? [] : [now, now])], tx);
      return (await read.get([id], tx)) as Row;
    });
}
