import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Database } from './database.ts';

/** A table whose rows die, and the column that says when, in milliseconds since the epoch. */
export interface Expiring {
  readonly table: string;
  readonly column: string;
  /** For how long a row is kept after that, in milliseconds. Default 0. */
  readonly keepFor?: number;
}

export interface Sweeper {
  register(...tables: Expiring[]): void;
  /** Deletes what has expired by now from all tables; returns how many rows. */
  sweep(): Promise<number>;
  /** Sweeps every minute until stopped, without keeping the process alive. */
  start(): void;
  /** Stops, and waits for a sweep that is under way. */
  stop(): Promise<void>;
}

/** Rows a statement deletes: few enough that nobody notices the lock. */
const BATCH = 200;
/** Time between sweeps, in milliseconds, give or take a tenth so that processes drift apart. */
const INTERVAL = 60_000;

/**
 * Deletes expired rows in small batches, with a pause after each, so that requests come in between. Several processes may sweep the same
 * tables: on PostgreSQL they pass over each other's rows.
 *
 * @example
 * const sweeper = createSweeper({ db, clock, log });
 * sweeper.register({ table: 'tandem_oidc', column: 'expires_at' });
 * sweeper.start();
 */
export function createSweeper({ db, clock, log }: { db: Database; clock: Clock; log: Log }): Sweeper {
  const sweepings: Array<() => Promise<number>> = [];
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<number> | undefined;
  let running = false;

  function sweepingOf({ table, column, keepFor = 0 }: Expiring) {
    const remove = db.statement({
      sqlite: `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${column} <= ? LIMIT ${BATCH})`,
      postgres: `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE ${column} <= ? LIMIT ${BATCH} FOR UPDATE SKIP LOCKED))`,
      mysql: `DELETE FROM ${table} WHERE ${column} <= ? LIMIT ${BATCH}`,
    });
    return async () => {
      let total = 0;
      for (;;) {
        const removed = await remove.run([clock() - keepFor]);
        total += removed;
        if (removed < BATCH) return total;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
  }

  async function sweepAll(): Promise<number> {
    let total = 0;
    for (const sweepTable of sweepings) total += await sweepTable();
    return total;
  }

  function sweep(): Promise<number> {
    sweeping ??= sweepAll().finally(() => {
      sweeping = undefined;
    });
    return sweeping;
  }

  function schedule() {
    if (!running) return;
    timer = setTimeout(
      () => {
        sweep()
          .catch((error: unknown) => log.error({ err: error }, 'sweeping expired rows failed'))
          .finally(schedule);
      },
      INTERVAL * (0.9 + 0.2 * (performance.now() % 1)),
    );
    timer.unref();
  }

  return {
    register(...tables) {
      sweepings.push(...tables.map(sweepingOf));
    },
    sweep,
    start() {
      if (running) return;
      running = true;
      schedule();
    },
    async stop() {
      running = false;
      clearTimeout(timer);
      await sweeping?.catch(() => {});
    },
  };
}
