import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import qrcode from 'qrcode';
import * as z from 'zod';
import type { AccountItem } from '../accounts/items.ts';
import { AppError } from '../errors.ts';
import type { ChangeGate } from '../factors/change-gate.ts';
import { seeOther } from '../lib/http/answers.ts';
import type { Browsers } from '../lib/http/browser.ts';
import { route } from '../lib/http/route.ts';
import { describeBrowser } from '../lib/http/user-agent.ts';
import { Html } from '../lib/views/html.ts';
import type { Views } from '../lib/views/views.ts';
import type { SignInGate } from '../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from '../recovery/recovery.ts';
import type { EnrolmentService, EnrolmentStatus } from './enrolment.ts';
import { deviceName, UNPROVEN_CAP_MS } from './service.ts';
import type { DeviceService } from './service.ts';

const LIST = '/account/devices';
const ADD = `${LIST}/add`;

/** Registers the pages on which an account sees, adds and removes its phones. */
export function devicePages(
  router: Router,
  { devices, enrolments, changes, showFirstCodes, gate, browsers, views, home, others }: {
    devices: DeviceService;
    enrolments: EnrolmentService;
    changes: ChangeGate;
    showFirstCodes: ShowFirstCodes | undefined;
    gate: SignInGate;
    browsers: Browsers;
    views: Views;
    home: string | undefined;
    others: readonly AccountItem[];
  },
): void {
  const removePath = (id: string) => `${LIST}/${encodeURIComponent(id)}/remove`;
  const adding = { change: 'phone', path: ADD, back: LIST, title: 'devices.add_title' } as const;

  /** Whose enrolment a request is about; without sign-in or browser cookie there is none. */
  async function owner(ctx: KoaContext) {
    const [signedIn, browser] = [await gate.current(ctx), browsers.id(ctx)];
    if (!signedIn || browser === undefined) throw new AppError('not_found', 'there is no such enrolment');
    return { accountId: signedIn.accountId, browserHash: browsers.hash(browser) };
  }

  /** `missed` says that a code was typed in vain. */
  async function showEnrolment(ctx: KoaContext, status: EnrolmentStatus, shown: string | undefined, missed = true) {
    const { state, triesLeft } = status;
    const link = state === 'pending' || state === 'scanned' ? shown : undefined;
    const qr = link === undefined ? undefined : new Html(await qrcode.toString(link, { type: 'svg', margin: 4, errorCorrectionLevel: 'M' }));
    const reason = state === 'enrolled' ? 'wrong_code' : link === undefined ? undefined : 'no_phone_yet';
    const problem = missed && reason ? views.text(ctx, `devices.${reason}`, { tries: triesLeft }) : undefined;
    const path = `${LIST}/enrolments/${status.id}`;
    views.render(
      ctx,
      'devices/enrol',
      { status, enrolment: link, qr, problem, path, list: LIST, add: ADD, mobile: describeBrowser(ctx).mobile, minutes: Math.ceil(status.expiresIn / 60) },
      { status: problem ? 422 : 200, scripts: ['enrol'], title: views.text(ctx, 'devices.add_title') },
    );
  }

  route(router, { method: 'GET', path: LIST, kind: 'page', query: z.object({ done: z.string().optional() }) }, async (ctx, { query }) => {
    const signedIn = await gate.require(ctx);
    if (!signedIn) return;
    const language = views.language(ctx);
    const date = (ms: number) => new Date(ms).toLocaleDateString(language, { dateStyle: 'medium' });
    const time = (ms: number) => new Date(ms).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
    const say = (key: string, params?: Record<string, string>) => views.text(ctx, `devices.${key}`, params);
    const list = (await devices.list(signedIn.accountId)).map(({ id, name, platform, createdAt, lastUsedAt, userVerifying, cappedUntil }) => ({
      id,
      name,
      meta: [
        [platform, say('added', { date: date(createdAt) }), lastUsedAt === undefined ? say('unused') : say('used', { date: date(lastUsedAt) })].filter(Boolean).join(' · '),
        say(userVerifying ? 'verifies' : 'presence'),
        ...(userVerifying && cappedUntil !== undefined ? [say('capped', { time: `${time(cappedUntil)} UTC` })] : []),
      ],
      rename: `${LIST}/${id}/rename`,
      remove: removePath(id),
    }));
    const done = (['added', 'renamed', 'removed', 'lost'] as const).find((each) => each === query.done);
    const beside = await Promise.all(others.map((item) => item(ctx, signedIn.accountId)));
    const items = beside.filter((item) => item !== undefined && item.path !== LIST);
    views.render(ctx, 'devices/list', { list, done, add: ADD, home, items }, { title: views.text(ctx, 'devices.title') });
  });

  route(router, { method: 'POST', path: `${LIST}/:id/rename`, kind: 'form', body: z.strictObject({ name: deviceName }) }, async (ctx, { body }) => {
    const signedIn = await gate.current(ctx);
    if (signedIn) await devices.rename(signedIn.accountId, ctx.params['id'] ?? '', body.name, ctx.ip);
    seeOther(ctx, signedIn ? `${LIST}?done=renamed` : LIST);
  });

  const proof = z.object({ proof: z.literal('ask').optional() });
  route(router, { method: 'GET', path: `${LIST}/:id/remove`, kind: 'page', query: proof }, async (ctx, { query }) => {
    const signedIn = await changes.require(ctx);
    if (!signedIn) return;
    const device = await devices.find(signedIn.accountId, ctx.params['id'] ?? '');
    const missing = await changes.lacks(signedIn, 'phone');
    if (query.proof && missing) return void (await changes.require(ctx, missing));
    const action = `${LIST}/${device.id}/remove`;
    const days = UNPROVEN_CAP_MS / (24 * 3_600_000);
    views.render(ctx, 'devices/remove', { device, action, missing: missing?.by, days, list: LIST }, { title: views.text(ctx, 'devices.remove_title') });
  });

  const removal = z.strictObject({ reason: z.enum(['retired', 'lost']) });
  route(router, { method: 'POST', path: `${LIST}/:id/remove`, kind: 'form', body: removal }, async (ctx, { body }) => {
    const id = ctx.params['id'] ?? '';
    const signedIn = await changes.poster(ctx, { path: removePath(id) });
    if (!signedIn) return;
    const { accountId, acr } = signedIn;
    if (body.reason === 'retired' && (await changes.lacks(signedIn, 'phone'))) return seeOther(ctx, removePath(id));
    await devices.revoke(accountId, id, body.reason, ctx.ip, { acr });
    seeOther(ctx, `${LIST}?done=${body.reason === 'lost' ? 'lost' : 'removed'}`);
  });

  route(router, { method: 'GET', path: ADD, kind: 'page', query: proof }, async (ctx, { query }) => {
    if (await changes.admit(ctx, adding, query.proof !== undefined)) views.render(ctx, 'devices/add', { action: ADD, list: LIST }, { title: views.text(ctx, 'devices.add_title') });
  });

  // Answers with the page itself: the ticket is kept only as a hash, so that no second request could show it again.
  route(router, { method: 'POST', path: ADD, kind: 'form' }, async (ctx) => {
    const signedIn = await changes.poster(ctx, adding);
    if (!signedIn) return;
    const { accountId, acr } = signedIn;
    const who = { accountId, browserHash: browsers.hash(browsers.ensure(ctx)) };
    const { id, link } = await enrolments.start({ ...who, acr, address: ctx.ip });
    await showEnrolment(ctx, await enrolments.status(id, who), link, false);
  });

  route(router, { method: 'GET', path: `${LIST}/enrolments/:id/status`, kind: 'json' }, async (ctx) => {
    const { state, expiresIn, device } = await enrolments.status(ctx.params['id'] ?? '', await owner(ctx));
    ctx.body = { state, expires_in: expiresIn, ...(device && { device: { name: device.name, platform: device.platform } }) };
  });

  // Without scripts, a code typed too early must not cost the QR: the form brings the link that it was shown beside.
  const typed = z.strictObject({
    code: z.string().max(20).transform((code) => code.replace(/[\s-]/g, '')),
    link: z.string().regex(/^https?:\/\/[^\s"<>]{1,400}\/e\/1\.[\w-]{43}$/).optional(),
  });
  route(router, { method: 'POST', path: `${LIST}/enrolments/:id/confirm`, kind: 'form', body: typed }, async (ctx, { body }) => {
    const [id, who] = [ctx.params['id'] ?? '', await owner(ctx)];
    const added = `${LIST}?done=added`;
    try {
      await enrolments.confirm(id, who, body.code, ctx.ip);
      // Where a password alone has ended the phones before, codes would make it as good as they were; the account's page makes them for who proves more.
      if (!(await devices.lostUnproven(who.accountId)) && (await showFirstCodes?.(ctx, who.accountId, { path: added }))) return;
    } catch (error) {
      // The page with the codes, loaded again: they are shown once.
      if (error instanceof AppError && error.code === 'already_claimed') return seeOther(ctx, added);
      // These are said on the page itself, which knows the way on.
      if (!(error instanceof AppError) || (error.code !== 'invalid_code' && error.code !== 'expired')) throw error;
      return await showEnrolment(ctx, await enrolments.status(id, who), body.link);
    }
    seeOther(ctx, added);
  });

  route(router, { method: 'POST', path: `${LIST}/enrolments/:id/cancel`, kind: 'form' }, async (ctx) => {
    await enrolments.cancel(ctx.params['id'] ?? '', await owner(ctx), ctx.ip);
    seeOther(ctx, LIST);
  });
}
