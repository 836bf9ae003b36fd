import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import type { RequestListener, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ConfigError } from './config.ts';
import type { Config } from './config.ts';

/** A listening socket whose requests are answered by whoever is in charge at the moment. */
export interface Listener {
  /** Where it is reached on this machine. */
  readonly url: string;
  /** Puts `handler` in charge of everything but `/health`; until then, and with undefined, the answer is 503. */
  use(handler: RequestListener | undefined): void;
  /** Takes no new requests, waits for those under way, and after `patience` milliseconds for none. */
  close(patience?: number): Promise<void>;
}

/**
 * Listens for http, or https where a certificate is given. `/health/live` answers as long as the process does; `/health/ready`
 * once a handler is in charge and `isReady` says yes.
 *
 * @throws ConfigError when the address is taken or the certificate cannot be used
 */
export async function listen({ host, port, tls }: Pick<Config, 'host' | 'port' | 'tls'>, isReady: () => Promise<boolean>): Promise<Listener> {
  let handler: RequestListener | undefined;
  const server = tls ? createHttpsServer(await readCertificate(tls)) : createHttpServer();
  server.on('request', (request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/health/live') return answer(response, true);
    if (path === '/health/ready') return void ready().then((yes) => answer(response, yes));
    if (handler) return handler(request, response);
    answer(response, false);
  });

  async function ready() {
    return handler !== undefined && (await isReady().catch(() => false));
  }

  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new ConfigError(`PORT: ${port} is taken; choose another, as in PORT=${port + 100} npm start`);
    if (code === 'EACCES') throw new ConfigError(`PORT: ${port} needs privileges that this process lacks; choose one above 1023`);
    throw new ConfigError(`HOST: cannot listen on ${host} (${code}); give an address of this machine`);
  }
  const address = server.address() as AddressInfo;

  return {
    url: `${tls ? 'https' : 'http'}://localhost:${address.port}`,
    use(next) {
      handler = next;
    },
    async close(patience = 10_000) {
      handler = undefined;
      const closed = once(server, 'close');
      server.close();
      // A connection whose last answer has been given would otherwise be kept for the next request, which will not come.
      const idle = setInterval(() => server.closeIdleConnections(), 50);
      const timer = setTimeout(() => server.closeAllConnections(), patience);
      await closed;
      clearTimeout(timer);
      clearInterval(idle);
    },
  };
}

function answer(response: ServerResponse, well: boolean) {
  response.writeHead(well ? 200 : 503, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...(!well && { 'Retry-After': '1' }) });
  response.end(JSON.stringify({ status: well ? 'ok' : 'unavailable' }));
}

async function readCertificate({ cert, key }: { cert: string; key: string }) {
  const read = (name: string, file: string) =>
    readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw new ConfigError(`${name}: ${file} cannot be read (${error.code}); give the path of a PEM file`);
    });
  const options = { cert: await read('TLS_CERT', cert), key: await read('TLS_KEY', key) };
  try {
    createHttpsServer(options);
  } catch {
    throw new ConfigError(`TLS_CERT: ${cert} and TLS_KEY ${key} must be a PEM certificate and its private key`);
  }
  return options;
}
