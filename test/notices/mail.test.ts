import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NoticesOptions } from '../../src/notices/notices.ts';
import { onEachDatabase } from '../support/databases.ts';
import { openOffice, type Office } from './harness.ts';
import { readMail, startSmtpServer, type SmtpServer } from './smtp-server.ts';

const FROM = 'Tandem <no-reply@id.example.com>';

onEachDatabase('notices by mail', (database) => {
  let url: string;
  const ending: Array<() => Promise<unknown>> = [];
  before(async () => {
    url = await database.url();
  });
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  async function serve(options?: Parameters<typeof startSmtpServer>[0]): Promise<SmtpServer> {
    const server = await startSmtpServer(options);
    ending.push(() => server.stop());
    return server;
  }
  async function open(notices: NoticesOptions, options?: Parameters<typeof openOffice>[2]): Promise<Office> {
    const office = await openOffice(url, notices, options);
    ending.push(() => office.close());
    return office;
  }
  const smtp = ({ port }: Pick<SmtpServer, 'port'>) => ({ smtp: `smtp://localhost:${port}`, from: FROM });
  /** A port on which nobody listens. */
  async function freePort() {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  const warnings = ({ logged }: Office) => logged.filter(({ level }) => level === 'warn');

  it('arrive over SMTP, readable as text and as a page', async () => {
    const server = await serve();
    const office = await open(smtp(server));
    await office.named('ada', 'Ada’s Telefön');
    const { from, to, source } = await server.waitForMail();
    assert.equal(from, 'no-reply@id.example.com');
    assert.deepEqual(to, ['ada@example.com']);
    const { headers, text, html } = readMail(source);
    assert.equal(headers.get('from'), FROM);
    assert.equal(headers.get('to'), 'ada@example.com');
    assert.equal(headers.get('subject'), 'An authenticator app was added to your account – Tandem');
    assert.equal(headers.get('auto-submitted'), 'auto-generated');
    assert.equal(headers.get('content-language'), 'en');
    assert.match(headers.get('message-id')!, /^<[0-9a-f-]{36}@id\.example\.com>$/);
    assert.ok(Math.abs(Date.parse(headers.get('date')!) - office.clock()) < 60_000);
    assert.match(text, /^Authenticator app: Ada’s Telefön$/m);
    assert.match(text, /^https:\/\/id\.example\.com\/account$/m);
    assert.match(html, /<bdi>Ada’s Telefön<\/bdi>/);
    await office.until(async () => (await office.rows()).length === 0);
    assert.deepEqual(await office.told('notice.sent', 'ada'), [{ kind: 'totp.activated' }]);
  });

  it('wait for a mail server that is away, and arrive when it is back', async () => {
    const port = await freePort();
    const office = await open(smtp({ port }));
    await office.happen('bob');
    await office.until(() => warnings(office).length === 1);
    assert.equal(warnings(office)[0]!.fields['problemCode'], 'ESOCKET');
    office.clock.advance(61_000);
    await office.sweep();
    assert.equal(warnings(office).length, 2);
    const server = await serve({ port });
    office.clock.advance(121_000);
    await office.sweep();
    assert.equal(server.mails.length, 1);
    assert.deepEqual(server.mails[0]!.to, ['bob@example.com']);
    assert.deepEqual(await office.rows(), []);
  });

  it('do not let those behind wait for a server that is away: one round asks it once', async () => {
    // A process whose hands are full leaves what follows to the sweeps.
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const busy = await open({ send: () => held });
    for (let n = 0; n < 34; n += 1) await busy.happen(`queue${n}`);
    const office = await open(smtp({ port: await freePort() }), { clock: busy.clock });
    await office.sweep();
    assert.equal(warnings(office).length, 4, 'as many as are tried at once');
    const server = await serve();
    const working = await open(smtp(server), { clock: busy.clock });
    await working.sweep();
    assert.equal(server.mails.length, 26);
    working.clock.advance(61_000);
    await working.sweep();
    release();
    await working.until(async () => (await working.rows()).length === 0);
    assert.equal(server.mails.length, 30);
  });

  it('are given up where the address is refused, and tried again where it is only refused for now', async () => {
    const server = await serve();
    const office = await open(smtp(server));
    server.answerRecipient('550 no such user <{address}>');
    await office.happen('carol');
    await office.until(async () => (await office.rows()).length === 0);
    assert.deepEqual(await office.told('notice.failed', 'carol'), [{ kind: 'account.password_changed', reason: 'refused' }]);
    const [given] = office.logged.filter(({ level }) => level === 'error');
    assert.equal(given!.fields['responseCode'], 550);

    server.answerRecipient('450 greylisted {address}');
    await office.happen('dora');
    await office.until(() => warnings(office).length === 1);
    assert.ok(!/carol@|dora@/.test(JSON.stringify(office.logged)), 'no address in the log');
    server.answerRecipient('250 fine');
    office.clock.advance(61_000);
    await office.sweep();
    assert.deepEqual(server.mails.map(({ to }) => to), [['dora@example.com']]);
  });

  it('do not hang on a server that says nothing', async () => {
    const server = await serve({ mute: true });
    const office = await open({ smtp: { host: 'localhost', port: server.port, greetingTimeout: 150 }, from: FROM });
    await office.happen('erin');
    await office.until(() => warnings(office).length === 1);
    assert.equal(warnings(office)[0]!.fields['problemCode'], 'ETIMEDOUT');
    const [row] = await office.rows();
    assert.equal(row!.attempts, 1);
    office.clock.advance(72 * 3_600_000);
    await office.sweep();
    assert.deepEqual(await office.rows(), []);
  });

  it('go to no server that cannot prove its name, and in the clear to none but this host', async () => {
    const untrusted = await serve({ tls: true });
    const office = await open({ smtp: `smtps://tandem:hunter2-secret@localhost:${untrusted.port}`, from: FROM });
    await office.happen('finn');
    await office.until(() => warnings(office).length === 1);
    assert.match(String(warnings(office)[0]!.fields['problem']), /self.signed/i);
    assert.deepEqual(untrusted.commands, []);
    assert.ok(!JSON.stringify(office.logged).includes('hunter2'), 'nor is the password in the log');

    const plain = await serve();
    const connection = connect(plain.port, '127.0.0.1');
    await new Promise((resolve) => connection.once('connect', resolve));
    const far = await open({ smtp: { host: 'mail.example.com', port: 25, connection }, from: FROM }, { clock: office.clock });
    office.clock.advance(61_000);
    await far.sweep();
    assert.equal(warnings(far).length, 1);
    assert.ok(plain.commands.includes('STARTTLS'), plain.commands.join());
    assert.equal(plain.mails.length, 0);
    office.clock.advance(72 * 3_600_000);
    await office.sweep();
  });

  it('carry no header and no recipient but ours, whatever people call things', async () => {
    const server = await serve();
    const addresses: Record<string, string> = {
      a: 'gus@example.com\r\nRCPT TO:<evil@example.com>', b: 'gus@example.com, evil@example.com', c: 'Gus <evil@example.com>', d: 'gus@example.com>\nBCC:<evil@example.com', e: '"gus evil"@example.com', f: 'gus', g: '', h: 'gus@exam\u0000ple.com',
    };
    const office = await open(smtp(server), { email: (id) => addresses[id] ?? `${id}@example.com` });
    for (const account of Object.keys(addresses)) {
      await office.happen(account);
      await office.until(async () => (await office.told('notice.failed', account)).length === 1);
      assert.deepEqual(await office.told('notice.failed', account), [{ kind: 'account.password_changed', reason: 'no_address' }]);
    }
    assert.equal(server.commands.length, 0);
    assert.equal(warnings(office).length, Object.keys(addresses).length);
    assert.ok(!/gus|evil/.test(JSON.stringify(office.logged)));

    await office.named('hans', 'x\r\nBcc: evil@example.com\r\n\r\n.\r\nRCPT TO:<evil@example.com>');
    const { to, source } = await server.waitForMail();
    assert.deepEqual(to, ['hans@example.com']);
    assert.equal(server.mails.length, 1);
    const { headers, text } = readMail(source);
    assert.ok(!headers.has('bcc'));
    assert.match(text, /^Authenticator app: x Bcc: evil@example\.com \. RCPT TO:<evil@example\.com>$/m);
  });

  it('refuse a sender that is not one', async () => {
    for (const from of ['Tandem', 'a@example.com, b@example.com', 'Tandem <a@example.com>\r\nBcc: b@example.com', 'Tan\ndem <a@example.com>', '<a@example.com> b', '']) {
      await assert.rejects(openOffice(url, { smtp: 'smtp://localhost', from }), { name: 'TypeError', message: /notices\.from/ }, from);
    }
  });

  it('become files that their owner alone may read, where there is no mail server, and the log names the folder once', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'tandem-mail-'));
    ending.push(() => rm(parent, { recursive: true }));
    const folder = join(parent, 'data', 'mail');
    const office = await open({ folder });
    for (const account of ['ida', 'jon']) {
      await office.happen(account);
      await office.until(async () => (await office.told('notice.sent', account)).length === 1);
      office.clock.advance(1000);
    }
    const files = (await readdir(folder)).sort();
    assert.equal(files.length, 2);
    const mails = await Promise.all(files.map(async (file) => readMail(await readFile(join(folder, file), 'utf8'))));
    assert.deepEqual(mails.map(({ headers }) => headers.get('to')), ['ida@example.com', 'jon@example.com'], 'in the order of what happened');
    assert.equal(mails[0]!.headers.get('from'), 'Tandem <no-reply@id.example.com>');
    assert.equal(mails[0]!.headers.get('subject'), 'Your password was changed – Tandem');
    for (const file of files) {
      assert.match(file, /^\d{8}T\d{9}Z-[0-9a-f-]{36}\.eml$/);
      assert.equal((await stat(join(folder, file))).mode & 0o777, 0o600);
    }
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.deepEqual(warnings(office).map(({ fields }) => fields), [{ folder }]);
  });
});
