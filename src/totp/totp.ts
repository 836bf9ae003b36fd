import type Router from '@koa/router';
import type { Context, Transaction } from '../context.ts';
import type { Factors } from '../factors/factors.ts';
import type { Http } from '../lib/http/http.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { Interactions } from '../oidc/interactions.ts';
import type { SignInGate, SignInMethod } from '../oidc/sign-in.ts';
import type { ShowFirstCodes } from '../recovery/recovery.ts';
import { createAuthenticators, type Authenticators, type TotpOptions } from './authenticators.ts';

export interface TotpRooms extends TotpOptions {
  readonly accounts: AccountDirectory;
  readonly gate: SignInGate;
  readonly http: Pick<Http, 'views' | 'browsers'>;
  /** The rule for adding and removing factors. */
  readonly factors: Factors;
  /** The name under which apps list the account; the issuer's host unless told otherwise. */
  readonly name?: string | undefined;
  /** The path of the account's own page under the issuer, where it has one. */
  readonly home?: string | undefined;
  /** Called in the transaction of every code that was taken, but an authenticator's first. */
  readonly verified?: ((tx: Transaction, accountId: string) => Promise<void>) | undefined;
  /** Shows the recovery codes that come with a first factor. */
  readonly showFirstCodes?: ShowFirstCodes | undefined;
}

export interface TotpRoom {
  readonly service: Authenticators;
  /** The second step of a sign-in; its routes are registered by `routes`. */
  readonly method: SignInMethod | undefined;
  routes(router: Router, interactions: Interactions): void;
}

/** Creates the room of authenticator apps: the service for other rooms, the second step of sign-ins, and the account's pages. */
export function createTotp(context: Context, { accounts, name, verified, ...rooms }: TotpRooms): TotpRoom {
  const service = createAuthenticators(context, {
    ...(rooms.algorithm && { algorithm: rooms.algorithm }),
    label: async (accountId) => (await accounts.find(accountId))?.label,
    issuerName: name ?? new URL(context.issuer).host,
    verified,
  });

  return {
    service,
    method: undefined,
    routes(_router, _interactions) {
      // Pages follow.
    },
  };
}
