import type { RequestListener } from 'node:http';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the bench may ask a server between runs; arguments and answers are JSON. */
export type Calls = Readonly<Record<string, (argument: never) => unknown>>;

/**
 * Runs one server of the bench: listens on a free port of the loopback, tells the parent when it is ready, and answers
 * its questions by message. Ends when the parent does.
 *
 * @param build makes the request handler once the issuer is known, and what else the parent may call or should be told
 */
export async function serve(build: (issuer: string) => Promise<{ listener: RequestListener; calls?: Calls; facts?: Record<string, unknown> }>) {
  let listener: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const built = await build(issuer);
  listener = built.listener;

  const calls: Calls = {
    /** Microseconds of CPU that this process has used. */
    cpu: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    /** Bytes resident, after a collection. */
    memory: () => {
      globalThis.gc?.();
      return process.memoryUsage.rss();
    },
    ...built.calls,
  };
  process.on('message', (message: { id: number; call: string; argument: never }) => {
    void (async () => {
      try {
        process.send!({ id: message.id, value: await calls[message.call]!(message.argument) });
      } catch (error) {
        process.send!({ id: message.id, error: String(error) });
      }
    })();
  });
  process.on('disconnect', () => process.exit(0));
  process.send!({ ready: { issuer, ...built.facts } });
}
