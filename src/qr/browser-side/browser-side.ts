import { AppError } from '../../errors.ts';
import { randomToken } from '../../lib/crypto.ts';
import { networkOf } from '../../lib/network.ts';
import { ACR } from '../../oidc/acr.ts';
import type { Authentication } from '../../oidc/sign-in/interactions.ts';
import { refusal, subjectOf, type Parts } from '../transaction/core.ts';
import type { PhoneSide } from '../phone-side/phone-side.ts';
import type { Facts } from '../phone-side/request.ts';
import { isLive, type Purpose } from '../transaction/states.ts';
import { CONFIRM_TRIES } from '../transaction/store.ts';
import type { Glance, QrTransaction } from '../transaction/transaction.ts';

/** Transactions that one browser may have under way. */
const LIVE_PER_BROWSER = 3;
/** Transactions that one address may start in a minute; renewals of a page that is open do not count. */
const STARTS_PER_MINUTE = 30;
/** How often a start looks for a free place that other pages of the same browser keep taking. */
const ROUNDS = 5;
/** How long a page may renew its QR by itself, in milliseconds; then it waits for a click. */
const RENEW_FOR = 10 * 60_000;

/** A page of a browser: what a transaction belongs to. */
export interface Page {
  readonly uid: string;
  readonly browserHash: string;
}

export interface Start extends Page {
  readonly cid: string;
  readonly purpose: Purpose;
  readonly clientId: string;
  readonly policy: 'auto' | 'always';
  readonly expectedAccount: string | undefined;
  readonly knownAccounts: readonly string[];
  readonly level: 1 | 2;
  readonly facts: Facts;
  readonly isStatic: boolean;
  /** True when the page renews by itself, false when the person asked. */
  readonly renew: boolean;
  readonly address: string;
}

