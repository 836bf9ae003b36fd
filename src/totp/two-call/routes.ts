import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import type { Provider } from 'oidc-provider';
import qrcode from 'qrcode';
import { z } from 'zod';
import { route, type RouteContext } from '../../lib/http/route.ts';
import type { Callers } from './callers.ts';
import { TWO_CALL_SCOPE } from './scopes.ts';
import { TICKET_MS, type TwoCallService } from './service.ts';

export const QR_PATH = '/api/users/google/2FAuth/qrCode';
export const VALIDATE_PATH = '/api/users/google/2FAuth/validate';
/** What call one gives and call two needs, beside the cookie. */
const TICKET_HEADER = 'Tandem-Ticket';

export const credentials = z.strictObject({ email: z.string().min(1).max(320), password: z.string().min(1).max(1024) });
export const proof = z.strictObject({ email: z.string().min(1).max(320), code: z.string().min(1).max(64), ticket: z.string().max(128).optional() });

/**
 * Registers the two calls. They read no cookie but the ticket's: a browser's session at the provider is nothing to them.
 *
 * @param home the URL of the account's pages
 */
export function twoCallRoutes(
  router: Router,
  { issuer, home, callers, service, provider }: {
    issuer: string;
    home: string;
    callers: Callers;
    service: TwoCallService;
    provider: () => Provider;
  },
): void {
  const cookie = ticketCookie(issuer);

  route(router, { method: 'POST', path: QR_PATH, kind: 'api-form', body: credentials }, async (ctx, { body }) => {
    const caller = await callers.authenticate(ctx, provider(), TWO_CALL_SCOPE.enrol);
    if (!caller) return;
    const started = await service.start({ ...caller, ...body, ticket: cookie.read(ctx), address: ctx.ip });
    if (started.ticket !== undefined) {
      cookie.set(ctx, started.ticket);
      ctx.set(TICKET_HEADER, started.ticket);
    }
    if (started.uri === undefined) return wayOn(ctx, started);
    ctx.type = 'image/png';
    ctx.body = await drawn(started.uri);
  });

  route(router, { method: 'POST', path: VALIDATE_PATH, kind: 'api-form', body: proof }, async (ctx, { body }) => {
    const caller = await callers.authenticate(ctx, provider(), TWO_CALL_SCOPE.validate);
    if (!caller) return;
    const { email, code, ticket = cookie.read(ctx) } = body;
    const token = await service.validate({ ...caller, email, code, ticket, address: ctx.ip });
    cookie.clear(ctx);
    answerToken(ctx, token);
  });

  /** The QR code is for accounts without a second factor: the others are told where theirs is asked for. */
  function wayOn(ctx: RouteContext, { ticket, expiresIn }: { ticket?: string | undefined; expiresIn?: number }) {
    ctx.status = 409;
    ctx.body = {
      error: 'conflict',
      error_description: ticket === undefined ? 'another factor of the account must vouch for an authenticator app, on the account page' : 'the account has an authenticator app; send its code',
      ...(ticket !== undefined && { ticket, expires_in: expiresIn, validate_url: issuer + VALIDATE_PATH }),
      account_url: home,
    };
  }
}

/** A whole number of pixels for each module, and a quiet zone of four (ISO/IEC 18004): 328 pixels and more, as the shortest URI makes a version 4. */
function drawn(uri: string): Promise<Buffer> {
  return qrcode.toBuffer(uri, { type: 'png', errorCorrectionLevel: 'M', margin: 4, scale: 8 });
}

/** As RFC 7519 §10.3.1 names it, unless the caller reads something else. */
function answerToken(ctx: KoaContext, token: string) {
  const type = ctx.accepts('application/jwt', 'application/json', 'text/plain');
  if (type === 'application/json') {
    ctx.body = { token };
    return;
  }
  ctx.type = type === 'text/plain' ? 'text/plain' : 'application/jwt';
  ctx.body = token;
}

/** The cookie of the ticket, named as the browser's own are: `__Host-` binds it to this origin, and wants https. */
function ticketCookie(issuer: string) {
  const secure = issuer.startsWith('https:');
  const name = secure ? '__Host-tandem-2fa' : 'tandem-2fa';
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Strict', ...(secure ? ['Secure'] : [])].join('; ');

  function send(ctx: KoaContext, value: string, seconds: number) {
    ctx.append('Set-Cookie', `${name}=${value}; ${attributes}; Max-Age=${seconds}`);
  }
  return {
    read: (ctx: KoaContext) => ctx.cookies.get(name, { signed: false }),
    set: (ctx: KoaContext, ticket: string) => send(ctx, ticket, TICKET_MS / 1000),
    clear: (ctx: KoaContext) => send(ctx, '', 0),
  };
}
