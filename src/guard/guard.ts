import type { Context as KoaContext, Middleware } from 'koa';
import type { Clock } from '../lib/clock.ts';
import { satisfies } from '../oidc/acr.ts';
import { answerRefusal } from './challenges.ts';
import { GuardError } from './errors.ts';
import { presentedToken } from './request.ts';
import { verifyProof } from './tokens/dpop.ts';
import { isFor, readAuth, type TokenAuth, type TokenClaims, type TokenSource, type VouchedToken } from './tokens/token.ts';

/** What a route asks of the tokens that it lets in. */
export interface Requirements {
  /** All of these; one that is missing is `insufficient_scope`. */
  readonly scopes?: readonly string[];
  /** One of these classes, or a stronger one of ours (`urn:tandem:acr:2:qr` satisfies `urn:tandem:acr:2`); else `insufficient_user_authentication`. */
  readonly acr?: string | readonly string[];
  /** How many seconds ago the person may have signed in at most; else `insufficient_user_authentication`. */
  readonly maxAge?: number;
  /** Named in challenges (RFC 7235 §2.2). */
  readonly realm?: string;
}

/** What a guard leaves in `ctx.state`. */
export interface GuardedState {
  auth: TokenAuth;
}

export interface GuardParts extends Requirements {
  readonly source: TokenSource;
  /** What tokens must be made for; where that may change, asked for each of them, and undefined while there is no such resource server. */
  readonly audience: string | (() => Promise<string | undefined>);
  /** Where the caller reached this server: what a DPoP proof is compared with. */
  readonly urlOf: (ctx: KoaContext) => string;
  readonly clock: Clock;
}

/** Makes the guard of a route out of who can tell about tokens, and what the route asks of them. */
export function createGuard({ source, audience, urlOf, clock, scopes = [], acr = [], maxAge, realm }: GuardParts): Middleware<GuardedState> {
  const classes = [acr].flat();
  const demanded = { scopes, classes, maxAge, realm };

  async function authenticate(ctx: KoaContext): Promise<TokenAuth> {
    const { scheme, token } = presentedToken(ctx);
    // The provider's opaque tokens have no dots (RFC 7515 §7.1: a JWT has two, encrypted ones four).
    const vouched = token.includes('.') ? await source.readJwt(token) : await source.lookUp(token, ctx);
    const auth = vouched && accept(vouched, typeof audience === 'string' ? audience : await audience());
    if (!auth) throw new GuardError('invalid_token', 'the access token is unknown, expired or revoked');
    const { thumbprint } = confirmationOf(auth.claims);
    if (scheme === 'DPoP') await checkProof(ctx, token, auth, thumbprint);
    // RFC 9449 §7.1: whoever stole it would send it thus.
    else if (thumbprint !== undefined) throw new GuardError('invalid_token', 'the access token is bound to a key: send it with a DPoP proof', { scheme: 'DPoP' });
    return auth;
  }

  function accept(vouched: VouchedToken, expected: string | undefined): TokenAuth | undefined {
    if (expected === undefined || !isFor(vouched.claims, expected)) throw new GuardError('invalid_token', 'the access token was made for another audience');
    const auth = readAuth(vouched);
    return auth && auth.expiresAt * 1000 > clock() ? auth : undefined;
  }

  async function checkProof(ctx: KoaContext, token: string, { clientId }: TokenAuth, bound: string | undefined) {
    if (bound === undefined) throw new GuardError('invalid_token', 'the access token is bound to no key: send it as Bearer');
    const proof = await verifyProof(ctx, token, urlOf(ctx), clock);
    if (proof.thumbprint !== bound) throw new GuardError('invalid_token', 'the access token is bound to another key');
    if (!(await source.firstUse({ clientId, ...proof }))) throw new GuardError('invalid_dpop_proof', 'the DPoP proof has been used already');
  }

  function check(auth: TokenAuth) {
    const { authTime } = auth;
    const strong = classes.length === 0 || classes.some((want) => satisfies(auth.acr, want));
    const recent = maxAge === undefined || (authTime !== undefined && clock() / 1000 - authTime <= maxAge);
    if (!strong) throw new GuardError('insufficient_user_authentication', 'a stronger sign-in is needed');
    if (!recent) throw new GuardError('insufficient_user_authentication', 'a more recent sign-in is needed');
    if (!scopes.every((scope) => auth.scopes.includes(scope))) throw new GuardError('insufficient_scope', 'the access token lacks a scope');
  }

  return async (ctx, next) => {
    try {
      const auth = await authenticate(ctx);
      check(auth);
      ctx.state.auth = auth;
    } catch (error) {
      if (!(error instanceof GuardError)) throw error;
      return answerRefusal(ctx, error, demanded);
    }
    await next();
  };
}

/** The key that a token is bound to (RFC 7800). One that is bound by other means cannot be checked here, and is of no use. */
function confirmationOf(claims: TokenClaims): { thumbprint: string | undefined } {
  const { cnf } = claims;
  if (cnf === undefined) return { thumbprint: undefined };
  const { jkt, ...others } = (cnf ?? {}) as Record<string, unknown>;
  if (typeof jkt !== 'string' || Object.keys(others).length) throw new GuardError('invalid_token', 'the access token is bound in a way that is not supported here');
  return { thumbprint: jkt };
}
