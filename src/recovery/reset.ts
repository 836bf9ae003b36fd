import type { Context } from '../context.ts';
import { actedBy, type Actor } from '../lib/actor.ts';
import type { Recovery } from './recovery.ts';
import type { HeldFactors } from './service.ts';

/** What an administrator took away. */
export interface SecondFactorReset {
  readonly accountId: string;
  /** How many authenticators the account had. */
  readonly authenticators: number;
  /** How many phones were revoked as lost. */
  readonly phones: number;
  /** How many recovery codes it had left. */
  readonly codes: number;
}

/** @param options `by`: who does it, in words; `actor`: in the audit log's, where it is known */
export type ResetSecondFactor = (accountId: string, options: { keepPhones: boolean; by: string; actor?: Actor | undefined }) => Promise<SecondFactorReset>;

/**
 * Creates the reset of an account's second factor: authenticators, phones and recovery codes go in one transaction, and with them its sessions.
 * Where there is nothing, nothing happens.
 */
export function createSecondFactorReset(
  { db, events }: Pick<Context, 'db' | 'events'>,
  { held, recovery }: { held: HeldFactors; recovery: Recovery },
): ResetSecondFactor {
  return async (accountId, { keepPhones, by, actor }) => {
    const codes = await recovery.left(accountId);
    return db.transaction(async (tx) => {
      const authenticators = await held.endAuthenticators(tx, accountId, 'reset');
      const phones = keepPhones ? 0 : await held.endPhones(tx, accountId, 'reset');
      if (authenticators + phones + codes === 0) return { accountId, authenticators, phones, codes };
      await recovery.void(tx, accountId);
      // Whoever has reported the phones lost: that the next one may count is what the administrator has just looked into.
      await held.proven(tx, accountId);
      await events.emit(tx, 'second_factor.reset', { accountId, by, authenticators, phones, ...(actor && actedBy(actor)) });
      return { accountId, authenticators, phones, codes };
    });
  };
}
