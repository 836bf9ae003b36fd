import type { Context, Transaction } from '../context.ts';
import { AppError } from '../errors.ts';
import { actedBy } from '../lib/actor.ts';
import type { HashingCost } from '../lib/argon2.ts';
import { base64url, sha256, uuid } from '../lib/crypto.ts';
import { chosenName } from '../lib/names.ts';
import { networkOf } from '../lib/network.ts';
import { emailKey, parseEmail } from './email.ts';
import './events.ts';
import { createHashing } from './hashing.ts';
import { createPasswordRule } from './password-rule.ts';
import { createAccountStore, type Account, type AccountRecord } from './store.ts';
import type { AccountsService, Attempt, Making, Origin } from './types.ts';

export interface AccountsOptions {
  /** The shortest password, in code points; 10 unless told otherwise. */
  readonly minPasswordLength?: number;
  /** What the hash of a password, or of a recovery code, costs; Argon2id with 19 MiB and two passes unless told otherwise. */
  readonly hashing?: HashingCost;
}

const QUARTER = 15 * 60;
const HOUR = 60 * 60;
const MAX_NAME = 100;

/** Creates the accounts of this provider. */
export function createAccounts(context: Context, options: AccountsOptions = {}): AccountsService {
  const { db, clock, events, issuer } = context;
  const store = createAccountStore(db);
  const hashing = createHashing(options.hashing);
  const passwordRule = createPasswordRule(
    options.minPasswordLength === undefined ? {} : { minLength: options.minPasswordLength },
  );
  const site = [new URL(issuer).hostname, new URL(issuer).hostname.split('.').at(-2) ?? ''];

  const perAccount = context.limits.limit({ name: 'password-account', points: 10, seconds: QUARTER });
  const perBrowser = context.limits.limit({ name: 'password-browser', points: 10, seconds: QUARTER });
  const perAddress = context.limits.limit({ name: 'password-address', points: 100, seconds: QUARTER });
  const registrations = context.limits.limit({ name: 'register-address', points: 20, seconds: HOUR });

  /**
   * Takes a point before the work, so that tries in parallel cannot all pass; a success gives it back, or a company
   * behind one address could not begin its day. A browser on which the account has signed in before has a limit of its own: a stranger who uses up the account's
   * does not lock its owner out (OWASP "device cookies").
   */
  async function limited<T>(key: string, record: AccountRecord | undefined, attempt: Attempt, work: () => Promise<T>) {
    const { address, browser } = attempt;
    const network = address === undefined ? undefined : networkOf(address);
    if (network !== undefined) await perAddress.take(network);
    const known = record && browser?.knows(record.id) ? browser.name : undefined;
    const limit = known === undefined ? perAccount : perBrowser;
    const name = base64url(sha256(known === undefined ? key : `${known}|${key}`));
    await limit.take(name);
    const result = await work();
    await limit.forget(name);
    if (network !== undefined) await perAddress.refund(network);
    return result;
  }

  /** Throws `invalid_credentials` unless `password` is that of `record`; without a record, after the same work. */
  async function prove(record: AccountRecord | undefined, password: string, { address }: Attempt): Promise<AccountRecord> {
    const matches = await hashing.verify(record?.passwordHash, password);
    if (record && matches) return record;
    await db.transaction((tx) => events.emit(tx, 'account.password_failed', { accountId: record?.id, address }));
    throw new AppError('invalid_credentials', 'the e-mail address or the password is wrong');
  }

  async function rehash(record: AccountRecord, password: string) {
    const { id, passwordHash } = record;
    if (passwordHash === undefined || !hashing.isOutdated(passwordHash)) return;
    await store.rehash(id, await hashing.hash(password), passwordHash);
  }

  async function mustFind(accountId: string): Promise<AccountRecord> {
    const record = await store.find(accountId);
    if (!record) throw new AppError('not_found', 'there is no such account');
    return record;
  }

  function recordOf({ email, key }: ReturnType<typeof parseEmail>, input: { name?: string | undefined; locale?: string | undefined }) {
    const now = clock();
    const times = { createdAt: now, updatedAt: now, passwordChangedAt: now };
    const record = { id: uuid(), email, name: parseName(input.name), locale: parseLocale(input.locale), passwordHash: undefined, ...times } satisfies AccountRecord;
    return { record, key };
  }

  /** Puts `hash` in the place of the password that `record` has, if it has. */
  async function replacePassword({ id, passwordHash }: AccountRecord, hash: string, { sessionUid, address }: Origin & { readonly sessionUid?: string | undefined }) {
    await db.transaction(async (tx) => {
      const changed = await store.changePassword(id, hash, passwordHash, clock(), tx);
      if (!changed) throw new AppError('conflict', 'the password has just been changed elsewhere');
      await events.emit(tx, 'account.password_changed', { accountId: id, sessionUid, address });
    });
  }

  async function insert(record: AccountRecord, key: string, { address, actor, also }: Making) {
    try {
      await db.transaction(async (tx: Transaction) => {
        await store.insert(record, key, tx);
        if (actor) await events.emit(tx, 'account.created', { accountId: record.id, ...(actor.kind === 'client' && { clientId: actor.id }), ...actedBy(actor) });
        else await events.emit(tx, 'account.registered', { accountId: record.id, address });
        await also?.(tx, publicOf(record));
      });
    } catch (error) {
      if (db.isUniqueViolation(error)) throw new AppError('email_taken', 'there is an account with this address', { cause: error });
      throw error;
    }
  }

  return {
    passwordRule,

    async register(input, making = {}) {
      const { record, key } = recordOf(parseEmail(input.email), input);
      passwordRule.check(input.password, { email: record.email, name: record.name, site });
      if (making.address !== undefined) await registrations.take(networkOf(making.address));
      const passwordHash = await hashing.hash(input.password);
      await insert({ ...record, passwordHash }, key, making);
      return publicOf(record);
    },

    async create(input, making) {
      const { record, key } = recordOf(parseEmail(input.email), input);
      await insert(record, key, making);
      return publicOf(record);
    },

    async verifyPassword(email, password, attempt = {}) {
      const key = emailKey(email);
      const record = key === undefined ? undefined : await store.findByEmail(key);
      const proven = await limited(key ?? email, record, attempt, () => prove(record, password, attempt));
      await rehash(proven, password);
      const { address } = attempt;
      await db.transaction((tx) =>
        events.emit(tx, 'account.signed_in', { accountId: proven.id, method: 'password', address }),
      );
      return publicOf(proven);
    },

    async find(accountId) {
      const record = await store.find(accountId);
      return record && { accountId: record.id, label: record.email, name: record.name, email: record.email, locale: record.locale };
    },

    async profile(accountId) {
      const record = await store.find(accountId);
      return record && publicOf(record);
    },

    async findByEmail(email) {
      const key = emailKey(email);
      const record = key === undefined ? undefined : await store.findByEmail(key);
      return record && publicOf(record);
    },

    async rename(accountId, name, { address } = {}) {
      const parsed = parseName(name);
      await db.transaction(async (tx) => {
        if (!(await store.rename(accountId, parsed, clock(), tx))) throw new AppError('not_found', 'there is no such account');
        await events.emit(tx, 'account.profile_changed', { accountId, address });
      });
    },

    async changePassword(accountId, { current, next }, attempt = {}) {
      const record = await mustFind(accountId);
      await limited(emailKey(record.email) ?? record.email, record, attempt, () => prove(record, current, attempt));
      passwordRule.check(next, { email: record.email, name: record.name, site });
      await replacePassword(record, await hashing.hash(next), attempt);
    },

    async hasPassword(accountId) {
      return (await store.find(accountId))?.passwordHash !== undefined;
    },

    async setPassword(accountId, password, origin = {}) {
      const record = await mustFind(accountId);
      if (record.passwordHash !== undefined) throw new AppError('conflict', 'the account has a password; to change it takes that one');
      passwordRule.check(password, { email: record.email, name: record.name, site });
      await replacePassword(record, await hashing.hash(password), origin);
    },

    async signedOut(accountId, { address } = {}) {
      await db.transaction((tx) => events.emit(tx, 'account.signed_out', { accountId, address }));
    },

    async findAccount(_ctx, sub) {
      const record = await store.find(sub);
      return record && { accountId: record.id, passwordChangedAt: record.passwordChangedAt, claims: () => claimsOf(record) };
    },
  };
}

/** OpenID Connect Core §5.1. The provider puts the pairwise subject in place of `sub`. */
function claimsOf({ id, email, name, updatedAt }: AccountRecord) {
  return {
    sub: id,
    email,
    // Nobody has proven to read this mailbox.
    email_verified: false,
    ...(name !== undefined && { name }),
    updated_at: Math.floor(updatedAt / 1000),
  };
}

function publicOf({ id, email, name, createdAt, updatedAt, passwordChangedAt }: AccountRecord): Account {
  return { id, email, name, createdAt, updatedAt, passwordChangedAt };
}

/** A name as it is shown: on one line, whatever it was typed on. */
function parseName(name: string | undefined): string | undefined {
  return chosenName(name?.replace(/\s+/gu, ' '), MAX_NAME);
}

/** A language tag (RFC 5646) in the shape that languages and regions have. */
function parseLocale(locale: string | undefined): string | undefined {
  if (locale === undefined || (locale.length <= 35 && /^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i.test(locale))) return locale;
  throw new AppError('invalid_request', 'a locale is a language tag such as de or fr-CA', { extra: { field: 'locale' } });
}
