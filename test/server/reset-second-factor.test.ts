import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { createHttpBrowser, type Page } from '../support/http-browser.ts';
import { onEachDatabase } from '../support/databases.ts';
import { newEncryptionKey, openDatabase } from '../../src/index.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import { secretOn } from '../totp/app.ts';
import { codeOf } from '../support/otp.ts';
import { readMail } from '../notices/smtp-server.ts';
import { commandLine } from './calls.ts';
import { run, temporaryFolder, type Program } from './program.ts';

onEachDatabase('tandem accounts reset-second-factor', (database) => {
  const email = 'ada@example.com';
  const password = 'seven blue lanterns over Ghent';
  let env: Record<string, string>;
  const folder = temporaryFolder();
  let url: string;
  let server: Program;
  let issuer: string;

  before(async function () {
    this.timeout(120_000);
    url = await database.url();
    env = { DATABASE_URL: url, ENCRYPTION_KEY: newEncryptionKey(), PORT: '0', DEMO: 'false', LOG_LEVEL: 'error' };
    server = run(['start'], env);
    ({ issuer } = await server.ready());
  });
  after(async () => {
    server.kill('SIGTERM');
    await server.ended();
  });

  /** Its mail goes into a folder of its own: what the server sends is not its doing. */
  async function reset(...args: string[]) {
    const program = run(['accounts', 'reset-second-factor', ...args], { ...env, ISSUER: issuer, MAIL_FOLDER: folder.path('mail') });
    return { code: await program.ended(), output: program.output(), errors: program.errors() };
  }

  async function rows(query: (knex: ReturnType<typeof openDatabase>) => PromiseLike<unknown>): Promise<unknown> {
    const knex = openDatabase(url);
    try {
      return await query(knex);
    } finally {
      await knex.destroy();
    }
  }

  const at = (path: string) => `${issuer}${path}`;
  const signIn = async (browser: ReturnType<typeof createHttpBrowser>, path: string, address = email) => browser.submit(await browser.get(at(path)), '/password', { email: address, password });
  const signedInTo = (page: Page, path: string) => new URL(page.url).pathname === path;

  /** Somebody with a phone, an app, and recovery codes, who is signed in. */
  async function equip(address = email) {
    const browser = createHttpBrowser();
    await browser.submit(await browser.get(at('/account/register')), '/account/register', { email: address, password });
    const shown = await browser.submit(await signIn(browser, '/account/devices/add', address), '/account/devices/add');
    const phone = createVirtualPhone({ issuer });
    const { confirmCode } = await phone.enrol(/data-link="([^"]+)"/.exec(shown.body)![1]!);
    await browser.submit(shown, '/confirm', { code: confirmCode });
    return { browser, phone };
  }

  it('says what is wrong with how it was called, in a line', async function () {
    this.timeout(120_000);
    for (const [args, expected] of [
      [[], /^<account> is missing/],
      [[email, 'grace@example.com', '--yes'], /^"grace@example.com" is one too many/],
      [['nobody@example.com', '--yes'], /^there is no such account/],
      [['not an address'], /^there is no such account/],
      [[email, '--now-please'], /--now-please/],
    ] as const) {
      const { code, output, errors } = await reset(...args);
      assert.deepEqual([code, output], [1, ''], errors);
      assert.match(errors, expected);
      assert.equal(errors.trim().split('\n').length, 1, errors);
    }
  });

  it('takes everything away, at once and for good, and says so', async function () {
    this.timeout(120_000);
    const { browser, phone } = await equip();
    assert.ok(signedInTo(await browser.get(at('/account')), '/account'));

    const unsure = await reset(email);
    assert.equal(unsure.code, 1);
    assert.match(unsure.errors, /^this removes .*ada@example.com.*--yes\n$/);
    assert.equal((await phone.status()).state, 'active', 'nothing has happened yet');

    const kept = await reset('ADA@example.com', '--yes', '--keep-phones', '--json');
    assert.deepEqual(JSON.parse(kept.output), { email, reset: true, authenticators: 0, phones: 0, recovery_codes: 10 }, kept.errors);
    assert.equal((await phone.status()).state, 'active');
    assert.ok(!signedInTo(await browser.get(at('/account')), '/account'), 'signed out');

    const done = await reset(email, '--yes');
    assert.deepEqual([done.code, done.errors], [0, '']);
    assert.match(done.output, /^ada@example.com: authenticators removed: 0, .* phones locked out: 1;/);
    assert.equal((await phone.status()).state, 'revoked');

    const mails = await Promise.all((await readdir(folder.path('mail'))).map(async (file) => readMail(await readFile(folder.path('mail', file), 'utf8'))));
    assert.deepEqual(mails.map(({ headers }) => headers.get('to')), [email, email], 'each reset is told, and nothing else');
    for (const { headers } of mails) assert.match(headers.get('subject')!, /second factor/i);

    const again = await reset(email, '--yes');
    assert.deepEqual([again.code, again.output], [0, `${email} has no second factor; nothing has been changed\n`]);

    const events = (await rows((knex) => knex('tandem_events').where({ name: 'second_factor.reset' }).orderBy('id'))) as Array<{ data: string }>;
    const { username } = userInfo();
    const by = { by: `command line: ${username}`, actor: { kind: 'command-line', id: username } };
    assert.deepEqual(events.map(({ data }) => JSON.parse(data) as unknown), [{ ...by, authenticators: 0, phones: 0 }, { ...by, authenticators: 0, phones: 1 }]);
    assert.ok(signedInTo(await signIn(createHttpBrowser(), '/account'), '/account'), 'the password stays');
  });

  it('lists phones, and ends one as lost or as retired', async function () {
    this.timeout(120_000);
    for (const reason of ['lost', 'retired']) {
      const { phone } = await equip(`${reason}@example.com`);
      const { call } = commandLine(url, { ...env, ISSUER: issuer, MAIL_FOLDER: folder.path('mail') });
      const { devices } = await call('accounts', 'devices', `${reason}@example.com`);
      assert.equal(devices.length, 1);
      const ended = await call('devices', 'revoke', devices[0].id, `--${reason}`);
      assert.equal(ended.id, devices[0].id);
      assert.equal((await phone.status()).state, 'revoked');
      assert.deepEqual((await call('accounts', 'devices', `${reason}@example.com`)).devices, []);
      const [event] = (await rows((knex) => knex('tandem_events').where({ name: 'device.revoked', device_id: devices[0].id }))) as Array<{ data: string }>;
      const data = JSON.parse(event!.data) as { reason: string; actor: unknown };
      assert.deepEqual([data.reason, data.actor], [reason, { kind: 'command-line', id: userInfo().username }]);
    }
  });

  it('removes authenticators, so that the password signs in alone', async function () {
    this.timeout(120_000);
    const browser = createHttpBrowser();
    const add = await signIn(browser, '/account/authenticators/add');
    const secret = secretOn(add);
    const shown = await browser.submit(add, '/account/authenticators/add', { code: codeOf(secret, Date.now) });
    assert.match(shown.text, /Your recovery codes/);
    assert.ok(!signedInTo(await signIn(createHttpBrowser(), '/account'), '/account'), 'a code is asked for');
    const { output, errors } = await reset(email, '--yes', '--json');
    assert.deepEqual(JSON.parse(output), { email, reset: true, authenticators: 1, phones: 0, recovery_codes: 10 }, errors);
    assert.ok(signedInTo(await signIn(createHttpBrowser(), '/account'), '/account'));
  });
});
