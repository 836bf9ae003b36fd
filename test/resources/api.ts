import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa, { type Middleware } from 'koa';
import type { GuardedState } from '../../src/index.ts';

export interface Api {
  /** Calls with the token; the status of the answer. */
  call(token: string): Promise<number>;
  close(): Promise<void>;
}

/** An API of one route behind a guard, on a port of its own. */
export async function startApi(guard: Middleware<GuardedState>): Promise<Api> {
  const app = new Koa<GuardedState>();
  app.use(guard);
  app.use((ctx) => void (ctx.body = { clientId: ctx.state.auth.clientId }));
  const handle = app.callback();
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    call: async (token) => (await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } })).status,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
