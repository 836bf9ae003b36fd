import type Router from '@koa/router';
import type { AccountItem } from '../accounts/items.ts';
import type { Context, Transaction } from '../context.ts';
import type { ChangeGate } from '../factors/change-gate.ts';
import type { Factors } from '../factors/factors.ts';
import type { Http } from '../lib/http/http.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { Interactions } from '../oidc/sign-in/interactions.ts';
import type { OidcPages } from '../oidc/sign-in/routes.ts';
import type { SignInGate, SignInMethod } from '../oidc/sign-in/sign-in.ts';
import type { Recovery, ShowFirstCodes } from '../recovery/recovery.ts';
import { createAuthenticators, type Authenticators, type TotpOptions } from './authenticators/authenticators.ts';
import { authenticatorPages } from './pages/account.ts';
import { createSeedPage } from './pages/seed-page.ts';
import { createSignInEnrolment } from './pages/sign-in-enrolment.ts';
import { createTotpSignIn } from './pages/sign-in.ts';

export interface TotpRooms extends TotpOptions {
  readonly accounts: AccountDirectory;
  readonly gate: SignInGate;
  readonly http: Pick<Http, 'views' | 'browsers'>;
  /** Shows the sign-in page of an interaction again. */
  readonly showSignIn: OidcPages['signInPage'];
  /** The codes to fall back on. */
  readonly recovery?: Pick<Recovery, 'has'> | undefined;
  /** The rule for adding and removing factors. */
  readonly factors: Factors;
  /** Who may go where authenticators are added and removed. */
  readonly changes: ChangeGate;
  /** The name under which apps list the account; the issuer's host unless told otherwise. */
  readonly name?: string | undefined;
  /** The path of the account's own page under the issuer, where it has one. */
  readonly home?: string | undefined;
  /** What stands below the authenticators where there is no such page. */
  readonly others?: readonly AccountItem[] | undefined;
  /** Called in the transaction of every code that was taken, but an authenticator's first. */
  readonly verified?: ((tx: Transaction, accountId: string) => Promise<void>) | undefined;
  /** Shows the recovery codes that come with a first factor. */
  readonly showFirstCodes?: ShowFirstCodes | undefined;
}

/** Creates the room of authenticator apps: the service for other rooms, the second step of sign-ins, and the account's pages. */
export function createTotp(context: Context, { accounts, name, verified, http, gate, factors, changes, home, others = [], showSignIn, recovery, showFirstCodes, ...options }: TotpRooms) {
  const { views, browsers } = http;
  const service = createAuthenticators(context, {
    ...options,
    label: async (accountId) => (await accounts.find(accountId))?.label,
    issuerName: name ?? new URL(context.issuer).host,
    verified,
  });
  const seedPage = createSeedPage(context, { authenticators: service, factors, views });
  const parts = { authenticators: service, factors, changes, seedPage, views, showFirstCodes };
  const enrolment = createSignInEnrolment(context, parts);
  const signIn = createTotpSignIn(context, { authenticators: service, browsers, showSignIn, recovery, enrolment });
  const pages = authenticatorPages(context, { ...parts, gate, home, others });

  return {
    item: pages.item,
    service: service as Authenticators,
    method: signIn as SignInMethod,
    routes(router: Router, interactions: Interactions): void {
      signIn.routes(router, interactions);
      enrolment.routes(router, interactions);
      pages.routes(router);
    },
  };
}
