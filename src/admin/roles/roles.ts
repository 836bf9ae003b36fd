import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { actedBy, type Actor } from '../../lib/actor.ts';
import type {} from '../events.ts';
import { createRoleStore } from './store.ts';

/** Who may administer. */
export interface Roles {
  isAdmin(accountId: string, tx?: Transaction): Promise<boolean>;
  /**
   * Makes the account an administrator, who then has every authority that there is: only who has that gives it.
   *
   * @param options `exempt`: its first phone counts in full at once, as for who set the installation up
   * @throws AppError `access_denied`; `insufficient_scope` where a person acts by a client that may not ask for this
   */
  grant(tx: Transaction, accountId: string, actor: Actor, options?: { exempt?: boolean }): Promise<void>;
  /** @throws AppError `conflict` where nobody would be left and the actor is not the command line; `access_denied` */
  revoke(tx: Transaction, accountId: string, actor: Actor): Promise<void>;
  /** Whether the first phone of this account counts in full at once; that is told once. */
  useExemption(accountId: string, tx: Transaction): Promise<boolean>;
}

/** Creates the roles of accounts. */
export function createRoles({ db, clock, events }: Pick<Context, 'db' | 'clock' | 'events'>): Roles {
  const store = createRoleStore(db);

  return {
    isAdmin: (accountId, tx) => store.has(accountId, tx),

    async grant(tx, accountId, actor, { exempt = false } = {}) {
      checkMayGrant(actor);
      if (!(await store.grant(accountId, exempt, clock(), tx))) return;
      await events.emit(tx, 'role.granted', { accountId, role: 'admin', ...actedBy(actor) });
    },

    async revoke(tx, accountId, actor) {
      checkAuthority(actor);
      const admins = await store.lockAll(tx);
      if (!admins.includes(accountId)) return;
      if (admins.length === 1 && actor.kind !== 'command-line') throw new AppError('conflict', 'this is the last administrator; make another one first');
      await store.revoke(accountId, tx);
      await events.emit(tx, 'role.revoked', { accountId, role: 'admin', ...actedBy(actor) });
    },

    useExemption: (accountId, tx) => store.useExemption(accountId, tx),
  };
}

/**
 * Makes sure that what gives power over an administrator is done by one, or by the machine: a client that acts for itself could else
 * give itself, by way of a person, what it was not given.
 *
 * @throws AppError `access_denied`
 */
export function checkAuthority({ kind }: Pick<Actor, 'kind'>): void {
  if (kind === 'client') throw new AppError('access_denied', 'only an administrator may do this: a client for itself may not');
}

/**
 * As {@link checkAuthority}; and a client that an administrator uses makes no others where it may not ask for that, whichever operation it comes by.
 *
 * @throws AppError `access_denied`, `insufficient_scope` with `extra.scope`
 */
export function checkMayGrant(actor: Pick<Actor, 'kind' | 'authority'>): void {
  checkAuthority(actor);
  const { authority } = actor;
  if (authority !== 'all' && !authority.has(GRANT)) throw new AppError('insufficient_scope', `the client may not ask for the scope ${GRANT}`, { extra: { scope: GRANT } });
}

const GRANT = 'admin:roles:grant';
