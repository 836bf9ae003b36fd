import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import { methodNotAllowed } from '../../src/lib/http/answers.ts';
import { createHttp, type Http } from '../../src/lib/http/http.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import type { Theme } from '../../src/lib/views/views.ts';

export interface BareApp {
  readonly url: string;
  readonly http: Http;
  /** What was logged as an error. */
  readonly errors: object[];
  /** What came to Koa's own handler, which prints it. */
  readonly uncaught: Error[];
  close(): Promise<void>;
}

/** A Koa app with the HTTP layer and nothing else, on a free port. */
export async function startBareApp(
  define: (router: Router, http: Http) => void,
  options: { issuer?: string; keys?: string[]; theme?: Theme; before?: Koa.Middleware } = {},
): Promise<BareApp> {
  const app = new Koa();
  const uncaught: Error[] = [];
  app.on('error', (error: Error) => uncaught.push(error));
  if (options.before) app.use(options.before);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const errors: object[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void errors.push(fields) };
  const keyRing = createKeyRing(options.keys ?? [newEncryptionKey()]);
  const http = createHttp({ issuer: options.issuer ?? url, keyRing, clock: Date.now, log }, { theme: options.theme });
  const router = new Router();
  define(router, http);
  app.use(http.middleware).use(http.views.assets).use(router.routes() as never).use(methodNotAllowed());
  server.on('request', app.callback() as RequestListener);
  return {
    url,
    http,
    errors,
    uncaught,
    async close() {
      http.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
