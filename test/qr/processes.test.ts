import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { listen, startQr, type News, type QrHarness, type WaitingPage } from './harness.ts';

onEachDatabase('QR transactions across processes', (database) => {
  let t: QrHarness;
  before(async () => {
    t = await startQr(database);
  });
  after(async () => {
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  const streamOf = (page: WaitingPage, origin = t.issuer) =>
    listen(`${origin}/interaction/${page.uid}/qr/events`, page.browser.cookies.header(new URL(t.issuer)) ?? '');

  it('tells a page that waits at one process what a phone decided at another', async () => {
    const other = await t.join();
    const { phone } = await t.person();
    const page = await t.waiting();
    const stream = await streamOf(page, other.origin);
    const scanned = stream.next('state', /scanned/);
    const claimed = await phone.claim(await page.frame());
    await scanned;
    const denied = stream.next('state', /denied/);
    await phone.decide(claimed, 'deny');
    assert.deepEqual(JSON.parse(await denied), { state: 'denied', expires_in: 0, reason: 'person' });
    await stream.ended;
  });

  it('keeps one stream a transaction over all processes', async () => {
    const other = await t.join();
    const page = await t.waiting();
    const older = await streamOf(page, other.origin);
    const told = older.next('elsewhere');
    const newer = await streamOf(page);
    await told;
    await older.ended;
    const cancelled = newer.next('state', /cancelled/);
    await page.post('/qr/cancel');
    await cancelled;
  });

  it('lets one of a hundred claims at two processes win', async () => {
    const other = await t.join();
    const { phone } = await t.person();
    const link = await (await t.waiting()).frame();
    // Each call is signed once, and the halves go to different processes.
    const bodies: string[] = [];
    phone.tamper = { only: 'qr-claim+jwt', body: (body) => (bodies.push(body), `${body}x`) };
    for (let count = 0; count < 40; count += 1) await assert.rejects(phone.claim(link));
    phone.tamper = {};
    const answers = await Promise.all(
      bodies.map((body, index) =>
        fetch(`${index % 2 ? other.origin : t.issuer}/phone/transactions/claim`, { method: 'POST', headers: { 'content-type': 'application/jose' }, body }),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 1, String(statuses));
    assert.equal(statuses.filter((status) => status === 409).length, 39);
  });

  // Others ask in any case.
  if (database.name === 'postgres') it('tells a page also what was decided while its process had lost the database’s ear', async () => {
    const other = await t.join();
    const { phone } = await t.person();
    const page = await t.waiting();
    const stream = await streamOf(page, other.origin);
    const scanned = stream.next('state', /scanned/);
    const claimed = await phone.claim(await page.frame());
    await scanned;
    const denied = stream.next('state', /denied/);
    await t.knex.raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'");
    await phone.decide(claimed, 'deny');
    await Promise.race([denied, new Promise((_, reject) => setTimeout(reject, 10_000, new Error('the page was not told')).unref())]);
  });

  it('goes on after a restart, at every step', async () => {
    const { phone } = await t.person();
    const page = await t.waiting();
    const stream = await streamOf(page);
    await t.restart();
    await stream.ended;
    const again = await streamOf(page);
    const scanned = again.next('state', /scanned/);
    const claimed = await phone.claim(await page.frame());
    await scanned;
    await t.restart();
    const { confirmCode } = await phone.decide(claimed, 'approve');
    await t.restart();
    assert.equal((await page.status()).json<News>().state, 'approved');
    assert.equal((await page.post('/qr/confirm', { code: confirmCode! })).status, 200);
    await t.restart();
    assert.match((await page.redeem()).url, /\/cb\?code=/);
  });
});
