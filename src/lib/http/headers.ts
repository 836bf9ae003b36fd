import type { Context as KoaContext } from 'koa';

/** Further sources that one page needs, by CSP directive: `{ 'script-src': ["'wasm-unsafe-eval'"] }`. */
export type CspAdditions = Readonly<Record<string, readonly string[]>>;

const CSP: Readonly<Record<string, readonly string[]>> = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  // Clients' logos live on their own https sites.
  'img-src': ["'self'", 'data:', 'https:'],
  'connect-src': ["'self'"],
  'manifest-src': ["'self'"],
  'worker-src': ["'self'"],
  'base-uri': ["'none'"],
  'frame-ancestors': ["'none'"],
  // No form-action: Chromium applies it to the redirects after a post, and those lead to every client there is.
};

function policy(additions: CspAdditions = {}): string {
  const merged = { ...CSP };
  for (const [directive, sources] of Object.entries(additions)) {
    merged[directive] = [...(CSP[directive] ?? []), ...sources];
  }
  return Object.entries(merged)
    .map(([directive, sources]) => `${directive} ${sources.join(' ')}`)
    .join('; ');
}

const PAGE_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  // Not no-referrer: under it browsers post our own forms with `Origin: null`.
  'Referrer-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(self), microphone=(), geolocation=(), payment=(), usb=()',
  'Content-Security-Policy': policy(),
};

const API_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

/** Sets the security headers of a page; `additions` widen its content security policy. */
export function pageHeaders(ctx: KoaContext, additions?: CspAdditions): void {
  ctx.set(PAGE_HEADERS);
  if (additions) ctx.set('Content-Security-Policy', policy(additions));
}

/** Sets the security headers of an answer that no browser renders. */
export function apiHeaders(ctx: KoaContext): void {
  ctx.set(API_HEADERS);
}

/** One challenge of `WWW-Authenticate` (RFC 9110 §11.6.1); parameters without a value are left out. */
export function challenge(scheme: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value.replace(/["\\]/g, '\\$&')}"`]));
  return [scheme, given.join(', ')].filter(Boolean).join(' ');
}
