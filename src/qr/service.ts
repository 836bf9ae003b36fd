import type { Context, Transaction } from '../context.ts';
import type {} from '../accounts/events.ts';
import type {} from '../devices/events.ts';
import { createBrowserSide } from './browser-side/browser-side.ts';
import { createCodes } from './transaction/codes.ts';
import { createCore, type QrOptions, type QrServices } from './transaction/core.ts';
import { createFrames } from './transaction/frames.ts';
import { createPhoneSide } from './phone-side/phone-side.ts';
import { LIVE_STATES } from './transaction/states.ts';
import { createQrStore } from './transaction/store.ts';
import type { QrTransaction } from './transaction/transaction.ts';
import { createTrustStore } from './transaction/trust-store.ts';
import { createWakeups } from './transaction/wakeup.ts';

/** How long a transaction that nobody decided is kept, in milliseconds. */
const KEEP_UNDECIDED = 60 * 60_000;

export type QrService = ReturnType<typeof createQrService>;

/** Creates the QR transactions: started and redeemed by browsers, claimed and decided by phones. */
export function createQrService(context: Context, services: QrServices, options: QrOptions = {}) {
  const { db, clock, events, issuer, keyRing } = context;
  const store = createQrStore({ db, clock });
  const trust = createTrustStore({ db, clock });
  const wakeups = createWakeups(context, (since) => store.changes(since));
  const core = createCore({ context, store, wakeups });
  const frames = createFrames({ issuer, keyRing });
  const parts = { context, services, store, trust, frames, codes: createCodes(keyRing), core, options };
  const phoneSide = createPhoneSide(parts);

  /** Cancels what a phone has taken, inside the transaction that ends the phone. */
  async function cancelDeviceTransactions(deviceId: string, tx: Transaction): Promise<void> {
    for (const transaction of await store.findOfDevice(deviceId, tx)) await core.cancel(transaction, 'revoked', tx);
  }

  events.subscribe(async (tx, event) => {
    if (event.name === 'device.revoked') await cancelDeviceTransactions(event.payload.deviceId, tx);
    // Whoever had the phone, or the password, may have signed in by it and left a browser that the account knows.
    const distrusted = event.name === 'account.password_changed' || (event.name === 'device.revoked' && event.payload.reason === 'lost');
    if (distrusted && event.payload.accountId !== undefined) await trust.end(event.payload.accountId, tx);
  });

  return {
    ...phoneSide,
    ...createBrowserSide(parts, phoneSide),
    frames,
    /** Tells of each change of a transaction; see {@link import('./wakeup.ts').Wakeups.wait}. */
    wait: wakeups.wait,
    cancelDeviceTransactions,

    /** The transaction as it stands now, for its own page. */
    async reload(id: string): Promise<QrTransaction | undefined> {
      const transaction = await store.find(id);
      return transaction && core.current(transaction);
    },

    /** Makes this the one stream of its transaction: those of other pages and processes hear that they no longer are. */
    async openStream({ id, state, reason, expiresAt }: QrTransaction, stream: string): Promise<void> {
      await wakeups.ready();
      await db.transaction(async (tx) => {
        await store.openStream(id, stream, tx);
        await wakeups.announce({ id, state, reason, expiresAt, stream }, tx);
      });
    },

    /** The signed decision of a transaction and the request bytes that it is about: the receipt of the consent. */
    receipt: (id: string) => store.receipt(id),

    /** Writes down what ran out unwatched, and forgets what nobody decided. In small batches; returns how many rows. */
    async sweep(): Promise<number> {
      let count = 0;
      for (const state of LIVE_STATES) {
        const overdue = await store.findOverdue(state);
        for (const transaction of overdue) await core.expire(transaction);
        count += overdue.length;
      }
      return count + (await store.sweep(clock() - KEEP_UNDECIDED));
    },

    close: () => wakeups.close(),
  };
}
