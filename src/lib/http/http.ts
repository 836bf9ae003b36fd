import type { Middleware } from 'koa';
import type { Context } from '../../context.ts';
import { createViews, type Theme, type Views } from '../views/views.ts';
import { createBrowsers, type Browsers } from './browser.ts';
import { createCsrf, type Csrf } from './csrf.ts';
import { forgiveDisconnect } from './disconnects.ts';
import { provideServices } from './services.ts';
import { createStreams, type Streams } from './sse.ts';

/** Everything between a request and a room's route. */
export interface Http {
  /** Must run before every route; changes no answer by itself. */
  readonly middleware: Middleware;
  readonly browsers: Browsers;
  readonly csrf: Csrf;
  readonly streams: Streams;
  readonly views: Views;
  /** Ends the open event streams. */
  close(): void;
}

/**
 * Creates the HTTP layer of one Tandem instance.
 *
 * @example
 * const http = createHttp(context, { theme: { name: 'Example' } });
 * app.use(http.middleware).use(http.views.assets).use(router.routes()).use(methodNotAllowed());
 */
export function createHttp(
  context: Pick<Context, 'issuer' | 'keyRing' | 'clock' | 'log'>,
  { theme, accountPage }: { theme?: Theme | undefined; accountPage?: string | undefined } = {},
): Http {
  const { issuer, log } = context;
  const browsers = createBrowsers(context);
  const csrf = createCsrf(context, browsers);
  const streams = createStreams();
  const views = createViews({ issuer, theme, accountPage, log, csrf: csrf.token });
  const services = { issuer, log, browsers, csrf, streams, views };
  return {
    browsers,
    csrf,
    streams,
    views,
    async middleware(ctx, next) {
      provideServices(ctx, services);
      forgiveDisconnect(ctx, log);
      await next();
    },
    close: () => streams.close(),
  };
}