/** What browsers do with a transaction. Whoever is not the browser that started it learns nothing of it. */
export function createBrowserSide({ context, services, store, codes, core, options }: Parts, phones: Pick<PhoneSide, 'checkLock' | 'countMiss'>) {
  const { db, clock, events, limits } = context;
  const starts = limits.limit({ name: 'qr-start', points: options.startsPerMinute ?? STARTS_PER_MINUTE, seconds: 60 });

  /** The page's newest transaction, as it stands now; `not_found` alike where there is none and where it is another browser's. */
  async function ofPage({ uid, browserHash }: Page): Promise<QrTransaction> {
    const transaction = await store.findByPage(uid, browserHash);
    if (!transaction) throw new AppError('not_found', 'there is no such sign-in');
    return core.current(transaction);
  }

  function serves(transaction: QrTransaction, start: Start): boolean {
    const same = transaction.cid === start.cid && transaction.purpose === start.purpose;
    return same && (transaction.state !== 'pending' || transaction.isStatic === start.isStatic);
  }

  /** Frees a slot for a new transaction: one that shows the same request otherwise, or else the oldest that no phone has taken. */
  async function makeRoom(held: readonly QrTransaction[], start: Start): Promise<number> {
    const same = held.find((each) => each.cid === start.cid && each.state === 'pending');
    const pending = held.filter((each) => each.state === 'pending').sort((a, b) => a.startedAt - b.startedAt);
    const victim = same ?? (held.length < LIVE_PER_BROWSER ? undefined : pending[0]);
    if (victim) await db.transaction((tx) => core.cancel(victim, 'replaced', tx));
    const taken = new Set(held.filter((each) => each !== victim).map(({ slot }) => slot));
    const free = Array.from({ length: LIVE_PER_BROWSER }, (_, slot) => slot).find((slot) => !taken.has(slot));
    if (free !== undefined) return free;
    const wait = Math.min(...held.map(({ expiresAt }) => expiresAt)) - clock();
    throw new AppError('rate_limited', 'too many sign-ins are under way in this browser', { retryAfter: Math.max(1, Math.ceil(wait / 1000)) });
  }

  async function firstStart(start: Start): Promise<number> {
    if (!start.renew) {
      await starts.take(networkOf(start.address));
      return clock();
    }
    const previous = await store.findByPage(start.uid, start.browserHash);
    const first = previous?.firstStartedAt;
    if (!previous || previous.state !== 'expired' || first === undefined || clock() - first >= RENEW_FOR) {
      throw new AppError('expired', 'nobody has used this page for a while', { extra: { state: 'expired', renew: false } });
    }
    return first;
  }

  async function insert(start: Start, slot: number, firstStartedAt: number): Promise<QrTransaction> {
    const { uid, cid, purpose, browserHash, clientId, policy, expectedAccount, knownAccounts, level, isStatic } = start;
    const id = randomToken(16);
    return db.transaction(async (tx) => {
      const transaction = await store.insert(
        {
          id, uid, cid, purpose, browserHash, slot, clientId, policy, expectedAccount, knownAccounts, level, isStatic, firstStartedAt,
          facts: JSON.stringify(start.facts),
          codeHash: codes.typedHash(codes.typed(id)),
        },
        tx,
      );
      const { family, os } = start.facts.browser;
      const about = { purpose, isStatic, renewed: start.renew, browser: `${family} · ${os}` };
      await events.emit(tx, 'qr.started', { transactionId: id, clientId, address: start.address, ...about });
      return transaction;
    });
  }

  /** Those of this browser that hold a slot, after those that have run out have given theirs back. */
  async function holding(browserHash: string): Promise<QrTransaction[]> {
    const held = await Promise.all((await store.findOfBrowser(browserHash)).map((each) => core.current(each)));
    return held.filter(({ state }) => isLive(state));
  }

  return {
    ofPage,

    /** Like {@link ofPage}, for pages that ask again and again: reads a few columns of one row. */
    async glance(page: Page): Promise<Glance> {
      const seen = await store.glance(page.uid, page.browserHash);
      if (!seen || (isLive(seen.state) && seen.expiresAt <= clock())) return ofPage(page);
      return seen;
    },

    /** The code to type into the phone in place of scanning. */
    typedCode: ({ id }: QrTransaction) => codes.typed(id),

    /** Whether the page may renew its QR without a click. */
    mayRenew: ({ state, reason, firstStartedAt }: Pick<QrTransaction, 'state' | 'reason' | 'firstStartedAt'>) =>
      state === 'expired' && reason === 'pending' && clock() - firstStartedAt < RENEW_FOR,

    /**
     * Shows a QR for an authorization request: the one that is under way, or a new one.
     *
     * @throws AppError `rate_limited`; `expired` when a page asks to renew what it must be clicked for
     */
    async start(start: Start): Promise<QrTransaction> {
      let firstStartedAt: number | undefined;
      for (let round = 0; ; round += 1) {
        const held = await holding(start.browserHash);
        const present = held.find((each) => serves(each, start));
        if (present) {
          if (present.uid !== start.uid) await store.attach(present.id, start.uid);
          return { ...present, uid: start.uid };
        }
        firstStartedAt ??= await firstStart(start);
        const slot = await makeRoom(held, start);
        try {
          return await insert(start, slot, firstStartedAt);
        } catch (error) {
          // Another page of this browser took the slot meanwhile: look again.
          if (!db.isUniqueViolation(error)) throw error;
          if (round >= ROUNDS) throw new AppError('rate_limited', 'too many sign-ins start at once in this browser', { retryAfter: 1 });
        }
      }
    },

    /**
     * Types the confirm code.
     *
     * @throws AppError `invalid_code` with `tries_left`, `locked`, or why there is no code to type
     */
    async confirm(page: Page, code: string, address: string): Promise<QrTransaction> {
      const digits = code.replace(/[\s-]/g, '');
      if (!/^\d{6}$/.test(digits)) throw new AppError('invalid_request', 'the code has six digits');
      const transaction = await ofPage(page);
      const { id, accountId } = transaction;
      if (transaction.state !== 'approved' || accountId === undefined) throw refusal(transaction);
      await phones.checkLock(accountId);

      const outcome = await db.transaction(async (tx) => {
        if (!(await store.attempt(id, tx))) return undefined;
        const tried = await store.find(id, tx);
        if (!tried?.confirmHash) return undefined;
        const subject = { ...subjectOf(tried), address };
        if (codes.confirms(id, digits, tried.confirmHash)) {
          if (!(await core.move('confirm', tried, 'confirmed', undefined, tx))) return undefined;
          await events.emit(tx, 'qr.confirmed', subject);
          return 'confirmed' as const;
        }
        const triesLeft = CONFIRM_TRIES - tried.confirmTries;
        await events.emit(tx, 'qr.code_missed', { ...subject, triesLeft });
        if (triesLeft <= 0) {
          await core.move('exhaust', tried, 'denied', 'code', tx);
          await events.emit(tx, 'qr.denied', { ...subject, reason: 'code' });
        }
        return triesLeft;
      });

      if (outcome === undefined) throw refusal(await ofPage(page));
      if (outcome === 'confirmed') return ofPage(page);
      await phones.countMiss(transaction, accountId);
      const extra = outcome > 0 ? { tries_left: outcome } : { tries_left: 0, state: 'denied', reason: 'code' };
      throw new AppError('invalid_code', 'this is not the code that the phone shows', { extra });
    },

    /** Gives up; returns what became of it where it had ended already. */
    async cancel(page: Page): Promise<QrTransaction> {
      const transaction = await ofPage(page);
      await db.transaction((tx) => core.cancel(transaction, 'browser', tx));
      return ofPage(page);
    },

    /**
     * Turns the approval into an authentication, once.
     *
     * @returns with the client that enrolled the phone, where one did
     * @param page with the authorization request whose interaction cookie the browser sent
     * @throws AppError `not_found`, `expired`, `access_denied`, `replayed`, `conflict` where no approval waits; `device_revoked`
     */
    async redeem(page: Page & { cid: string; expectedAccount: string | undefined }, address: string): Promise<Authentication & { readonly enrolledBy: string | undefined }> {
      const transaction = await ofPage(page);
      if (transaction.cid !== page.cid) throw new AppError('not_found', 'there is no such sign-in');
      const { state, accountId, deviceId, decidedAt, provenLevel } = transaction;
      if (state !== 'confirmed' || accountId === undefined || deviceId === undefined || decidedAt === undefined) throw refusal(transaction);
      if (page.expectedAccount !== undefined && page.expectedAccount !== accountId) {
        throw new AppError('wrong_account', 'this request is for another account');
      }
      const acr = provenLevel === 2 ? ACR.twoQr : ACR.oneQr;
      const phone = await db.transaction(async (tx) => {
        const device = await services.devices.usable(deviceId, tx);
        if (!device) throw new AppError('device_revoked', 'the phone that approved was revoked');
        if (!(await core.move('redeem', transaction, 'consumed', undefined, tx))) return undefined;
        await events.emit(tx, 'qr.redeemed', { ...subjectOf(transaction), acr, address });
        return device;
      });
      if (!phone) throw refusal(await ofPage(page));
      const amr = ['swk', 'user', 'mca', ...(provenLevel === 2 ? ['mfa'] : [])];
      return { accountId, acr, amr, authTime: Math.floor(decidedAt / 1000), deviceId, enrolledBy: phone.enrolledBy };
    },
  };
}
