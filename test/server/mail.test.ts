import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { newEncryptionKey } from '../../src/index.ts';
import { readMail, startSmtpServer } from '../notices/smtp-server.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { run, temporaryFolder } from './program.ts';

describe('the mail of the server', function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  const key = newEncryptionKey();
  const password = 'seven blue lanterns over Ghent';

  /** Starts a server, makes an account there, changes its password, and stops the server. */
  async function changePassword(env: Record<string, string>, email: string): Promise<string> {
    const program = run(['start'], { ENCRYPTION_KEY: key, PORT: '0', DEMO: 'false', ...env });
    const { issuer } = await program.ready();
    const browser = createHttpBrowser();
    await browser.submit(await browser.get(`${issuer}/account/register`), 'register-form', { email, name: '', password });
    const signIn = await browser.get(`${issuer}/account/password`);
    const page = await browser.submit(signIn, '/password', { email, password });
    const done = await browser.submit(page, '/account/password', { current: password, password: `${password} and Bruges` });
    assert.match(done.text, /Your password has been changed/);
    // Ends at once: what is being sent is waited for.
    program.kill('SIGTERM');
    assert.equal(await program.ended(), 0);
    return program.output() + program.errors();
  }

  it('lies beside an SQLite file until there is a mail server, and the log says where', async () => {
    const log = await changePassword({ DATABASE_URL: folder.url('tandem.sqlite'), MAIL_FOLDER: '' }, 'ada@example.com');
    assert.ok(log.includes(folder.path('mail')), log);
    const [file, ...others] = await readdir(folder.path('mail'));
    assert.deepEqual(others, []);
    const { headers } = readMail(await readFile(folder.path('mail', file!), 'utf8'));
    assert.equal(headers.get('to'), 'ada@example.com');
    assert.equal(headers.get('from'), 'Tandem <no-reply@localhost>');
  });

  it('goes to SMTP_URL, from MAIL_FROM, and its password into no log', async () => {
    const smtp = await startSmtpServer();
    try {
      const env = {
        DATABASE_URL: folder.url('sent.sqlite'), LOG_LEVEL: 'trace', THEME_NAME: 'ACME',
        SMTP_URL: `smtp://localhost:${smtp.port}`, MAIL_FROM: 'ACME <id@acme.example>',
      };
      await changePassword(env, 'bob@example.com');
      const { from, to, source } = await smtp.waitForMail();
      assert.deepEqual([from, to], ['id@acme.example', ['bob@example.com']]);
      assert.equal(readMail(source).headers.get('from'), 'ACME <id@acme.example>');

      // This mail server knows nobody's password: what is said about that does not give it away.
      const log = await changePassword({ ...env, SMTP_URL: `smtp://acme:hunter2-secret@localhost:${smtp.port}` }, 'carl@example.com');
      assert.match(log, /could not be sent.* problemCode=EAUTH/);
      assert.ok(!log.includes('hunter2'), log);
      assert.ok(!log.includes('carl@example.com'));
      const knex = openDatabase(folder.url('sent.sqlite'));
      assert.equal((await knex('tandem_notices')).length, 1, 'it waits');
      await knex.destroy();
    } finally {
      await smtp.stop();
    }
  });
});
