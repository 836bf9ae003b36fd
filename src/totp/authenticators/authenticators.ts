import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { createSweeper } from '../../lib/database/sweeper.ts';
import { OFF_AT } from '../codes/throttle.ts';
import '../events.ts';
import { createActivation } from './activation.ts';
import { authenticatorName } from './names.ts';
import { createSeeds } from './seeds.ts';
import { createTotpStore } from './store.ts';
import { createVerification, FRESH, publicAuthenticator } from './verification.ts';

const HOUR = 3_600_000;

/** An authenticator app of an account, in use. */
export interface Authenticator {
  readonly id: string;
  readonly name: string;
  /** Epoch milliseconds, like the other times. */
  readonly createdAt: number;
  readonly lastUsedAt: number | undefined;
}

/** An authenticator whose first code has not been typed yet. */
export interface PendingAuthenticator {
  readonly id: string;
  /** The seed in base32 without padding (RFC 4648 §6), to be typed where a QR cannot be scanned. */
  readonly secret: string;
  /** The `otpauth:` URI of the QR. */
  readonly uri: string;
  readonly expiresAt: number;
}

/** Where the first code of an authenticator was typed. */
export type ActivatedBy = 'account' | 'sign-in' | 'api';

/** An authenticator whose code was taken just now. */
export interface VerifiedAuthenticator extends Authenticator {
  readonly activatedBy: ActivatedBy;
}

/** Where a request came from, as far as it is known. */
export interface CodeOrigin {
  readonly clientId?: string | undefined;
  readonly address?: string | undefined;
}

export interface BeginOptions extends CodeOrigin {
  /** True makes a new seed in any case: whoever saw the one before, such as a thief of the password, must not have it taken over. */
  readonly anew?: boolean | undefined;
}

/** The hash function of codes, as otpauth URIs name it. Apps know SHA1; few know the others. */
export type TotpAlgorithm = 'SHA1' | 'SHA256' | 'SHA512';

export interface TotpOptions {
  /** Of new authenticators; SHA1 unless told otherwise, as many apps ignore any other. */
  readonly algorithm?: TotpAlgorithm;
}

export interface ActivationOptions extends CodeOrigin {
  readonly name?: string | undefined;
  readonly by: ActivatedBy;
  /** Runs inside the transaction, under the account's lock, before the authenticator becomes active; what it throws undoes all. */
  readonly guard?: ((tx: Transaction) => Promise<void>) | undefined;
}

/** The authenticators of accounts, and the codes that they show (RFC 6238). */
export interface Authenticators {
  /** Those in use, oldest first. */
  list(accountId: string, tx?: Transaction): Promise<Authenticator[]>;
  /** Whether the account signs in with a code beside its password, be the factor off or not. */
  required(accountId: string, tx?: Transaction): Promise<boolean>;
  /** Whether codes are taken; `blockedUntil` in epoch milliseconds. */
  standing(accountId: string): Promise<{ off: boolean; blockedUntil: number | undefined }>;
  /**
   * Starts an enrolment, or gives the one that is under way; with `anew`, that one is over.
   *
   * @throws AppError `conflict` with five authenticators in use; `rate_limited` at the twenty-first new one within an hour; `not_found`
   */
  begin(accountId: string, origin?: BeginOptions): Promise<PendingAuthenticator>;
  /** @throws AppError `not_found`, `expired` */
  pending(accountId: string, id: string): Promise<PendingAuthenticator>;
  /**
   * Takes the first code: the authenticator is in use from now on. `first` tells whether it is the account's only one.
   *
   * @throws AppError `invalid_code` with `tries_left`, `rate_limited`, `expired`, `not_found`, `conflict`, and what `guard` throws
   */
  activate(accountId: string, id: string, code: string, options: ActivationOptions): Promise<Authenticator & { readonly first: boolean }>;
  /**
   * Takes a code of any of the account's authenticators, once. Without an account it does the same work, and refuses.
   *
   * @throws AppError `invalid_code` with `tries_left`; `rate_limited`; `locked` where the factor is off
   */
  verify(accountId: string | undefined, code: string, origin: CodeOrigin): Promise<VerifiedAuthenticator>;
  /** @throws AppError `not_found`, `invalid_request` */
  rename(accountId: string, id: string, name: string, origin?: CodeOrigin): Promise<void>;
  /** `last` tells whether it was the account's only one. @throws AppError `not_found` */
  remove(accountId: string, id: string, origin?: CodeOrigin): Promise<{ last: boolean }>;
  /** Returns how many there were. */
  removeAll(tx: Transaction, accountId: string, reason: 'recovery' | 'reset', origin?: CodeOrigin): Promise<number>;
  /** Deletes enrolments that nobody finished; returns how many. */
  sweep(): Promise<number>;
}

