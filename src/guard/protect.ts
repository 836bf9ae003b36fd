import type { Middleware } from 'koa';
import { systemClock, type Clock } from '../lib/clock.ts';
import { createGuard, type GuardedState, type Requirements } from './guard.ts';
import { checkRequirements, checkUrl } from './options.ts';
import { targetOf } from './request.ts';
import { createWireSource } from './tokens/over-the-wire.ts';

export interface ProtectOptions extends Requirements {
  /** The provider's issuer identifier: https, or http on this machine. */
  readonly issuer: string;
  /** What tokens must be made for: the resource's `audience`, which is its resource indicator unless it has another. */
  readonly audience: string;
  /** A client whose metadata `tandem_introspects` names the audience (RFC 7662). Without it only JWT access tokens are taken. */
  readonly introspection?: { readonly clientId: string; readonly clientSecret: string };
  /**
   * Where callers reach this server: an origin, or an origin and the path that a proxy takes away. DPoP proofs are made
   * for it. Default: the origin of `audience`.
   */
  readonly origin?: string;
  /** Milliseconds since the epoch. */
  readonly clock?: Clock;
  /** Asks the provider; default: `globalThis.fetch`. */
  readonly fetch?: typeof globalThis.fetch;
}

const OWN = ['issuer', 'audience', 'introspection', 'origin', 'clock', 'fetch'];

/**
 * Guards routes of an API in any Koa app: lets in who bears an access token of `issuer` for `audience`, and tells the
 * others what to do, so that a client which follows the challenge succeeds. What passes finds a {@link TokenAuth} at
 * `ctx.state.auth`.
 *
 * It asks the provider over the wire: discovery and keys are kept for ten minutes (an hour where the provider does not
 * answer), unknown keys are looked for at once; introspection is asked at each call, so that a revocation counts at once.
 * Make one guard for each set of requirements, at start, not one for each request.
 *
 * DPoP proofs (RFC 9449) are taken once each, remembered for the minute that they last: by this process. Where several
 * share the load, a proof that is caught on its way can be replayed once at each of the others within that minute.
 *
 * | answer | when |
 * | --- | --- |
 * | 401, challenges without an error | no token |
 * | 400 `invalid_request` | a token in the query or a form, two of them, or a malformed header |
 * | 401 `invalid_token` | expired, revoked, of another issuer, for another audience, no access token, or bound to a key and sent as Bearer |
 * | 401 `invalid_dpop_proof` | a proof that is missing, stale, used, or for something else |
 * | 401 `insufficient_user_authentication` with `acr_values` and `max_age` | the sign-in is too weak or too old (RFC 9470) |
 * | 403 `insufficient_scope` with `scope` | a scope is lacking |
 * | 503 `temporarily_unavailable` | the provider does not answer; the cause is emitted as the app's `error` |
 *
 * @param options what to trust, and what to ask of tokens
 * @throws TypeError naming the option that is wrong
 * @see RFC 6750, RFC 9068, RFC 7662, RFC 9449, RFC 9470
 * @example
 * const api = { issuer: 'https://id.example.com', audience: 'https://api.example.com', introspection: { clientId, clientSecret } };
 * router.get('/notes', protect({ ...api, scopes: ['read'] }), listNotes);
 * router.post('/payments', protect({ ...api, scopes: ['pay'], acr: ACR.two, maxAge: 300 }), pay);
 */
export function protect(options: ProtectOptions): Middleware<GuardedState> {
  checkRequirements(options, OWN);
  const { issuer, audience, introspection, clock = systemClock, fetch = globalThis.fetch, origin: _, ...requirements } = options;
  checkUrl('issuer', issuer);
  if (typeof audience !== 'string' || audience === '') throw new TypeError('protect: audience must name what tokens are made for');
  if (introspection && !(introspection.clientId && introspection.clientSecret)) throw new TypeError('protect: introspection needs clientId and clientSecret');
  const origin = originOf(options);
  return createGuard({
    ...requirements,
    audience,
    clock,
    source: createWireSource({ issuer, introspection, fetch, clock }),
    urlOf: (ctx) => targetOf(origin, ctx.originalUrl),
  });
}

/** Not of the request's `Host`, which its sender writes. */
function originOf({ origin, audience }: ProtectOptions): string {
  if (origin !== undefined) return checkUrl('origin', origin);
  if (!URL.canParse(audience) || !/^https?:$/.test(new URL(audience).protocol)) throw new TypeError('protect: audience is no URL, so that origin must say where callers reach this server');
  return new URL(audience).origin;
}
