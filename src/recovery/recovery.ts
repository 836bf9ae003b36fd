import type Router from '@koa/router';
import type { Context, Transaction } from '../context.ts';
import type { ChangeGate } from '../factors/change-gate.ts';
import type { Factors } from '../factors/factors.ts';
import type { HashingCost } from '../lib/argon2.ts';
import type { Browsers } from '../lib/http/browser.ts';
import type { RouteContext } from '../lib/http/route.ts';
import type { Views } from '../lib/views/views.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { Interactions } from '../oidc/sign-in/interactions.ts';
import type { SignInGate, SignInMethod } from '../oidc/sign-in/sign-in.ts';
import { recoveryPages } from './pages.ts';
import { createSecondFactorReset } from './reset.ts';
import { createRecoveryService } from './service.ts';
import type { HeldFactors } from './service.ts';
import { createRecoverySignIn } from './sign-in.ts';

/** Codes for the day on which phone and authenticator are gone. */
export interface Recovery {
  has(accountId: string, tx?: Transaction): Promise<boolean>;
  /** How many codes are unused. */
  left(accountId: string): Promise<number>;
  /** Makes a new set of ten, which voids the old. The codes are in this answer alone. */
  make(accountId: string, origin?: { address?: string | undefined }): Promise<string[]>;
  /** Voids the codes, as when the last factor that they stand for is gone. */
  void(tx: Transaction, accountId: string): Promise<void>;
  /**
   * Uses a code, once. Unless told to `keep` them, the account's phones are revoked as lost, its authenticators removed,
   * and its sessions ended but that of `sessionUid`.
   *
   * @param options `keepPhones` where a phone has just signed in: then it is not lost, whatever else is
   * @throws AppError `invalid_code`, `rate_limited`
   */
  use(
    accountId: string,
    code: string,
    options: { keep: boolean; keepPhones?: boolean; sessionUid?: string | undefined; address?: string | undefined; clientId?: string | undefined },
  ): Promise<void>;
}

/** Where the page with the codes leads on: to a page, or with `fields` by a form that posts them, and our token, to it. */
export interface AfterCodes {
  readonly path: string;
  readonly label?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

/** Answers this request with the codes of a first set where the account has none yet; false where it has. `next` is where the page leads on. */
export type ShowFirstCodes = (ctx: RouteContext, accountId: string, next: AfterCodes) => Promise<boolean>;

export interface RecoveryRooms {
  readonly accounts: AccountDirectory;
  readonly gate: SignInGate;
  readonly views: Views;
  readonly browsers: Pick<Browsers, 'remember'>;
  /** The rule for adding and removing factors. */
  readonly factors: Factors;
  /** Who may go where new codes are made. */
  readonly changes: ChangeGate;
  /** The factors that codes stand for. */
  readonly held: HeldFactors;
  /** The path of the account's own page under the issuer. */
  readonly home: string;
  /** What trying a code costs; Argon2id with 19 MiB and two passes unless told otherwise. */
  readonly hashing?: HashingCost | undefined;
}

/**
 * Creates the room of recovery codes.
 *
 * @returns the service for other rooms; the sign-in method; what shows first codes; the reset for administrators; and `routes`
 */
export function createRecovery(context: Context, { held, hashing, ...rooms }: RecoveryRooms) {
  const service = createRecoveryService(context, { held, hashing });
  const signIn = createRecoverySignIn({ ...rooms, service, held });
  const pages = recoveryPages(context, { ...rooms, service });

  return {
    service: service as Recovery,
    method: signIn.method as SignInMethod,
    showFirstCodes: pages.showFirstCodes,
    item: pages.item,
    reset: createSecondFactorReset(context, { held, recovery: service }),
    routes(router: Router, interactions: Interactions): void {
      signIn.routes(router, interactions);
      pages.routes(router);
    },
  };
}
