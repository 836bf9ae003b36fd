import * as z from 'zod';
import type { SignedCall } from '../../devices/verification.ts';
import { AppError } from '../../errors.ts';
import { equal, randomToken } from '../../lib/crypto.ts';
import { refusal, subjectOf, type Parts } from '../transaction/core.ts';
import { isFresh, type Frame, type FrameNumber } from '../transaction/frames.ts';
import { encodeRequest, requestHash, type Facts } from './request.ts';
import { codeIsDue, LIFETIME, type Via } from '../transaction/states.ts';
import type { QrTransaction } from '../transaction/transaction.ts';

/** Typed codes that a device may get wrong in ten minutes. */
const TYPED_MISSES = 5;
/** Confirm codes that may be typed wrong for one account in an hour. */
const ACCOUNT_MISSES = 10;
const LOCK_SECONDS = 3600;

const text = z.string().max(255);
const claimClaims = z.union([
  z.looseObject({ tx: text, n: z.union([z.int().nonnegative(), z.literal('s')]), mac: text, user_code: z.undefined().optional() }),
  z.looseObject({ user_code: z.string().max(32), tx: z.undefined().optional() }),
  z.looseObject({ tx: text, n: z.undefined().optional(), mac: z.undefined().optional(), user_code: z.undefined().optional() }),
]);
const decisionClaims = z.looseObject({ tx: text, client_id: text, request_hash: text, decision: z.enum(['approve', 'deny']) });

/** What a phone browser holds that opened a link: the frame was fresh then. */
export interface Ticket {
  readonly tx: string;
}

export interface Claimed {
  readonly tx: string;
  readonly challenge: string;
  readonly request: string;
  /** Seconds in which to decide. */
  readonly expires_in: number;
}

export interface Decided {
  readonly state: 'approved' | 'confirmed' | 'denied';
  /** Six digits to type in the browser, where they are due. */
  readonly confirm_code?: string;
  readonly expires_in: number;
}

export type PhoneSide = ReturnType<typeof createPhoneSide>;

