import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import qrcode from 'qrcode';
import * as z from 'zod';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { seeOther } from '../../lib/http/answers.ts';
import type { Browsers } from '../../lib/http/browser.ts';
import { route, type RouteContext } from '../../lib/http/route.ts';
import { openStream } from '../../lib/http/sse.ts';
import { describeBrowser } from '../../lib/http/user-agent.ts';
import { createPolls } from '../../lib/polls.ts';
import { Html } from '../../lib/views/html.ts';
import type { Views } from '../../lib/views/views.ts';
import type { InteractionDetails, Interactions } from '../../oidc/sign-in/interactions.ts';
import type { ShowFirstCodes } from '../../recovery/recovery.ts';
import type { Page } from './browser-side.ts';
import type { QrOptions } from '../transaction/core.ts';
import { frameNumber } from '../transaction/frames.ts';
import type { Facts } from '../phone-side/request.ts';
import type { QrService } from '../service.ts';
import { endingOf } from '../transaction/states.ts';
import type { Glance, QrTransaction } from '../transaction/transaction.ts';
import type { WaitingPages } from './waiting.ts';

/** How often the page without scripts reloads itself, in seconds; a frame is valid for twice as long. */
const REFRESH_SECONDS = 5;
/** How often a page without an event stream may ask, in seconds. */
const POLL_SECONDS = 5;
const typedCode = z.strictObject({ code: z.string().max(20) });

