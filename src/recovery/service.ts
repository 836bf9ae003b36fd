import type { Context, Transaction } from '../context.ts';
import { AppError } from '../errors.ts';
import type { HashingCost } from '../lib/argon2.ts';
import { networkOf } from '../lib/network.ts';
import { createCodeHashing, newCode, readCode, shownCode } from './codes.ts';
import './events.ts';
import type { Recovery } from './recovery.ts';
import { createRecoveryStore } from './store.ts';
import type { MayReplace } from './store.ts';

/** The second factors that codes stand for. */
export interface HeldFactors {
  /** Whether the account has one. */
  any(accountId: string, tx?: Transaction): Promise<boolean>;
  /** Whether it has an authenticator, be it off or not. */
  authenticators(accountId: string): Promise<boolean>;
  /** What its owner calls its phones and authenticators. */
  names(accountId: string): Promise<{ readonly phones: readonly string[]; readonly authenticators: readonly string[] }>;
  /** Whether its phones were lately reported lost by a password alone. */
  lostUnproven(accountId: string, tx: Transaction): Promise<boolean>;
  /** Revokes all phones as lost; returns how many there were. The caller knows that the account, or an administrator, wishes it. */
  endPhones(tx: Transaction, accountId: string, reason: EndReason, address?: string): Promise<number>;
  /** Removes all authenticators; returns how many there were. */
  endAuthenticators(tx: Transaction, accountId: string, reason: EndReason, address?: string): Promise<number>;
  /** The account has proven a further factor: what lately happened to its phones by a password alone was its own doing. */
  proven(tx: Transaction, accountId: string): Promise<void>;
}

export type EndReason = 'recovery' | 'reset';

/** Where a request came from, as far as it is known. */
interface Origin {
  readonly address?: string | undefined;
}

export interface RecoveryService extends Recovery {
  /** Makes a set for an account that has no code left; undefined where it has one. */
  makeFirst(accountId: string, origin?: Origin): Promise<string[] | undefined>;
  /** Makes a set in the place of that of `madeAt`; undefined where that has been replaced already. */
  makeAnew(accountId: string, madeAt: number | undefined, origin?: Origin): Promise<string[] | undefined>;
  /** When the account's codes were made, in epoch milliseconds. */
  madeAt(accountId: string): Promise<number | undefined>;
}

const COUNT = 10;
const HOUR = 3600;
const QUARTER = 900;

/** Creates the recovery codes of accounts. */
export function createRecoveryService(
  { db, clock, events, limits }: Pick<Context, 'db' | 'clock' | 'events' | 'limits'>,
  { held, hashing: cost }: { held: HeldFactors; hashing?: HashingCost | undefined },
): RecoveryService {
  const store = createRecoveryStore(db);
  const hashing = createCodeHashing(cost);
  // Of each network: nobody guesses 80 bits, and a thief of the password must not use up the tries of the owner.
  const perAccount = limits.limit({ name: 'recovery-account', points: 10, seconds: HOUR });
  const perAddress = limits.limit({ name: 'recovery-address', points: 100, seconds: QUARTER });

  async function make(accountId: string, { address }: Origin = {}, may: MayReplace = () => true): Promise<string[] | undefined> {
    const codes = Array.from({ length: COUNT }, newCode);
    const salt = hashing.newSalt();
    const hashes = await Promise.all(codes.map((code) => hashing.hash(code, salt)));
    const made = await db.transaction(async (tx) => {
      const replaced = await store.replace(accountId, { salt, madeAt: clock() }, hashes, tx, may);
      if (replaced) await events.emit(tx, 'recovery.codes_made', { accountId, count: COUNT, address });
      return replaced;
    });
    return made ? codes.map(shownCode) : undefined;
  }

  async function voidAll(tx: Transaction, accountId: string) {
    const count = await store.remove(accountId, tx);
    if (count > 0) await events.emit(tx, 'recovery.codes_voided', { accountId, count });
  }

  // A code opens the account for whoever holds it: once nothing else guards the account, it must not be the better key. But where a password
  // alone has reported the phones lost, the codes are what its owner may have left.
  events.subscribe(async (tx, event) => {
    // The payloads are other rooms'; what was never confirmed was no factor.
    const { name, payload } = event as { name: string; payload: { accountId?: string; reason?: string; proven?: boolean } };
    const { accountId, reason, proven } = payload;
    const gone = name === 'totp.removed' || (name === 'device.revoked' && reason !== 'unconfirmed' && proven !== false);
    if (!gone || !accountId || (await held.any(accountId, tx))) return;
    if (!(await held.lostUnproven(accountId, tx))) await voidAll(tx, accountId);
  });

  /** Whether this is an unused code of the account, which it then is no more; with all that its use entails. */
  async function take(hash: string, accountId: string, { keep, keepPhones = false, sessionUid, address, clientId }: Parameters<Recovery['use']>[2]): Promise<boolean> {
    return db.transaction(async (tx) => {
      await store.lock(accountId, tx);
      if (!(await store.use(accountId, hash, clock(), tx))) {
        await events.emit(tx, 'recovery.failed', { accountId, clientId, address });
        return false;
      }
      // The authenticators first, as their codes lock them before the phones.
      if (!keep) await held.endAuthenticators(tx, accountId, 'recovery', address);
      await held.proven(tx, accountId);
      if (!keep && !keepPhones) await held.endPhones(tx, accountId, 'recovery', address);
      if (!keep && !(await held.any(accountId, tx))) await voidAll(tx, accountId);
      const left = await store.left(accountId, tx);
      await events.emit(tx, 'recovery.used', { accountId, left, kept: keep, sessionUid, clientId, address });
      return true;
    });
  }

  return {
    has: async (accountId, tx) => (await store.left(accountId, tx)) > 0,
    left: (accountId) => store.left(accountId),
    madeAt: async (accountId) => (await store.find(accountId))?.madeAt,
    make: async (accountId, origin) => (await make(accountId, origin)) ?? [],
    async makeFirst(accountId, origin) {
      // Looked at before the ten hashes, which are for nothing most of the time.
      return (await store.left(accountId)) > 0 ? undefined : make(accountId, origin, ({ left }) => left === 0);
    },
    makeAnew: (accountId, madeAt, origin) => make(accountId, origin, (old) => old.madeAt === madeAt),
    void: voidAll,

    async use(accountId, typed, options) {
      const network = options.address === undefined ? undefined : networkOf(options.address);
      const key = `${accountId}|${network ?? ''}`;
      // Before the work, so that tries in parallel cannot all pass.
      if (network !== undefined) await perAddress.take(network);
      await perAccount.take(key);
      const [code, set] = [readCode(typed), await store.find(accountId)];
      // The same work whether or not there is anything to find.
      const hash = code && set ? await hashing.hash(code, set.salt) : await hashing.pretend();
      if (!(await take(hash, accountId, options))) throw new AppError('invalid_code', 'this is no recovery code of the account, or it was used before');
      await perAccount.forget(key);
      if (network !== undefined) await perAddress.refund(network);
    },
  };
}
