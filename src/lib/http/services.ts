import type { Context as KoaContext } from 'koa';
import type { Browsers } from './browser.ts';
import type { Csrf } from './csrf.ts';
import type { Streams } from './sse.ts';
import type { Views } from '../views/views.ts';
import type { Log } from '../log.ts';

/** What the route guard needs on every request; put there by the middleware of {@link import('./http.ts').createHttp}. */
export interface HttpServices {
  readonly issuer: string;
  readonly log: Log;
  readonly browsers: Browsers;
  readonly csrf: Csrf;
  readonly streams: Streams;
  readonly views: Views;
}

const SERVICES = Symbol('tandem.http');

/** Hands the services to the routes of this request. */
export function provideServices(ctx: KoaContext, services: HttpServices): void {
  (ctx.state as Record<symbol, unknown>)[SERVICES] = services;
}

/** The services of this request; throws where the middleware was left out. */
export function servicesOf(ctx: KoaContext): HttpServices {
  const services = (ctx.state as Record<symbol, unknown>)[SERVICES] as HttpServices | undefined;
  if (!services) throw new Error('the middleware of createHttp must run before the routes');
  return services;
}
