import type { Context, Transaction } from '../../context.ts';
import { LIFETIME } from './states.ts';
import type { Change } from './transaction.ts';

const TOPIC = 'tandem_qr';
/** Where processes cannot tell one another, each asks this often, in milliseconds. */
const ASK_EVERY = 1_000;
/** Looks back further than it must, since clocks of two processes differ and a transaction commits after it read the clock. */
const LOOK_BACK = 10_000;
/** How far back to look once the connection to the database is there again: a page waits for no more than one lifetime at a time. */
const LOOK_BACK_FAR = Math.max(...Object.values(LIFETIME)) + LOOK_BACK;

/** Tells waiting pages that a transaction changed, in this process or another. */
export interface Wakeups {
  /** To be called inside the transaction that makes the change; waiting pages hear it once it has committed. */
  announce(change: Change, tx: Transaction): Promise<void>;
  /** Calls `listener` on each change, possibly more than once for the same; returns what stops it. */
  wait(id: string, listener: (change: Change) => void): () => void;
  /** Resolves once changes of other processes are heard. What changed before then must be read. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Creates the wake-ups of one process. Within the process a listener is called right after the commit. Other processes
 * are told by the database where it can; elsewhere one query a second serves all waiting pages together.
 */
export function createWakeups({ db, clock, log }: Pick<Context, 'db' | 'clock' | 'log'>, changes: (since: number) => Promise<Change[]>): Wakeups {
  const waiting = new Map<string, Set<(change: Change) => void>>();
  let subscription: ReturnType<typeof db.subscribe> | undefined;
  let listening: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let asking = false;

  function tell(change: Change) {
    // A listener may stop waiting while it is called.
    for (const listener of [...(waiting.get(change.id) ?? [])]) listener(change);
  }

  async function ask(lookBack = LOOK_BACK) {
    if (asking || waiting.size === 0) return;
    asking = true;
    try {
      for (const change of await changes(clock() - lookBack)) tell(change);
    } catch (error) {
      log.warn({ err: error }, 'could not ask for changed QR transactions');
    } finally {
      asking = false;
    }
  }

  /** On the first page that waits, not on import: nothing runs in a process that shows no QR. */
  function listen() {
    if (subscription) return;
    subscription = db.subscribe(TOPIC, (payload) => tell(JSON.parse(payload) as Change), () => void ask(LOOK_BACK_FAR));
    listening = subscription.then(
      ({ live }) => {
        if (!live) timer = setInterval(() => void ask(), ASK_EVERY).unref();
      },
      (error: unknown) => {
        log.error({ err: error }, 'could not subscribe to QR transactions; asking for them instead');
        timer = setInterval(() => void ask(), ASK_EVERY).unref();
      },
    );
  }

  return {
    async announce(change, tx) {
      tx.afterCommit(() => tell(change));
      await db.publish(TOPIC, JSON.stringify(change), tx);
    },
    wait(id, listener) {
      listen();
      const listeners = waiting.get(id) ?? new Set();
      waiting.set(id, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && waiting.get(id) === listeners) waiting.delete(id);
      };
    },
    async ready() {
      await listening;
    },
    async close() {
      const open = await subscription?.catch(() => undefined);
      clearInterval(timer);
      await open?.close();
    },
  };
}
