import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { actedBy, type Actor } from '../../lib/actor.ts';
import { page } from '../../lib/paging.ts';
import './events.ts';
import { createManagedAccountStore, type ManagedAccount } from './store.ts';

/** How a client calls accounts: by the subject that its sector sees. */
export interface Naming {
  /** In the order of the accounts. @throws AppError `not_found` where there is no such client */
  subjectsOf(clientId: string, accountIds: readonly string[]): Promise<readonly string[]>;
  /** Undefined for a subject that the client's sector does not know. */
  accountOf(clientId: string, subject: string): Promise<string | undefined>;
}

/**
 * The accounts that clients look after: those that they made, and those that an administrator gave them. A client reaches no other, and an
 * account may have several such clients.
 */
export interface ManagedAccounts {
  /** In the transaction that made the account. */
  add(tx: Transaction, clientId: string, accountId: string): Promise<void>;
  /**
   * Gives an account to a client; it may have it already.
   *
   * @param guard asked in the same transaction; what it throws ends that
   * @returns the subject by which the client knows the account
   * @throws AppError `not_found` where there is no such client
   */
  give(clientId: string, accountId: string, actor: Actor, guard?: (tx: Transaction) => Promise<void>): Promise<{ subject: string }>;
  /** @throws AppError `not_found` where the client does not have the account */
  take(tx: Transaction, clientId: string, accountId: string, actor: Actor): Promise<void>;
  /**
   * @param page `limit`: 1 to 200 (default 50); `cursor`: of the page before
   * @throws AppError `not_found` where there is no such client; `invalid_request`
   */
  list(clientId: string, page?: { limit?: number | undefined; cursor?: string | undefined }): Promise<{ accounts: ReadonlyArray<ManagedAccount & { subject: string }>; cursor?: string }>;
  /** Whether any client looks after the account. */
  isManaged(accountId: string, tx?: Transaction): Promise<boolean>;
  /** Whether the client looks after the account; inside `tx` it stays so until that ends. */
  manages(clientId: string, accountId: string, tx?: Transaction): Promise<boolean>;
  /** Since when the client looks after the account, in milliseconds since the epoch; undefined where it does not. */
  since(clientId: string, accountId: string): Promise<number | undefined>;
  /** The account of a subject, where the client looks after it. Unknown, malformed and others' are all undefined. */
  find(clientId: string, subject: string): Promise<string | undefined>;
  /** The subject by which a client knows an account, its own or not. @throws AppError `not_found` where there is no such client */
  subjectOf(clientId: string, accountId: string): Promise<string>;
}

/** What can be a subject (OpenID Connect Core §2). */
const SUBJECT = /^[\x21-\x7e]{1,255}$/;
/** Events after which a client is none. */
const ENDING: ReadonlySet<string> = new Set(['client.deleted', 'client.self_deleted']);

/** Creates the list of who looks after which accounts. */
export function createManagedAccounts(context: Pick<Context, 'db' | 'clock' | 'events'>, naming: Naming): ManagedAccounts {
  const { db, events } = context;
  const store = createManagedAccountStore(context);

  events.subscribe(async (tx, { name, payload }) => {
    if (ENDING.has(name) && payload.clientId !== undefined) await store.removeAll(payload.clientId, tx);
  });

  const subjectOf = async (clientId: string, accountId: string): Promise<string> => (await naming.subjectsOf(clientId, [accountId]))[0]!;

  return {
    subjectOf,

    async add(tx, clientId, accountId) {
      await store.add(clientId, accountId, tx);
    },

    async give(clientId, accountId, actor, guard) {
      // Before the transaction: the client is looked up, and the subject made, where no other statement may be under way.
      const subject = await subjectOf(clientId, accountId);
      await db.transaction(async (tx) => {
        await guard?.(tx);
        if (await store.add(clientId, accountId, tx)) await events.emit(tx, 'account.given', { accountId, clientId, ...actedBy(actor) });
      });
      return { subject };
    },

    async take(tx, clientId, accountId, actor) {
      if (!(await store.remove(clientId, accountId, tx))) throw new AppError('not_found', 'the client does not look after this account');
      await events.emit(tx, 'account.taken', { accountId, clientId, ...actedBy(actor) });
    },

    async list(clientId, asked = {}) {
      const { items, cursor } = await page(asked, ['string'], {
        read: (limit, after) => store.list(clientId, limit, after?.[0] ?? ''),
        positionOf: ({ accountId }) => [accountId],
      });
      const subjects = await naming.subjectsOf(clientId, items.map(({ accountId }) => accountId));
      return { accounts: items.map((account, index) => ({ ...account, subject: subjects[index]! })), ...(cursor !== undefined && { cursor }) };
    },

    isManaged: (accountId, tx) => store.any(accountId, tx),
    manages: (clientId, accountId, tx) => store.has(clientId, accountId, tx),
    since: (clientId, accountId) => store.since(clientId, accountId),

    async find(clientId, subject) {
      const accountId = SUBJECT.test(subject) ? await naming.accountOf(clientId, subject) : undefined;
      return accountId !== undefined && (await store.has(clientId, accountId)) ? accountId : undefined;
    },
  };
}
