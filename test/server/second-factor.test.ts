import assert from 'node:assert/strict';
import { newEncryptionKey } from '../../src/index.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { run, temporaryFolder } from './program.ts';

describe('the second factor at the server', function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const person = { email: 'ada@example.com', password: 'seven blue lanterns over Ghent' };

  /** What an account's password opens by itself, and what a caller without credentials is told, with these settings. */
  async function tryOut(name: string, settings: Record<string, string>) {
    const program = run(['start'], { DATABASE_URL: folder.url(name), ENCRYPTION_KEY: newEncryptionKey(), PORT: '0', DEMO: 'false', LOG_LEVEL: 'warn', ...settings });
    try {
      const { issuer } = await program.ready();
      const browser = createHttpBrowser();
      await browser.submit(await browser.get(`${issuer}/account/register`), 'register-form', { ...person, name: '' });
      const page = await browser.submit(await browser.get(`${issuer}/account`), '/password', person);
      const body = new URLSearchParams({ email: 'nobody@example.com', password: 'a wrong one' });
      const call = await fetch(`${issuer}/api/users/google/2FAuth/qrCode`, { method: 'POST', body });
      const { error } = (await call.json()) as { error: string };
      return { page, path: new URL(page.url).pathname, error, log: program.output() + program.errors() };
    } finally {
      program.kill('SIGTERM');
      await program.ended();
    }
  }

  it('is nobody’s duty unless told so, and the two-call API is for clients', async () => {
    const { path, error, log } = await tryOut('plain.sqlite', {});
    assert.equal(path, '/account');
    assert.equal(error, 'invalid_client');
    assert.doesNotMatch(log, /open to everybody/);
  });

  it('is everybody’s by LEVEL=2, and the two-call API open by the setting that names its risk, which is logged', async () => {
    const { page, path, error, log } = await tryOut('strict.sqlite', { LEVEL: '2', INSECURE_UNAUTHENTICATED_2FA_API: 'true' });
    assert.match(path, /^\/interaction\//);
    assert.ok(page.links.some((link) => link.endsWith('/authenticator')), page.text);
    assert.equal(error, 'invalid_credentials');
    assert.match(log, /two-call 2FA API is open to everybody/);
  });
});
