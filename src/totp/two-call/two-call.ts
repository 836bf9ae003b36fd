import type Router from '@koa/router';
import type { JWKS, Provider } from 'oidc-provider';
import type { Context } from '../../context.ts';
import type { ProtectOwn } from '../../guard/in-process.ts';
import { createSweeper } from '../../lib/database/sweeper.ts';
import { createCallers } from './callers.ts';
import { twoCallRoutes } from './routes.ts';
import { createTwoCallService, type TwoCallRooms } from './service.ts';
import { createTokens } from './token.ts';

export interface TwoCallOptions {
  /**
   * The groups that the tokens of the two-call API name, of an account for a client; none unless told otherwise. `clientId` is
   * undefined where the caller is no client.
   *
   * @example
   * totp({ groups: async (accountId) => (await crm.rolesOf(accountId)) });
   */
  readonly groups?: (accountId: string, clientId: string | undefined) => Promise<readonly string[]> | readonly string[];
  /**
   * Lets anybody call the two-call API without being a registered client, for a service that cannot be changed. Whoever reaches the provider can
   * then try passwords and codes at it, held back by the limits alone. Off unless told otherwise.
   */
  readonly insecureUnauthenticatedTwoCallApi?: boolean;
}

export interface TwoCall {
  routes(router: Router): void;
  /** Makes `provider` the one whose clients call, and the first RSA key of `jwks` the one that signs. */
  attach(provider: Provider, jwks: JWKS): void;
  /** Deletes tickets that have run out; returns how many. */
  sweep(): Promise<number>;
}

/** Creates the 2FA API of two calls: a QR code for a password, then a token for a code. */
export function createTwoCall(
  context: Context,
  { groups = () => [], insecureUnauthenticatedTwoCallApi: open = false, home, protect, ...rooms }: TwoCallRooms & TwoCallOptions & {
    readonly protect: ProtectOwn;
    /** The path of the account's pages. */
    readonly home: string;
  },
): TwoCall {
  const { issuer, log } = context;
  const tokens = createTokens(context);
  const service = createTwoCallService(context, { ...rooms, groups, tokens });
  const callers = createCallers(context, { open, protect });
  const sweeper = createSweeper(context);
  sweeper.register({ table: 'tandem_two_call_tickets', column: 'expires_at' });
  let attached: Provider | undefined;

  return {
    routes(router) {
      twoCallRoutes(router, {
        issuer,
        home: issuer + home,
        callers,
        service,
        provider() {
          if (!attached) throw new Error('attach a provider first: provider.use(t.attach(provider))');
          return attached;
        },
      });
    },
    attach(provider, jwks) {
      if (open && !attached) log.warn({}, 'the two-call 2FA API is open to everybody: insecureUnauthenticatedTwoCallApi is on');
      if (!tokens.use(jwks)) log.warn({}, 'the two-call 2FA API answers 503: among the provider\'s keys is no RSA key for RS256');
      attached = provider;
    },
    sweep: () => sweeper.sweep(),
  };
}