/** Registers what the sign-in page does; all of it below the path on which the interaction cookie is sent. */
export function browserRoutes(
  router: Router,
  { issuer, clock, log }: Pick<Context, 'issuer' | 'clock' | 'log'>,
  { service, waiting, interactions, browsers, views, locate, firstCodes }: {
    service: QrService;
    waiting: WaitingPages;
    interactions: Interactions;
    browsers: Browsers;
    views: Views;
    locate: QrOptions['locate'];
    firstCodes: ShowFirstCodes | undefined;
  },
): void {
  const polls = createPolls(clock, POLL_SECONDS);
  const base = '/interaction/:uid/qr';

  /** The page of a request; a browser without cookie has none. */
  function pageOf(ctx: RouteContext): Page {
    const id = browsers.id(ctx);
    if (id === undefined) throw new AppError('not_found', 'there is no such sign-in');
    return { uid: ctx.params['uid'] ?? '', browserHash: browsers.hash(id) };
  }

  function frame({ id, state, isStatic, startedAt }: Glance): { frame?: string } {
    if (state !== 'pending') return {};
    return { frame: service.frames.text(id, isStatic ? 's' : frameNumber(startedAt, clock())) };
  }

  /** Where the browser is, if the host can tell; a sign-in does not wait on a table of cities being right. */
  async function placeOf(address: string): Promise<{ place?: string }> {
    try {
      const place = await locate?.(address);
      return place ? { place: place.slice(0, 80) } : {};
    } catch (error) {
      log.warn({ err: error }, 'locating a browser failed');
      return {};
    }
  }

  async function facts(ctx: KoaContext, details: InteractionDetails): Promise<{ facts: Facts; policy: 'auto' | 'always' }> {
    const [client, scopes] = [await interactions.client(details), await interactions.scopes(ctx, details)];
    const { family, os } = describeBrowser(ctx);
    const { ui_locales: locales } = details.params;
    return {
      policy: client.confirm,
      facts: {
        client: {
          id: client.clientId,
          name: client.name,
          ...(client.logoUri !== undefined && { logo_uri: client.logoUri }),
          ...(client.redirectHost !== undefined && { redirect_host: client.redirectHost }),
        },
        scopes,
        browser: { family, os, ...(await placeOf(ctx.ip)) },
        ...(typeof locales === 'string' && { locales }),
      },
    };
  }

  async function start(ctx: RouteContext, { isStatic, renew }: { isStatic: boolean; renew: boolean }): Promise<QrTransaction> {
    const details = await interactions.details(ctx);
    const expectedAccount = await interactions.expectedAccount(details);
    return service.start({
      uid: details.uid,
      cid: details.cid,
      browserHash: browsers.hash(browsers.ensure(ctx)),
      purpose: details.accountId !== undefined && details.accountId === expectedAccount ? 'step-up' : 'login',
      clientId: details.clientId,
      expectedAccount,
      knownAccounts: browsers.knownAccounts(ctx),
      level: await interactions.level(details),
      ...(await facts(ctx, details)),
      isStatic,
      renew,
      address: ctx.ip,
    });
  }

  async function redeem(ctx: RouteContext): Promise<void> {
    const page = pageOf(ctx);
    const details = await interactions.details(ctx);
    const expectedAccount = await interactions.expectedAccount(details);
    const { enrolledBy, ...authentication } = await service.redeem({ ...page, cid: details.cid, expectedAccount }, ctx.ip);
    browsers.remember(ctx, authentication.accountId);
    await interactions.signIn(ctx, details, authentication, { consent: true });
    const next = ctx.response.get('Location');
    // Whose phone a client enrolled has seen no page of ours: here are the recovery codes that came with it, on the way on.
    if (enrolledBy === undefined || !next.startsWith(issuer)) return;
    if (await firstCodes?.(ctx, authentication.accountId, { path: next.slice(issuer.length) })) ctx.remove('Location');
  }

  function see(ctx: RouteContext, path: string) {
    seeOther(ctx, `/interaction/${encodeURIComponent(ctx.params['uid'] ?? '')}${path}`);
  }

  const wantsJson = (ctx: KoaContext) => ctx.accepts('html', 'json') === 'json';

  async function showStatic(ctx: RouteContext, transaction: QrTransaction, problem?: string) {
    const { locales } = JSON.parse(transaction.facts) as Facts;
    if (locales !== undefined) views.prefer(ctx, locales);
    const link = frame(transaction).frame;
    const drawn = link === undefined ? undefined : await qrcode.toString(link, { type: 'svg', margin: 4, errorCorrectionLevel: 'M' });
    const waits = transaction.state === 'pending' || transaction.state === 'scanned';
    const data = {
      state: transaction.state,
      ending: endingOf(transaction),
      base: `${issuer}/interaction/${encodeURIComponent(transaction.uid)}`,
      qr: drawn === undefined ? undefined : new Html(drawn),
      frame: link ?? '',
      code: service.typedCode(transaction),
      problem: problem ?? '',
    };
    const options = { title: views.text(ctx, 'qr.title'), ...(waits && { refresh: REFRESH_SECONDS }), ...(problem !== undefined && { status: 422 }) };
    views.render(ctx, 'qr/static', data, options);
  }

  const renewal = z.strictObject({ renew: z.literal('1').optional() });
  route(router, { method: 'POST', path: `${base}/start`, kind: 'form', body: renewal }, async (ctx, { body }) => {
    const transaction = await start(ctx, { isStatic: false, renew: body.renew === '1' });
    if (!wantsJson(ctx)) return see(ctx, '/qr/static');
    const code = transaction.state === 'pending' ? { user_code: service.typedCode(transaction) } : {};
    ctx.body = { ...waiting.state(transaction), ...frame(transaction), ...code, interval: POLL_SECONDS };
  });

  route(router, { method: 'GET', path: `${base}/events`, kind: 'sse' }, async (ctx) => {
    const transaction = await service.ofPage(pageOf(ctx));
    waiting.open(transaction, openStream(ctx));
  });

  route(router, { method: 'GET', path: `${base}/status`, kind: 'json' }, async (ctx) => {
    const page = pageOf(ctx);
    polls.take(`${page.uid} ${page.browserHash}`);
    const seen = await service.glance(page);
    ctx.body = { ...waiting.state(seen), ...frame(seen), interval: POLL_SECONDS };
  });

  route(router, { method: 'POST', path: `${base}/confirm`, kind: 'form', body: typedCode }, async (ctx, { body }) => {
    const page = pageOf(ctx);
    try {
      const transaction = await service.confirm(page, body.code, ctx.ip);
      if (wantsJson(ctx)) ctx.body = waiting.state(transaction);
      else await redeem(ctx);
    } catch (error) {
      const shown = error instanceof AppError && ['invalid_code', 'invalid_request', 'locked'].includes(error.code);
      if (wantsJson(ctx) || !shown) throw error;
      await showStatic(ctx, await service.ofPage(page), problemOf(error));
    }
  });

  function problemOf(error: AppError): string {
    if (error.code === 'locked') return 'locked';
    if (error.code === 'invalid_request') return 'six_digits';
    return error.extra['tries_left'] === 1 ? 'wrong_code_last' : 'wrong_code';
  }

  route(router, { method: 'POST', path: `${base}/cancel`, kind: 'form' }, async (ctx) => {
    const transaction = await service.cancel(pageOf(ctx));
    if (wantsJson(ctx)) ctx.body = waiting.state(transaction);
    else see(ctx, '/qr/static');
  });

  route(router, { method: 'POST', path: `${base}/static`, kind: 'form' }, async (ctx) => {
    await start(ctx, { isStatic: true, renew: false });
    see(ctx, '/qr/static');
  });

  route(router, { method: 'GET', path: `${base}/static`, kind: 'page' }, async (ctx) => {
    await showStatic(ctx, await service.ofPage(pageOf(ctx)));
  });

  route(router, { method: 'POST', path: '/interaction/:uid/redeem', kind: 'form' }, redeem);
}
