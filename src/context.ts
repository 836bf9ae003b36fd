import type { Database, Transaction } from './lib/database/database.ts';
import type { Clock } from './lib/clock.ts';
import type { KeyRing } from './lib/key-ring.ts';
import type { Limits } from './lib/limits.ts';
import type { Log } from './lib/log.ts';
import type { Events } from './lib/events.ts';

/** What every room is given. Rooms take nothing else from the outside but other rooms' services. */
export interface Context {
  /** The issuer identifier: an origin, or an origin and a mount path, without a trailing slash. */
  readonly issuer: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly keyRing: KeyRing;
  readonly limits: Limits;
  readonly events: Events;
}

export type { Clock, Database, Events, KeyRing, Limits, Log, Transaction };
