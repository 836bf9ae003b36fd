import assert from 'node:assert/strict';
import type { Notice } from '../../src/notices/notices.ts';
import { onEachDatabase } from '../support/databases.ts';
import { HOUR, openOffice, type Office } from './harness.ts';

onEachDatabase('the delivery of notices', (database) => {
  let url: string;
  const opened: Office[] = [];
  let sent: Notice[] = [];
  before(async () => {
    url = await database.url();
  });
  beforeEach(() => {
    sent = [];
  });
  afterEach(async () => {
    for (const office of opened.splice(0)) await office.close();
  });

  async function open(send: (notice: Notice) => unknown = (notice) => void sent.push(notice), options: Parameters<typeof openOffice>[2] = {}) {
    const office = await openOffice(url, { send }, options);
    opened.push(office);
    return office;
  }
  const of = (accountId: string) => sent.filter((notice) => notice.accountId === accountId);

  it('gives the host each notice once, and keeps nothing of it', async () => {
    const office = await open();
    await office.happen('ada', '192.0.2.7');
    await office.until(async () => (await office.rows()).length === 0);
    assert.equal(sent.length, 1);
    const [{ id, at, text, html, ...rest }] = sent as [Notice];
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.ok(Math.abs(at - office.clock()) < HOUR);
    assert.ok(text.includes('192.0.2.7') && html.includes('192.0.2.7'));
    assert.deepEqual(rest, {
      kind: 'account.password_changed', accountId: 'ada', email: 'ada@example.com', locale: 'en', subject: 'Your password was changed – Tandem', data: { network: '192.0.2.7' },
    });
    assert.deepEqual(await office.told('notice.sent', 'ada'), [{ kind: 'account.password_changed' }]);
    await office.sweep();
    assert.equal(sent.length, 1);
  });

  it('tells nobody of what was undone', async () => {
    const office = await open();
    await assert.rejects(office.undone('bob'), /undone/);
    assert.deepEqual(await office.rows(), []);
    await office.sweep();
    assert.equal(sent.length, 0);
  });

  it('tries again what could not be sent, less and less often, with the same notice, and then sends it once', async () => {
    let broken = true;
    const tries: string[] = [];
    const office = await open((notice) => {
      tries.push(notice.id);
      if (broken) throw new Error('the host’s queue is away, says carol@example.com');
      sent.push(notice);
    });
    await office.happen('carol');
    const waiting = async (attempts: number) => office.until(async () => (await office.rows())[0]?.attempts === attempts && Number((await office.rows())[0]!.next_attempt_at) < office.clock() + 4 * 60_000);
    await waiting(1);
    await office.sweep();
    assert.equal(tries.length, 1, 'not before a minute is over');
    office.clock.advance(61_000);
    await office.sweep();
    assert.equal(tries.length, 2);
    office.clock.advance(61_000);
    await office.sweep();
    assert.equal(tries.length, 2, 'the second wait is longer');
    office.clock.advance(60_000);
    broken = false;
    await office.sweep();
    assert.equal(tries.length, 3);
    assert.equal(new Set(tries).size, 1);
    assert.deepEqual(await office.rows(), []);
    assert.equal(of('carol').length, 1);
    const warnings = office.logged.filter(({ level }) => level === 'warn');
    assert.equal(warnings.length, 2);
    assert.ok(!JSON.stringify(office.logged).includes('carol'), 'without the address');
  });

  it('gives up after three days, and says so', async () => {
    let tries = 0;
    const office = await open(() => {
      tries += 1;
      throw new Error('never');
    });
    await office.happen('dora');
    await office.until(() => tries === 1);
    let hours = 0;
    for (; hours < 100 && (await office.rows()).length > 0; hours += 1) {
      office.clock.advance(HOUR);
      await office.sweep();
    }
    assert.ok(hours >= 60 && hours <= 72, `after ${hours} hours`);
    assert.ok(tries > 12 && tries < 30, `${tries} tries`);
    assert.deepEqual(await office.told('notice.failed', 'dora'), [{ kind: 'account.password_changed', reason: 'too_long' }]);
    assert.deepEqual(await office.told('notice.sent', 'dora'), []);
    assert.equal(office.logged.filter(({ level }) => level === 'error').length, 1);
  });

  it('is done once by several processes', async () => {
    const [one, two] = [await open(), await open()];
    // Nothing is sent at once by a process whose hands are full: here the sweeps of both find all of it.
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const busy = await open(() => held);
    for (let n = 0; n < 4; n += 1) await busy.happen(`busy${n}`);
    const accounts = Array.from({ length: 24 }, (_, n) => `erin${n}`);
    for (const account of accounts) await busy.happen(account);
    assert.equal((await one.rows()).filter(({ attempts }) => attempts === 0).length, 24);
    await Promise.all([one.sweep(), two.sweep(), one.sweep(), two.sweep()]);
    await one.until(async () => (await one.rows()).length <= 4);
    assert.deepEqual(sent.map(({ accountId }) => accountId).sort(), accounts.toSorted());
    release();
    await one.until(async () => (await one.rows()).length === 0);
  });

  it('is taken over from a process that ended between commit and sending, or while it sent', async () => {
    let release!: () => void;
    const dead = await open(() => new Promise<void>((resolve) => (release = resolve)));
    await dead.happen('frank');
    const other = await open(undefined, { clock: dead.clock });
    await other.until(async () => (await other.rows())[0]?.attempts === 1);
    await other.sweep();
    assert.equal(sent.length, 0, 'somebody sends it');
    dead.clock.advance(5 * 60_000);
    await other.sweep();
    assert.equal(of('frank').length, 1);
    release();
    await other.until(async () => (await other.told('notice.sent', 'frank')).length === 1);
    assert.deepEqual(await other.rows(), []);
  });

  it('waits with closing for what is being sent', async () => {
    let release!: () => void;
    const office = await openOffice(url, { send: () => new Promise<void>((resolve) => (release = resolve)) });
    await office.happen('gina');
    await office.until(() => release !== undefined);
    let closed = false;
    const closing = office.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(closed, false);
    release();
    await closing;
    const after = await open();
    assert.deepEqual(await after.rows(), []);
    assert.deepEqual(await after.told('notice.sent', 'gina'), [{ kind: 'account.password_changed' }]);
  });

  it('fills no mailbox: what is more than five an hour comes in one notice, counted', async () => {
    const office = await open();
    for (let n = 0; n < 9; n += 1) {
      await office.happen('hugo');
      await office.until(async () => (await office.rows()).every(({ held }) => held === 1));
    }
    assert.equal(of('hugo').length, 5);
    assert.equal((await office.rows()).length, 1);
    await office.named('hugo', 'Aegis');
    await office.until(() => of('hugo').length === 6);
    assert.equal(of('hugo')[5]!.kind, 'totp.activated', 'another kind is not held back');
    await office.happen('ivy');
    await office.until(() => of('ivy').length === 1);
    office.clock.advance(30 * 60_000);
    await office.sweep();
    assert.equal(of('hugo').length, 6);
    office.clock.advance(31 * 60_000);
    await office.sweep();
    assert.equal(of('hugo').length, 7);
    assert.equal(of('hugo')[6]!.data['more'], 3);
    assert.match(of('hugo')[6]!.text, /Again since then: 3 ×/);
    assert.deepEqual(await office.rows(), []);
  });

  it('counts each of a flood that came at once', async () => {
    const office = await open();
    await Promise.all(Array.from({ length: 20 }, () => office.happen('kim')));
    await office.sweep();
    await office.until(async () => (await office.rows()).every(({ held }) => held === 1));
    office.clock.advance(HOUR + 1000);
    await office.sweep();
    await office.sweep();
    await office.until(async () => (await office.rows()).length === 0);
    const told = of('kim').reduce((sum, { data }) => sum + 1 + Number(data['more'] ?? 0), 0);
    assert.equal(told, 20);
    assert.ok(of('kim').length <= 9, `${of('kim').length} notices`);
  });

  it('gives a host the notices of accounts without an address, too, and forgets those of deleted accounts', async () => {
    const office = await open(undefined, { email: () => undefined });
    await office.happen('lea');
    await office.until(() => of('lea').length === 1);
    assert.equal(of('lea')[0]!.email, undefined);
    await office.happen('nobody');
    await office.until(async () => (await office.told('notice.failed', 'nobody')).length === 1);
    assert.equal(of('nobody').length, 0);
    assert.deepEqual(await office.rows(), []);
  });
});
