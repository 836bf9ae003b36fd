import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import type { Context } from '../../context.ts';
import type { SignedCall, VerifyOptions } from '../../devices/verification.ts';
import { base64url, equal, hmac } from '../../lib/crypto.ts';
import { route } from '../../lib/http/route.ts';
import { describeBrowser } from '../../lib/http/user-agent.ts';
import type { Views } from '../../lib/views/views.ts';
import { parseLink } from '../transaction/frames.ts';
import type { Ticket } from './phone-side.ts';
import type { QrService } from '../service.ts';

/** How long a phone that opened a fresh link may take to claim, in seconds: the camera, and a cold start of the app. */
const TICKET_SECONDS = 60;

/** Registers where the QR leads, and what phones call. */
export function phoneRoutes(
  router: Router,
  context: Pick<Context, 'issuer' | 'clock' | 'keyRing'>,
  { service, verify, views, appUrl }: {
    service: QrService;
    verify: (body: string, options: VerifyOptions) => Promise<SignedCall>;
    views: Views;
    /** The phone app, opened with a link, or without one. */
    appUrl: (link?: string) => string;
  },
): void {
  const tickets = createTickets(context);

  // Changes nothing, since previews and virus scanners open links too.
  route(router, { method: 'GET', path: '/q/:link', kind: 'page' }, async (ctx) => {
    const link = ctx.params['link'] ?? '';
    const found = await service.look(parseLink(link));
    if (found === 'stale' || found === 'taken') {
      const data = { problem: found, app: appUrl() };
      return views.render(ctx, 'qr/open-with-phone', data, { status: 410, title: views.text(ctx, `qr.link_${found}_title`) });
    }
    tickets.set(ctx, found);
    const app = appUrl(`${context.issuer}/q/${link}`);
    if (describeBrowser(ctx).mobile) {
      ctx.status = 303;
      return ctx.redirect(app);
    }
    views.render(ctx, 'qr/open-with-phone', { problem: '', app }, { title: views.text(ctx, 'qr.open_title') });
  });

  route(router, { method: 'POST', path: '/phone/transactions/claim', kind: 'jose' }, async (ctx, { body }) => {
    const call = await verify(body, { typ: 'qr-claim+jwt' });
    ctx.body = await service.claim(call, { ticket: tickets.get(ctx), address: ctx.ip });
  });

  route(router, { method: 'POST', path: '/phone/transactions/decision', kind: 'jose' }, async (ctx, { body }) => {
    const call = await verify(body, { typ: 'qr-decision+jwt', nonce: (claims) => service.challenge(claims) });
    ctx.body = await service.decide(call, { address: ctx.ip });
  });
}

/** The cookie that says: this phone's browser opened a fresh link of that transaction. */
function createTickets({ issuer, clock, keyRing }: Pick<Context, 'issuer' | 'clock' | 'keyRing'>) {
  const secure = issuer.startsWith('https:');
  const name = secure ? '__Host-tandem-ticket' : 'tandem-ticket';
  const keys = keyRing.derive('qr-ticket');
  const mac = (key: Uint8Array, body: string) => base64url(hmac(key, body));

  return {
    set(ctx: KoaContext, { tx }: Ticket): void {
      const body = `${tx}.${Math.floor(clock() / 1000) + TICKET_SECONDS}`;
      const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${TICKET_SECONDS}${secure ? '; Secure' : ''}`;
      ctx.append('Set-Cookie', `${name}=${body}.${mac(keys[0], body)}; ${attributes}`);
    },
    get(ctx: KoaContext): Ticket | undefined {
      const [tx = '', expires = '', given = ''] = (ctx.cookies.get(name, { signed: false }) ?? '').split('.');
      const genuine = keys.some((key) => equal(mac(key, `${tx}.${expires}`), given));
      return genuine && clock() / 1000 < Number(expires) ? { tx } : undefined;
    },
  };
}
