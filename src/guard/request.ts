import type { Context as KoaContext } from 'koa';
import { GuardError } from './errors.ts';

export type Scheme = 'Bearer' | 'DPoP';

/** A token as it was sent. */
export interface Presented {
  readonly scheme: Scheme;
  readonly token: string;
}

/** RFC 7235 §2.1: `token68`. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
const SCHEMES: Readonly<Record<string, Scheme>> = { bearer: 'Bearer', dpop: 'DPoP' };

/**
 * Reads the access token of a request: from the Authorization header, and from there alone (RFC 9700 §4.3.2: what is in
 * a URL gets into logs and histories).
 *
 * @throws GuardError `missing_token` where there is none, `invalid_request` where it is sent otherwise, twice, or malformed
 */
export function presentedToken(ctx: KoaContext): Presented {
  if (ctx.query['access_token'] !== undefined || inForm(ctx)) {
    throw new GuardError('invalid_request', 'send the access token in the Authorization header alone');
  }
  // Node keeps the first of several and drops the rest; who sends two may mean either.
  const sent = ctx.req.headersDistinct['authorization'] ?? [];
  if (sent.length > 1) throw new GuardError('invalid_request', 'send one Authorization header');
  const [name = '', ...rest] = (sent[0] ?? '').trim().split(/ +/);
  const scheme = schemeOf(name);
  if (!scheme) throw new GuardError('missing_token', 'send an access token in the Authorization header');
  const [token] = rest;
  if (token === undefined || rest.length > 1 || !TOKEN.test(token)) throw new GuardError('invalid_request', 'the Authorization header is malformed');
  return { scheme, token };
}

/** The scheme that a request speaks, as far as it can be told. */
export function schemeOf(name: string): Scheme | undefined {
  const lower = name.toLowerCase();
  return Object.hasOwn(SCHEMES, lower) ? SCHEMES[lower] : undefined;
}

/** RFC 6750 §2.2; seen only where something before the guard has read the body. */
function inForm(ctx: KoaContext): boolean {
  const { body } = ctx.request as { body?: unknown };
  return ctx.is('urlencoded') === 'urlencoded' && typeof body === 'object' && body !== null && Object.hasOwn(body, 'access_token');
}

/**
 * The URL that a request was for, with the origin (and path before it) that this server is known by: `Host` is its
 * sender's to write, and so is a target in absolute form (RFC 9112 §3.2.2).
 */
export function targetOf(base: string, requestTarget: string): string {
  if (requestTarget.startsWith('/')) return base + requestTarget;
  return base + (URL.canParse(requestTarget) ? new URL(requestTarget).pathname : '/');
}