/** What phones do with a transaction. Their calls have been verified by then; what they ask has not. */
export function createPhoneSide({ context, services, store, trust, frames, codes, core }: Parts) {
  const { db, clock, events, issuer, limits } = context;
  const { accounts, browsers, devices, secondFactors } = services;
  const typed = limits.limit({ name: 'qr-typed-code', points: TYPED_MISSES, seconds: 600 });
  const accountLock = limits.limit({ name: 'qr-confirm', points: ACCOUNT_MISSES, seconds: LOCK_SECONDS, blockSeconds: LOCK_SECONDS });

  const unknown = () => new AppError('not_found', 'there is no such sign-in');

  async function byCode(deviceId: string, code: string): Promise<QrTransaction> {
    // The try is taken before the code is looked at, or a hundred at once would all get their answer.
    await typed.take(deviceId);
    for (const hash of codes.typedHashes(code)) {
      const transaction = await store.findByCode(hash);
      if (!transaction) continue;
      await typed.refund(deviceId);
      return transaction;
    }
    throw new AppError('not_found', 'no sign-in waits for this code');
  }

  async function byFrame(frame: { tx: string; n: FrameNumber; mac: string }): Promise<QrTransaction> {
    const transaction = frames.genuine(frame) ? await store.find(frame.tx) : undefined;
    if (!transaction) throw unknown();
    const current = await core.current(transaction);
    if (current.state === 'pending' && !isFresh(frame.n, current, clock())) {
      throw new AppError('frame_stale', 'this QR code has been replaced by a newer one');
    }
    return current;
  }

  async function byTicket(tx: string, ticket: Ticket | undefined): Promise<QrTransaction> {
    const transaction = ticket?.tx === tx ? await store.find(tx) : undefined;
    if (!transaction) throw unknown();
    return core.current(transaction);
  }

  async function resolve(call: SignedCall, ticket: Ticket | undefined): Promise<{ transaction: QrTransaction; via: Via }> {
    const parsed = claimClaims.safeParse(call.claims);
    if (!parsed.success) throw new AppError('invalid_request', 'a claim names tx with n and mac, tx alone with a ticket, or user_code alone');
    const claims = parsed.data;
    if (claims.user_code !== undefined) return { transaction: await byCode(call.device.id, claims.user_code), via: 'code' };
    if (claims.n !== undefined) return { transaction: await byFrame(claims), via: claims.n === 's' ? 'static' : 'frame' };
    const transaction = await byTicket(claims.tx, ticket);
    return { transaction, via: transaction.isStatic ? 'static' : 'frame' };
  }

  function claimRefusal(transaction: QrTransaction): AppError {
    const ended = transaction.state === 'expired' || transaction.state === 'cancelled';
    return ended ? refusal(transaction) : new AppError('already_claimed', 'a phone has taken this sign-in already');
  }

  function checkAccount(transaction: QrTransaction, accountId: string) {
    if (transaction.expectedAccount === undefined || transaction.expectedAccount === accountId) return;
    throw new AppError('wrong_account', 'this request is for another account');
  }

  async function checkLock(accountId: string) {
    try {
      await accountLock.check(accountId);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'rate_limited') throw error;
      const details = error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter };
      throw new AppError('locked', 'too many wrong confirm codes: this account approves nothing by QR for a while', details);
    }
  }

  async function stillUsable(deviceId: string, tx: Parameters<typeof devices.usable>[1]) {
    const device = await devices.usable(deviceId, tx);
    if (!device) throw new AppError('device_revoked', 'this device was revoked');
    return device;
  }

  /**
   * What this phone is asked for. Level 2 as the request wants it; but where the phone cannot prove that and the account has
   * an authenticator, its presence will do to sign in, as the code is asked for next.
   */
  async function levelFor({ level, purpose }: QrTransaction, { accountId, userVerifying, levelCap }: SignedCall['device']): Promise<1 | 2> {
    if (level === 1 || purpose !== 'login' || (userVerifying && levelCap === 2)) return level;
    return (await secondFactors?.required(accountId)) ? 1 : 2;
  }

  return {
    /** What a link leads to now: the ticket for a fresh one, or why there is none. */
    async look(frame: Frame | undefined): Promise<Ticket | 'stale' | 'taken'> {
      const transaction = frame && frames.genuine(frame) ? await store.find(frame.tx) : undefined;
      if (!frame || !transaction) return 'stale';
      const { id, state, expiresAt } = transaction;
      if (state !== 'pending') return state === 'expired' || state === 'cancelled' ? 'stale' : 'taken';
      if (expiresAt <= clock() || !isFresh(frame.n, transaction, clock())) return 'stale';
      return { tx: id };
    },

    /**
     * Takes a pending transaction for the phone that signed the call.
     *
     * @throws AppError `not_found`, `frame_stale`, `already_claimed`, `expired`, `wrong_account`, `device_revoked`, `rate_limited`
     */
    async claim(call: SignedCall, { ticket, address }: { ticket: Ticket | undefined; address: string }): Promise<Claimed> {
      const { device } = call;
      const { transaction, via } = await resolve(call, ticket);
      if (transaction.state !== 'pending') throw claimRefusal(transaction);
      checkAccount(transaction, device.accountId);
      const account = await accounts.find(device.accountId);
      if (!account) throw new AppError('device_revoked', 'the account of this device is gone');

      const { id, purpose, policy } = transaction;
      const lastSignIn = browsers.lastSignIn(transaction.knownAccounts, device.accountId);
      const known = lastSignIn !== undefined && (await trust.holds(device.accountId, lastSignIn));
      const codeDue = codeIsDue({ purpose, policy, via, known });
      const level = await levelFor(transaction, device);
      const facts = JSON.parse(transaction.facts) as Facts;
      const request = encodeRequest({
        v: 1,
        purpose,
        issuer,
        account: { label: account.label },
        level: level === 2 ? '2' : '1',
        client: facts.client,
        scopes: facts.scopes,
        browser: { ...facts.browser, known },
        confirm: codeDue,
        tx: id,
        iat: Math.floor(clock() / 1000),
      });
      const challenge = randomToken();

      const won = await db.transaction(async (tx) => {
        await stillUsable(device.id, tx);
        const claimed = { deviceId: device.id, accountId: device.accountId, via, codeDue, challenge, request };
        if (!(await store.claim(id, claimed, tx))) return false;
        if (level < transaction.level) await store.ease(id, tx);
        const subject = { ...subjectOf(transaction), accountId: device.accountId, deviceId: device.id, address };
        await events.emit(tx, 'qr.claimed', { ...subject, via, known, codeDue });
        await core.announce({ id, state: 'scanned', expiresAt: clock() + LIFETIME.scanned }, tx);
        return true;
      });
      if (!won) throw claimRefusal(await core.current((await store.find(id)) ?? transaction));
      return { tx: id, challenge, request, expires_in: LIFETIME.scanned / 1000 };
    },

    /**
     * The challenge of a transaction that a phone has taken: the nonce that its decision must carry.
     *
     * @throws AppError `not_found` when no phone has taken it, or there is none
     */
    async challenge(claims: Readonly<Record<string, unknown>>): Promise<string> {
      const transaction = typeof claims.tx === 'string' ? await store.find(claims.tx) : undefined;
      if (!transaction?.challenge || transaction.deviceId !== claims.iss) throw unknown();
      return transaction.challenge;
    },

    /**
     * Approves or denies.
     *
     * @throws AppError `not_found`, `expired`, `replayed`, `invalid_signature` where something else was signed,
     *   `uv_required`, `wrong_account`, `device_revoked`, `locked`; each leaves the state as it was
     */
    async decide(call: SignedCall, { address }: { address: string }): Promise<Decided> {
      const { device } = call;
      const parsed = decisionClaims.safeParse(call.claims);
      if (!parsed.success) throw new AppError('invalid_request', 'a decision names tx, client_id, request_hash, and approve or deny');
      const claims = parsed.data;
      const found = await store.find(claims.tx);
      if (!found?.request || !found.challenge || found.deviceId !== device.id) throw unknown();
      const transaction = await core.current(found);
      if (transaction.state !== 'scanned') throw decisionRefusal(transaction);
      if (!equal(found.challenge, String(call.claims.nonce))) throw new AppError('invalid_nonce', 'nonce is not the challenge');
      if (claims.client_id !== transaction.clientId) throw new AppError('invalid_signature', 'what is signed names another client_id');
      if (!equal(claims.request_hash, requestHash(found.request))) {
        throw new AppError('invalid_signature', 'what is signed is not the hash of the request that this phone was given');
      }
      const deny = claims.decision === 'deny';
      if (!deny) {
        checkAccount(transaction, device.accountId);
        await checkLock(device.accountId);
      }
      const confirm = !deny && transaction.codeDue ? codes.newConfirm(transaction.id) : undefined;
      const to = deny ? 'denied' : confirm ? 'approved' : 'confirmed';

      const won = await db.transaction(async (tx) => {
        const usable = await stillUsable(device.id, tx);
        const level = call.userVerified && usable.levelCap === 2 ? 2 : 1;
        if (!deny && level < transaction.level) {
          throw new AppError('uv_required', 'this request needs the key that a PIN or biometry gates');
        }
        const decision = { receipt: call.jws, level, confirmHash: confirm?.hash } as const;
        if (!(await store.decide(transaction, to, decision, tx))) return false;
        const subject = { ...subjectOf(transaction), address };
        if (deny) await events.emit(tx, 'qr.denied', { ...subject, reason: 'person' });
        else await events.emit(tx, 'qr.approved', { ...subject, level, codeDue: transaction.codeDue });
        const expiresAt = clock() + (to === 'denied' ? 0 : LIFETIME[to]);
        await core.announce({ id: transaction.id, state: to, reason: deny ? 'person' : undefined, expiresAt }, tx);
        return true;
      });
      if (!won) throw decisionRefusal(await core.current((await store.find(transaction.id)) ?? transaction));
      return { state: to, ...(confirm && { confirm_code: confirm.code }), expires_in: to === 'denied' ? 0 : LIFETIME[to] / 1000 };
    },

    /** Throws `locked` while the account may approve nothing by QR. */
    checkLock,

    /** Counts a wrong confirm code against the account. The one that locks it is told, those after it are not. */
    async countMiss(transaction: QrTransaction, accountId: string): Promise<void> {
      if (await exhausts(() => accountLock.take(accountId))) return;
      if (!(await exhausts(() => accountLock.check(accountId)))) return;
      await db.transaction((tx) => events.emit(tx, 'qr.locked', { ...subjectOf(transaction), seconds: LOCK_SECONDS }));
    },
  };
}

/** Whether the limit that `work` asks has nothing left. */
async function exhausts(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof AppError && error.code === 'rate_limited') return true;
    throw error;
  }
}

/** A decision can be made once: whoever comes again, or too late, learns what became of it. */
function decisionRefusal(transaction: QrTransaction): AppError {
  const { state } = transaction;
  if (state === 'expired' || state === 'cancelled') return refusal(transaction);
  return new AppError('replayed', 'this sign-in has been decided already', { extra: { state } });
}
