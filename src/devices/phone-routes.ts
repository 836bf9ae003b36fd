import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { describeBrowser } from '../lib/http/user-agent.ts';
import { route } from '../lib/http/route.ts';
import type { Views } from '../lib/views/views.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { EnrolmentService } from './enrolment.ts';
import type { Nonces } from './nonce.ts';
import type { RekeyingService } from './rekeying.ts';
import type { DeviceService } from './service.ts';
import type { Verification } from './verification.ts';

const ANY_STATE = ['pending', 'active', 'revoked'] as const;
/** Version 1 of an enrolment link, and its ticket of 256 bits. */
const LINK = /^1\.[\w-]{43}$/;

/** Registers what phones call, and where the enrolment QR leads. */
export function phoneRoutes(
  router: Router,
  { issuer, limits }: Pick<Context, 'issuer' | 'limits'>,
  { devices, enrolments, rekeying, verification, nonces, accounts, views, appUrl, phoneOrigin }: {
    devices: DeviceService;
    enrolments: EnrolmentService;
    rekeying: RekeyingService;
    verification: Verification;
    nonces: Nonces;
    accounts: AccountDirectory;
    views: Views;
    /** The phone app, opened with a link. */
    appUrl: (link: string) => string;
    /** The app's origin, where it is not the issuer's. */
    phoneOrigin: string | undefined;
  },
): void {
  const perAddress = { limit: limits.limit({ name: 'enrolment-calls', points: 300, seconds: 60 }) };

  if (phoneOrigin !== undefined) allowOrigin(router, phoneOrigin);

  route(router, { method: 'POST', path: '/phone/nonce', kind: 'json' }, async (ctx) => {
    const { nonce, serverTime } = nonces.issue();
    ctx.body = { nonce, server_time: serverTime };
  });

  const offer = z.strictObject({ ticket: z.string().max(128) });
  route(router, { method: 'POST', path: '/phone/enrolment/offer', kind: 'json', body: offer, limit: perAddress }, async (ctx, { body }) => {
    const { account, expiresIn, webauthn } = await enrolments.offer(body.ticket);
    ctx.body = { issuer, account, expires_in: expiresIn, webauthn };
  });

  route(router, { method: 'POST', path: '/phone/enrolment', kind: 'jose', limit: perAddress }, async (ctx, { body }) => {
    const { deviceId, confirmCode, expiresIn, userVerifying } = await enrolments.enrol(body, ctx.ip);
    ctx.body = { device_id: deviceId, confirm_code: confirmCode, expires_in: expiresIn, user_verifying: userVerifying };
  });

  route(router, { method: 'POST', path: '/phone/rekey/offer', kind: 'json' }, async (ctx) => {
    const { nonce, serverTime, webauthn } = rekeying.offer();
    ctx.body = { issuer, nonce, server_time: serverTime, webauthn };
  });

  route(router, { method: 'POST', path: '/phone/rekey', kind: 'jose', limit: perAddress }, async (ctx, { body }) => {
    const { deviceId, label, name } = await rekeying.rekey(body, ctx.ip);
    ctx.body = { device_id: deviceId, account: { label }, name };
  });

  route(router, { method: 'POST', path: '/phone/device', kind: 'jose' }, async (ctx, { body }) => {
    const { device } = await verification.verify(body, { typ: 'device+jwt', states: ANY_STATE });
    const account = await accounts.find(device.accountId);
    ctx.body = {
      device_id: device.id,
      // Without its account a device is of no use to anybody.
      state: account ? device.state : 'revoked',
      account: { label: account?.label ?? '' },
      name: device.name,
      user_verifying: device.userVerifying,
    };
  });

  route(router, { method: 'POST', path: '/phone/device/retire', kind: 'jose' }, async (ctx, { body }) => {
    const { device } = await verification.verify(body, { typ: 'device-retire+jwt', states: ANY_STATE });
    await devices.retire(device, ctx.ip);
    ctx.body = { state: 'revoked' };
  });

  route(router, { method: 'GET', path: '/e/:link', kind: 'page' }, async (ctx) => {
    const link = ctx.params['link'] ?? '';
    if (!LINK.test(link)) throw new AppError('not_found', 'this is not an enrolment link');
    const app = appUrl(`${issuer}/e/${link}`);
    if (describeBrowser(ctx).mobile) return see(ctx, app);
    views.render(ctx, 'devices/landing', { app }, { title: views.text(ctx, 'devices.landing_title') });
  });
}

function see(ctx: KoaContext, url: string) {
  ctx.status = 303;
  ctx.redirect(url);
}

/**
 * Cross-origin calls of the phone app, from its exact origin alone (Fetch §3.2). All of `/phone/` is covered, also what
 * other rooms register there later; cookies may come along, since a claim may present its ticket by one.
 */
function allowOrigin(router: Router, origin: string) {
  router.use('/phone', async (ctx, next) => {
    ctx.vary('Origin');
    if (ctx.get('Origin') === origin) {
      ctx.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Expose-Headers': 'Retry-After',
        'Cross-Origin-Resource-Policy': 'cross-origin',
      });
    }
    await next();
  });
  router.options('/phone/*call', (ctx) => {
    ctx.status = 204;
    if (ctx.get('Origin') !== origin) return;
    ctx.set({ 'Access-Control-Allow-Methods': 'POST', 'Access-Control-Allow-Headers': 'Content-Type', 'Access-Control-Max-Age': '600' });
  });
}
