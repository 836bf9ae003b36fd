import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { startServer, type RunningServer } from '../../src/server/app.ts';
import { readConfig } from '../../src/server/config.ts';
import { createLog } from '../../src/server/log.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { temporaryFolder } from './program.ts';

const key = randomBytes(32).toString('base64url');
const demoProgram = new URL('../../src/demo/main.ts', import.meta.url);

describe('the first administrator', function () {
  this.timeout(60_000);
  const folder = temporaryFolder();

  /** Starts the server on a database, and stops it after `work`. */
  async function running<T>(name: string, env: Record<string, string>, work: (server: RunningServer) => T | Promise<T>): Promise<{ result: T; logged: string }> {
    let logged = '';
    const log = createLog({ level: 'info', production: true }, new Writable({ write: (chunk, _, done) => { logged += String(chunk); done(); } }));
    const server = await startServer(readConfig({ DATABASE_URL: folder.url(name), ENCRYPTION_KEY: key, PORT: '0', DEMO_PORT: '0', ...env }), { log, demoProgram });
    try {
      return { result: await work(server), logged };
    } finally {
      await server.close();
    }
  }

  it('is made once in development, and signs in', async () => {
    const { result: made, logged } = await running('once.sqlite', {}, async ({ issuer, administrator }) => {
      const browser = createHttpBrowser();
      const home = await browser.submit(await browser.get(`${issuer}/account`), '/password', { email: administrator!.email, password: administrator!.password! });
      assert.equal(home.url, `${issuer}/account`);
      browser.close();
      return administrator!;
    });
    assert.equal(made.email, 'admin@example.com');
    assert.ok(!logged.includes(made.password!), 'the password is not logged');
    const { result: again } = await running('once.sqlite', {}, ({ administrator }) => administrator);
    assert.deepEqual(again, { email: made.email, password: undefined });
  });

  it('is not whoever has registered that address before', async () => {
    await running('taken.sqlite', { DEMO: 'false' }, async ({ issuer }) => {
      const browser = createHttpBrowser();
      await browser.submit(await browser.get(`${issuer}/account/register`), '/account/register', { email: 'admin@example.com', password: 'seven blue lanterns over Ghent' });
      browser.close();
    });
    const { result } = await running('taken.sqlite', {}, ({ administrator }) => administrator);
    assert.equal(result, undefined);
  });

  it('is for the operator to make in production, and the log says how', async () => {
    const env = { NODE_ENV: 'production', ISSUER: 'http://localhost:3000', HOST: '127.0.0.1' };
    const { result, logged } = await running('production.sqlite', env, ({ administrator }) => administrator);
    assert.equal(result, undefined);
    assert.match(logged, /tandem accounts create you@example.com --admin/);
  });
});
