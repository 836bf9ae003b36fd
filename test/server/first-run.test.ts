import assert from 'node:assert/strict';
import { newEncryptionKey } from '../../src/index.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { run, temporaryFolder, type Ready } from './program.ts';

const key = newEncryptionKey();

describe('the first administrator', function () {
  this.timeout(60_000);
  const folder = temporaryFolder();

  /** Starts the server on a database, stops it after `work`, and tells what it has printed. */
  async function running(name: string, env: Record<string, string>, work: (ready: Ready) => unknown): Promise<string> {
    const program = run(['start'], { DATABASE_URL: folder.url(name), ENCRYPTION_KEY: key, PORT: '0', DEMO_PORT: '0', ...env });
    try {
      await work(await program.ready());
    } finally {
      program.kill('SIGTERM');
      await program.ended();
    }
    return program.output();
  }

  it('is made once in development, and signs in', async () => {
    let password = '';
    const first = await running('once.sqlite', {}, async ({ issuer, administrator }) => {
      assert.equal(administrator?.email, 'admin@example.com');
      password = administrator.password!;
      const browser = createHttpBrowser();
      const home = await browser.submit(await browser.get(`${issuer}/account`), '/password', { email: administrator.email, password });
      assert.equal(home.url, `${issuer}/account`);
      browser.close();
    });
    assert.equal(first.split(password).length, 2, 'it is printed once, and logged nowhere');
    const second = await running('once.sqlite', {}, ({ administrator }) => assert.deepEqual(administrator, { email: 'admin@example.com' }));
    assert.match(second, /Administrator +admin@example.com/);
  });

  it('is not whoever has registered that address before', async () => {
    await running('taken.sqlite', { DEMO: 'false' }, async ({ issuer, administrator }) => {
      assert.equal(administrator, undefined);
      const browser = createHttpBrowser();
      const done = await browser.submit(await browser.get(`${issuer}/account/register`), '/account/register', { email: 'admin@example.com', password: 'seven blue lanterns over Ghent' });
      assert.ok(done.status < 400, done.text);
      browser.close();
    });
    const output = await running('taken.sqlite', {}, ({ administrator }) => assert.equal(administrator, undefined));
    assert.ok(!output.includes('Administrator'));
  });

  it('is for the operator to make in production, and the log says how', async () => {
    const env = { NODE_ENV: 'production', ISSUER: 'http://localhost:3000', HOST: '127.0.0.1' };
    const output = await running('production.sqlite', env, ({ administrator }) => assert.equal(administrator, undefined));
    assert.match(output, /tandem accounts create you@example.com --admin/);
  });
});
