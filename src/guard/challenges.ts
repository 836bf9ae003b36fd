import type { Context as KoaContext } from 'koa';
import { challenge } from '../lib/http/headers.ts';
import type { GuardError } from './errors.ts';
import { schemeOf } from './request.ts';
import { ALGORITHMS } from './tokens/jwt.ts';

/** What a refusal tells the client to ask for. */
export interface Demanded {
  readonly scopes: readonly string[];
  readonly classes: readonly string[];
  readonly maxAge: number | undefined;
  readonly realm: string | undefined;
}

/** The codes with which a challenge says what scopes the route asks for. */
const TELLS_SCOPE: ReadonlySet<string> = new Set(['missing_token', 'insufficient_scope', 'insufficient_user_authentication']);

/** Answers in JSON, and by challenges in the shape of RFC 6750 §3, RFC 9449 §7.1 and RFC 9470 §3. */
export function answerRefusal(ctx: KoaContext, error: GuardError, demanded: Demanded): void {
  const { code, status, message } = error;
  ctx.status = status;
  ctx.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
  ctx.body = { error: code, error_description: message };
  if (code !== 'temporarily_unavailable') ctx.set('WWW-Authenticate', challengesOf(ctx, error, demanded));
  // As Koa does with what it answers itself: the host's log learns what its callers must not.
  else ctx.app.emit('error', error, ctx);
}

function challengesOf(ctx: KoaContext, { code, message, scheme }: GuardError, { scopes, classes, maxAge, realm }: Demanded): string[] {
  const scope = TELLS_SCOPE.has(code) && scopes.length ? scopes.join(' ') : undefined;
  const algs = ALGORITHMS.join(' ');
  // Who sent nothing is told nothing but where to begin (RFC 6750 §3.1), and by which of two schemes (RFC 9449 §7.1).
  if (code === 'missing_token') return [challenge('Bearer', { realm, scope }), challenge('DPoP', { realm, algs })];
  const tried = scheme ?? schemeOf(ctx.get('Authorization').split(' ', 1)[0]!) ?? 'Bearer';
  // All that is asked, not only what is lacking: the next token is to satisfy it in one go.
  const stepUp = code === 'insufficient_user_authentication' && { acr_values: classes.join(' ') || undefined, max_age: maxAge?.toString() };
  return [challenge(tried, { realm, error: code, error_description: message, scope, ...stepUp, algs: tried === 'DPoP' ? algs : undefined })];
}
