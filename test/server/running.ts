import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { startServer } from '../../src/server/app.ts';
import type { RunningServer } from '../../src/server/app.ts';
import { readConfig } from '../../src/server/config.ts';
import { createLog } from '../../src/server/log.ts';
import { temporaryFolder } from './program.ts';

export const key = randomBytes(32).toString('base64url');
export const demoProgram = new URL('../../src/demo/main.ts', import.meta.url);
export const log = createLog({ level: 'silent', production: true });

/** Servers inside this process, in a folder of the suite's own; each test ends with those closed that it started. */
export function runningServers() {
  const folder = temporaryFolder();
  const running: RunningServer[] = [];
  afterEach(async () => {
    for (const server of running.splice(0)) await server.close();
  });

  async function start(env: Record<string, string> = {}, to = log) {
    const name = `${randomBytes(4).toString('hex')}.sqlite`;
    const config = readConfig({ DATABASE_URL: folder.url(name), ENCRYPTION_KEY: key, PORT: '0', DEMO: 'false', ...env });
    const server = await startServer(config, { log: to, demoProgram });
    running.push(server);
    return { ...server, config };
  }

  return { folder, running, start };
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A request as it is written here, with no header added and no redirect followed. */
export function raw(issuer: string, path: string, headers: Record<string, string>) {
  const { hostname, port } = new URL(issuer);
  return new Promise<{ status: number; body: string; headers: Record<string, string | undefined> }>((resolve, reject) => {
    request({ hostname: hostname === 'localhost' ? '127.0.0.1' : hostname, port, path, headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk)).on('end', () => resolve({ status: response.statusCode!, body, headers: response.headers as Record<string, string> }));
    }).on('error', reject).end();
  });
}
