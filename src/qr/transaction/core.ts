import type { Context, Transaction } from '../../context.ts';
import type { Device } from '../../devices/device-store.ts';
import { AppError } from '../../errors.ts';
import type { Browsers } from '../../lib/http/browser.ts';
import type { AccountDirectory } from '../../oidc/accounts.ts';
import type { SecondFactors } from '../../oidc/sign-in/sign-in.ts';
import type { Codes } from './codes.ts';
import type { CancelReason } from '../events.ts';
import type { Frames } from './frames.ts';
import { allows, isLive, type Change, type State } from './states.ts';
import type { QrStore } from './store.ts';
import type { QrTransaction } from './transaction.ts';
import type { TrustStore } from './trust-store.ts';
import type { Wakeups } from './wakeup.ts';

/** What QR needs of the devices. */
export interface UsableDevices {
  /** The device if it is active; asked again inside `tx`. */
  usable(deviceId: string, tx?: Transaction): Promise<Device | undefined>;
}

/** What the transactions need of other rooms. */
export interface QrServices {
  readonly devices: UsableDevices;
  readonly accounts: AccountDirectory;
  readonly browsers: Pick<Browsers, 'lastSignIn'>;
  /** The codes that follow a phone which cannot prove level 2, where there are any. */
  readonly secondFactors?: SecondFactors | undefined;
}

/** What both sides of a transaction are made of. */
export interface Parts {
  readonly context: Context;
  readonly services: QrServices;
  readonly store: QrStore;
  readonly trust: TrustStore;
  readonly frames: Frames;
  readonly codes: Codes;
  readonly core: Core;
  readonly options: QrOptions;
}

/** Settings of the feature `qr()`. */
export interface QrOptions {
  /** Transactions that one network address may start in a minute; 30 unless told otherwise. */
  readonly startsPerMinute?: number;
  /**
   * Names the city or region of a network address, so that the phone can show where the browser is; undefined where it is
   * not known. Tandem brings no such data of its own. Where it throws, the place is left out and the failure is logged.
   *
   * @example
   * qr({ locate: (address) => cities.get(address)?.city?.names.en })
   */
  readonly locate?: (address: string) => string | undefined | Promise<string | undefined>;
}

/** What both sides of a transaction do alike. */
export interface Core {
  /** `transaction` as it stands now: where its time has run out, that is written down first. */
  current(transaction: QrTransaction): Promise<QrTransaction>;
  /** Makes a change that brings nothing but a state, and tells the page; false when somebody else was faster. */
  move(change: Change, transaction: QrTransaction, to: State, reason: string | undefined, tx: Transaction): Promise<boolean>;
  /** Cancels it, with its event; false when somebody else was faster. */
  cancel(transaction: QrTransaction, reason: CancelReason, tx: Transaction): Promise<boolean>;
  /** Writes down that its time has run out, unless somebody else did. */
  expire(transaction: QrTransaction): Promise<void>;
  /** Tells the waiting page; to be called inside the transaction of the change. */
  announce(change: { id: string; state: State; expiresAt: number; reason?: string | undefined }, tx: Transaction): Promise<void>;
}

export function createCore({ context, store, wakeups }: { context: Context; store: QrStore; wakeups: Wakeups }): Core {
  const { db, clock, events } = context;

  const core: Core = {
    async current(transaction) {
      if (!isLive(transaction.state) || transaction.expiresAt > clock()) return transaction;
      await core.expire(transaction);
      return (await store.find(transaction.id)) ?? transaction;
    },

    async move(change, transaction, to, reason, tx) {
      if (!allows(change, transaction.state, to)) return false;
      const expiresAt = await store.move(transaction, to, reason, tx);
      if (expiresAt === undefined) return false;
      await core.announce({ id: transaction.id, state: to, reason, expiresAt }, tx);
      return true;
    },

    async cancel(transaction, reason, tx) {
      if (!isLive(transaction.state)) return false;
      const from = transaction.state;
      if (!(await core.move(reason === 'revoked' ? 'revoke' : 'cancel', transaction, 'cancelled', reason, tx))) return false;
      await events.emit(tx, 'qr.cancelled', { ...subjectOf(transaction), reason, from });
      return true;
    },

    async expire(transaction) {
      const from = transaction.state;
      if (!isLive(from)) return;
      await db.transaction(async (tx) => {
        if (!(await store.expire(transaction, tx))) return;
        await core.announce({ ...transaction, state: 'expired', reason: from }, tx);
        await events.emit(tx, 'qr.expired', { ...subjectOf(transaction), from });
      });
    },

    async announce({ id, state, reason, expiresAt }, tx) {
      await wakeups.announce({ id, state, reason, expiresAt, stream: undefined }, tx);
    },
  };
  return core;
}

/** Whom and what an event about the transaction is about. */
export function subjectOf(transaction: QrTransaction) {
  const { id, accountId, clientId, deviceId } = transaction;
  return { transactionId: id, accountId, clientId, deviceId };
}

/** Why something that needs another state cannot be done with the transaction. */
export function refusal({ state, reason }: QrTransaction): AppError {
  const extra = { state, ...(reason && { reason }) };
  if (state === 'expired') return new AppError('expired', 'the time for this sign-in has run out', { extra });
  if (state === 'cancelled') return new AppError('expired', 'this sign-in was cancelled', { extra });
  if (state === 'denied') return new AppError('access_denied', 'this sign-in was denied', { extra });
  if (state === 'consumed') return new AppError('replayed', 'this sign-in was used already', { extra });
  return new AppError('conflict', `this sign-in is ${state}`, { extra });
}
