import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { route } from '../lib/http/route.ts';
import type { Views } from '../lib/views/views.ts';
import { drawIcon } from './icon.ts';

export interface PhoneAppOptions {
  readonly views: Views;
  /** Name of the site, for the app's name on the home screen. */
  readonly name?: string | undefined;
  /** The app's own origin, where it is not the issuer's. */
  readonly origin?: string | undefined;
}

/** Words that the app's script needs beside those of its screens. */
const WORDS = [
  'scan_text',
  'scan_foreign',
  'enter_invalid',
  'enter_unknown',
  'verify_failed',
  'request_browser_value',
  'request_browser_place',
  ...['login', 'link', 'step-up', 'device', 'api'].map((purpose) => `request_${purpose}`),
  ...[
    'already_claimed', 'device_pending', 'device_revoked', 'expired', 'frame_stale', 'invalid_link', 'locked', 'not_found', 'other',
    'rate_limited', 'replayed', 'unknown_issuer', 'unreachable', 'uv_required', 'wrong_account',
  ].flatMap((code) => [`error_${code}`, `error_${code}_title`]),
];
/** Values that the script puts in later: each stands for itself until then. */
const GAPS = { family: '{family}', os: '{os}', place: '{place}', client: '{client}' };
const ICONS = { 'icon-180': [180, 'full'], 'icon-192': [192, 'round'], 'icon-512': [512, 'round'], 'icon-maskable': [512, 'full'] } as const;

/**
 * Creates the phone web app: the page at `/phone` with its manifest, icons and service worker. The app itself runs in
 * the browser, on the SDK; it talks to the issuer as any other phone does.
 */
export function createPhoneApp({ issuer }: Pick<Context, 'issuer'>, { views, name = 'Tandem', origin }: PhoneAppOptions) {
  const issuerUrl = new URL(issuer);
  const separate = origin !== undefined && origin !== issuerUrl.origin;
  const base = separate ? '' : issuerUrl.pathname.replace(/\/$/, '');
  const icons = new Map<string, Buffer>();

  function icon(file: keyof typeof ICONS): Buffer {
    const [size, shape] = ICONS[file];
    const drawn = icons.get(file) ?? drawIcon(size, shape);
    icons.set(file, drawn);
    return drawn;
  }

  return {
    /** Registers the app's page; a link of a QR opens in it when it follows as its fragment, percent-encoded. */
    routes(router: Router): void {
      const csp = {
        // The fallback QR reader is WebAssembly.
        'script-src': ["'wasm-unsafe-eval'"],
        ...(separate && { 'connect-src': [issuerUrl.origin] }),
      };
      route(router, { method: 'GET', path: '/phone', kind: 'page', csp }, async (ctx) => {
        ctx.type = 'html';
        ctx.set('Content-Language', views.language(ctx));
        ctx.vary('Accept-Language');
        ctx.body = views.partial(ctx, 'phone/page', { issuer, base, words: WORDS, gaps: GAPS }).text;
      });

      route(router, { method: 'GET', path: '/phone/manifest.webmanifest', kind: 'json', query: z.object({}) }, async (ctx) => {
        ctx.vary('Accept-Language');
        ctx.set('Cache-Control', 'no-cache');
        ctx.type = 'application/manifest+json';
        ctx.body = JSON.stringify(manifest(ctx));
      });

      route(router, { method: 'GET', path: '/phone/service-worker.js', kind: 'json' }, async (ctx) => {
        ctx.set({
          'Cache-Control': 'no-cache',
          'Service-Worker-Allowed': `${base}/phone`,
          // A service worker's fetches obey its own policy, not the page's.
          'Content-Security-Policy': "default-src 'none'; connect-src 'self'",
        });
        ctx.type = 'text/javascript; charset=utf-8';
        ctx.body = views.asset('service-worker.js').body;
      });

      route(router, { method: 'GET', path: '/phone/:icon.png', kind: 'json' }, async (ctx) => {
        const file = ctx.params['icon'] ?? '';
        if (!Object.hasOwn(ICONS, file)) throw new AppError('not_found', 'there is no such icon');
        ctx.set('Cache-Control', 'public, max-age=86400');
        ctx.type = 'image/png';
        ctx.body = icon(file as keyof typeof ICONS);
      });
    },
  };

  /** W3C Web Application Manifest. */
  function manifest(ctx: KoaContext) {
    const image = (file: string, sizes: string, purpose: string) => ({ src: `${base}/phone/${file}.png`, sizes, type: 'image/png', purpose });
    return {
      id: `${base}/phone`,
      name: views.text(ctx, 'phone.manifest_name', { site: name }),
      short_name: name,
      description: views.text(ctx, 'phone.manifest_description'),
      lang: views.language(ctx),
      start_url: `${base}/phone`,
      scope: `${base}/phone`,
      display: 'standalone',
      orientation: 'portrait',
      background_color: '#f5f4f0',
      theme_color: '#f5f4f0',
      icons: [image('icon-192', '192x192', 'any'), image('icon-512', '512x512', 'any'), image('icon-maskable', '512x512', 'maskable')],
      shortcuts: [{ name: views.text(ctx, 'phone.scan'), url: `${base}/phone#scan` }],
    };
  }
}
