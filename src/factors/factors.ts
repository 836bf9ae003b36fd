import type { Transaction } from '../context.ts';
import { AppError } from '../errors.ts';
import { ACR, satisfies } from '../oidc/acr.ts';

/** What comes or goes. */
export type FactorChange = 'phone' | 'authenticator' | 'recovery_codes';

/** What a sign-in must have proven before it may change the factors of an account. */
export interface FactorRequirement {
  /** Authentication context classes, any of which will do; as `acr_values` asks for them. */
  readonly acr: readonly string[];
  /** What the person has that proves it: a phone, a code of an app, or no more than a recovery code. */
  readonly by: 'phone' | 'code' | 'recovery';
}

/**
 * The rule for adding and removing factors, in one place for phones, authenticators and recovery codes. That the sign-in is fresh is for the
 * {@link import('./change-gate.ts').ChangeGate} to see to.
 *
 * Their rows are locked in this order, each by its own room: authenticators, phones, recovery codes. What is told of a factor within its transaction
 * reaches only rooms further on. The use of a recovery code alone begins at the end, as it shows what to lock: where it meets another change of the
 * same account, the database ends the one, and `db.transaction` runs it again.
 */
export interface Factors {
  /**
   * What a sign-in of class `acr` lacks; undefined where it lacks nothing. An account without a factor asks for no more than its password.
   * Ask again inside the transaction of the change.
   */
  missing(acr: string | undefined, accountId: string, change: FactorChange, tx?: Transaction): Promise<FactorRequirement | undefined>;
  /** Whether a sign-in of class `acr` lacks nothing. */
  suffices(acr: string | undefined, accountId: string, change: FactorChange, tx?: Transaction): Promise<boolean>;
  /** Throws where {@link Factors.missing} names something. @throws AppError `access_denied` */
  check(acr: string | undefined, accountId: string, change: FactorChange, tx: Transaction): Promise<void>;
  /** Whether the account has a phone. */
  phones(accountId: string, tx?: Transaction): Promise<boolean>;
  /** Whether the account has a second factor: a phone or an authenticator. */
  any(accountId: string, tx?: Transaction): Promise<boolean>;
}

/** What the rule asks of the rooms of the factors; where a room is off, its answer is that there is none. */
export interface FactorRooms {
  /** The strongest class that the account's phones can prove; undefined where it has none. */
  phones(accountId: string, tx?: Transaction): Promise<string | undefined>;
  /** Whether a phone was lately reported lost, or put away, by a proof that could not have added one. */
  lostUnproven(accountId: string, tx?: Transaction): Promise<boolean>;
  /** Whether the account has an authenticator, be it off or not. */
  authenticators(accountId: string, tx?: Transaction): Promise<boolean>;
}

/** Creates the rule. */
export function createFactors({ phones, lostUnproven, authenticators }: FactorRooms): Factors {
  async function requirement(accountId: string, change: FactorChange, tx?: Transaction): Promise<FactorRequirement | undefined> {
    if (await authenticators(accountId, tx)) return { acr: [ACR.two], by: 'code' };
    const reach = await phones(accountId, tx);
    if (reach !== undefined && satisfies(reach, ACR.two)) return { acr: [ACR.two], by: 'phone' };
    // Whoever has the password alone can report a phone lost. The next phone then counts for less for a week; an authenticator or new
    // recovery codes would be level 2 at once, and go round that.
    if (change !== 'phone' && (await lostUnproven(accountId, tx))) return { acr: [ACR.two], by: 'recovery' };
    return reach === undefined ? undefined : { acr: [ACR.oneQr, ACR.two], by: 'phone' };
  }

  async function missing(acr: string | undefined, accountId: string, change: FactorChange, tx?: Transaction): Promise<FactorRequirement | undefined> {
    const wanted = await requirement(accountId, change, tx);
    return wanted?.acr.some((each) => satisfies(acr, each)) ? undefined : wanted;
  }

  return {
    missing,
    suffices: async (...change) => (await missing(...change)) === undefined,
    async check(acr, accountId, change, tx) {
      if (await missing(acr, accountId, change, tx)) throw new AppError('access_denied', 'another factor of the account must vouch for this');
    },
    phones: async (accountId, tx) => (await phones(accountId, tx)) !== undefined,
    any: async (accountId, tx) => (await authenticators(accountId, tx)) || (await phones(accountId, tx)) !== undefined,
  };
}