export interface AuthenticatorsRooms extends TotpOptions {
  /** The words by which a person recognises the account, for the app's list; undefined where there is no such account. */
  label(accountId: string): Promise<string | undefined>;
  /** The name under which apps list the account. */
  readonly issuerName: string;
  /** Called in the transaction of every code that was taken, but an authenticator's first. */
  readonly verified?: ((tx: Transaction, accountId: string) => Promise<void>) | undefined;
}

/**
 * Creates the authenticators of accounts.
 *
 * Whatever changes an account's authenticators, or counts a miss, locks the account's row first: none of it happens twice, and guesses in parallel
 * wait for each other. `verified` and `guard` run under that lock, so who takes other locks of the account calls {@link Authenticators.removeAll} before.
 *
 * @example
 * const { id, secret, uri } = await authenticators.begin(accountId);
 * await authenticators.activate(accountId, id, '123456', { by: 'account', name: 'My phone' });
 * await authenticators.verify(accountId, '654321', { address });
 */
export function createAuthenticators(context: Context, rooms: AuthenticatorsRooms): Authenticators {
  const { db, clock, events } = context;
  const store = createTotpStore(context);
  const seeds = createSeeds(context, rooms.algorithm ?? 'SHA1');
  const { begin, pending, activate } = createActivation(context, { ...rooms, store, seeds });
  const { verify } = createVerification(context, { ...rooms, store, seeds });
  const sweeper = createSweeper(context);
  // Only what was never activated has this time; a page that is still open can learn for a while that it came too late.
  sweeper.register({ table: 'tandem_authenticators', column: 'expires_at', keepFor: HOUR });

  return {
    begin,
    pending,
    activate,
    verify,

    async list(accountId, tx) {
      return (await store.active(accountId, tx)).map(publicAuthenticator);
    },

    required: (accountId, tx) => store.hasActive(accountId, tx),

    async standing(accountId) {
      const standing = await store.standing(accountId);
      if (!standing) return { off: false, blockedUntil: undefined };
      const off = standing.misses >= OFF_AT;
      const blocked = !off && standing.nextTryAt !== undefined && standing.nextTryAt > clock();
      return { off, blockedUntil: blocked ? standing.nextTryAt : undefined };
    },

    async rename(accountId, id, name, { clientId, address } = {}) {
      const parsed = authenticatorName(name);
      if (parsed === undefined) throw new AppError('invalid_request', 'an authenticator needs a name', { extra: { field: 'name' } });
      await db.transaction(async (tx) => {
        if (!(await store.rename(accountId, id, parsed, tx))) throw notFound();
        await events.emit(tx, 'totp.renamed', { authenticatorId: id, accountId, name: parsed, clientId, address });
      });
    },

    async remove(accountId, id, { clientId, address } = {}) {
      return await db.transaction(async (tx) => {
        await store.lock(accountId, tx);
        const active = await store.active(accountId, tx);
        const record = active.find((each) => each.id === id);
        if (!record) throw notFound();
        await store.remove(id, tx);
        const last = active.length === 1;
        if (last) await store.setStanding(accountId, FRESH, tx);
        await events.emit(tx, 'totp.removed', { authenticatorId: id, accountId, name: record.name, reason: 'account', clientId, address });
        return { last };
      });
    },

    async removeAll(tx, accountId, reason, { clientId, address } = {}) {
      await store.lock(accountId, tx);
      const active = await store.active(accountId, tx);
      // Who began one may be whom the account is being recovered from.
      await store.removePending(accountId, tx);
      for (const { id, name } of active) {
        await store.remove(id, tx);
        await events.emit(tx, 'totp.removed', { authenticatorId: id, accountId, name, reason, clientId, address });
      }
      await store.setStanding(accountId, FRESH, tx);
      return active.length;
    },

    sweep: () => sweeper.sweep(),
  };
}

function notFound(): AppError {
  return new AppError('not_found', 'there is no such authenticator');
}
