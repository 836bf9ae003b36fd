import type { ManagedAccounts } from '../../clients/managed-accounts/managed-accounts.ts';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { Actor } from '../../lib/actor.ts';
import { base64url, sha256 } from '../../lib/crypto.ts';
import { createSweeper } from '../../lib/database/sweeper.ts';
import type { AccountsService } from '../types.ts';
import { createAccountRequestStore } from './store.ts';

/** How long a key answers with the account that its request made, in milliseconds. */
export const KEY_MS = 24 * 3_600_000;
const HOUR = 3600;

/** A client's wish for an account. */
export interface AccountWish {
  readonly clientId: string;
  /** The client, as the audit log names it. */
  readonly actor: Actor;
  /** What makes the request one that may be sent again, for as long as {@link KEY_MS}. */
  readonly key: string | undefined;
  readonly email: string;
  readonly name?: string | undefined;
  readonly locale?: string | undefined;
}

export type AccountCreation = ReturnType<typeof createAccountCreation>;

/** Creates what makes accounts for the people of clients. */
export function createAccountCreation(
  context: Pick<Context, 'db' | 'clock' | 'limits' | 'log'>,
  { accounts, managed }: { accounts: Pick<AccountsService, 'create'>; managed: Pick<ManagedAccounts, 'add' | 'subjectOf'> },
) {
  const { db, clock, limits } = context;
  const store = createAccountRequestStore(db);
  const perClient = limits.limit({ name: 'account-create', points: 3000, seconds: HOUR });
  // A taken address tells that somebody has an account: whoever searches for those must not get far.
  const misses = limits.limit({ name: 'account-create-taken', points: 300, seconds: HOUR });
  const sweeper = createSweeper(context);
  sweeper.register({ table: 'tandem_account_requests', column: 'expires_at' });

  /** The account of the request that used this key before. @throws AppError `conflict` where that asked for something else */
  async function made(clientId: string, keyHash: string | undefined, bodyHash: string): Promise<string | undefined> {
    const before = keyHash === undefined ? undefined : await store.find(clientId, keyHash);
    if (!before) return undefined;
    if (before.expiresAt <= clock()) {
      await store.forget(clientId, before.keyHash, clock());
      return undefined;
    }
    if (before.bodyHash !== bodyHash) throw new AppError('conflict', 'this Idempotency-Key was used for another request', { extra: { reason: 'idempotency_key_reused' } });
    return before.accountId;
  }

  async function make({ clientId, actor, email, name, locale }: AccountWish, keyHash: string | undefined, bodyHash: string): Promise<string> {
    const { id } = await accounts.create({ email, name, locale }, {
      actor,
      async also(tx, account) {
        await managed.add(tx, clientId, account.id);
        if (keyHash !== undefined) await store.insert({ clientId, keyHash, bodyHash, accountId: account.id, expiresAt: clock() + KEY_MS }, tx);
      },
    });
    return id;
  }

  async function makeOnce(wish: AccountWish, keyHash: string | undefined, bodyHash: string): Promise<string> {
    const { clientId } = wish;
    try {
      return await make(wish, keyHash, bodyHash);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'email_taken') throw error;
      // Of two requests with the same key at once, the other may have made it.
      const other = await made(clientId, keyHash, bodyHash);
      if (other !== undefined) return other;
      throw taken();
    }
  }

  /** Takes the points before the work, so that tries in parallel cannot all pass; what was no miss gives its own back. */
  async function limited<T>(clientId: string, work: () => Promise<T>): Promise<T> {
    await perClient.take(clientId);
    await misses.take(clientId);
    let missed = false;
    try {
      return await work();
    } catch (error) {
      missed = error instanceof AppError && error.extra['reason'] === TAKEN;
      throw error;
    } finally {
      if (!missed) await misses.refund(clientId);
    }
  }

  return {
    /**
     * Makes an account without a password, which the client then looks after. The same wish with the same key makes one.
     *
     * @returns the subject by which the client knows it
     * @throws AppError `invalid_request`; `conflict` for an address that has an account, or a key that was used for another request; `rate_limited`
     */
    async create(wish: AccountWish): Promise<{ subject: string }> {
      const { clientId, key, email, name = null, locale = null } = wish;
      const [keyHash, bodyHash] = [key === undefined ? undefined : hashOf(key), hashOf(JSON.stringify([email, name, locale]))];
      let accountId = await made(clientId, keyHash, bodyHash);
      accountId ??= await limited(clientId, () => makeOnce(wish, keyHash, bodyHash));
      return { subject: await managed.subjectOf(clientId, accountId) };
    },

    sweep: () => sweeper.sweep(),
  };
}

const TAKEN = 'email_taken';
const taken = () => new AppError('conflict', 'there is an account with this e-mail address', { extra: { reason: TAKEN, field: 'email' } });

const hashOf = (text: string): string => base64url(sha256(text));
