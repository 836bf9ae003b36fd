import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import type { News, QrHarness } from './harness.ts';
import { underAttack, wrong } from './under-attack.ts';

onEachDatabase('attacks on a QR transaction', (database) => {
  let t: QrHarness;
  let phone: VirtualPhone;
  const { approved, confirmed, phoneUnlocked } = underAttack(database, (target) => {
    ({ t, phone } = target);
  });

  describe('from another browser', () => {
    it('a stolen page address answers as an unknown one does', async () => {
      const { page } = await approved();
      const thief = t.browser();
      await t.waiting(thief);
      const unknown = await thief.send('GET', `${t.issuer}/interaction/${'A'.repeat(page.uid.length)}/qr/status`);
      const stolen = await page.status(thief);
      assert.deepEqual([stolen.status, stolen.body], [404, unknown.body]);
      const noCookie = await page.status(t.browser());
      assert.deepEqual([noCookie.status, noCookie.body], [404, unknown.body]);
      for (const path of ['events', 'static']) assert.equal((await thief.get(`${t.issuer}/interaction/${page.uid}/qr/${path}`)).status, 404, path);
    });

    it('a stolen page address and form token confirm, cancel and redeem nothing', async () => {
      const { page, code } = await approved();
      const thief = t.browser();
      const own = await t.waiting(thief);
      const csrf = /name="csrf" value="([^"]+)"/.exec(own.page.body)![1]!;
      for (const [path, fields] of [['/qr/confirm', { code }], ['/qr/cancel', {}], ['/redeem', {}]] as const) {
        assert.equal((await page.post(path, fields, { from: thief })).status, 403, path);
        const withOwn = await page.post(path, fields, { from: thief, csrf });
        assert.ok([404, 410].includes(withOwn.status), `${path} ${withOwn.status}`);
      }
      assert.equal((await page.status()).json<News>().state, 'approved');
    });

    it('redeeming without the interaction cookie fails, and spends nothing', async () => {
      const { page } = await confirmed();
      const thief = t.browser();
      // The browser cookie alone, as if it had leaked.
      const cookie = page.browser.cookies.header(new URL(t.issuer)) ?? '';
      const csrf = /name="csrf" value="([^"]+)"/.exec(page.page.body)![1]!;
      const answer = await thief.post(`${t.issuer}/interaction/${page.uid}/redeem`, { csrf }, { headers: { cookie } });
      assert.ok(answer.status === 410 || answer.status === 404 || answer.status === 400, String(answer.status));
      assert.match((await page.redeem()).url, /\/cb\?code=/);
    });

    it('one request cannot be redeemed for another of the same browser', async () => {
      const by = t.browser();
      const { page } = await approved(by);
      const other = await t.waiting(by);
      assert.equal((await other.post('/redeem')).status, 409);
      assert.equal((await page.status()).json<News>().state, 'approved');
    });
  });

  describe('confirm codes', () => {
    it('wrong three times end the transaction, and the right one is too late', async () => {
      await phoneUnlocked();
      const { page, code, link } = await approved();
      const answers = [];
      for (let round = 0; round < 3; round += 1) answers.push((await page.post('/qr/confirm', { code: wrong(code) })).json<News>());
      assert.deepEqual(answers.map(({ error, tries_left: left }) => [error, left]), [['invalid_code', 2], ['invalid_code', 1], ['invalid_code', 0]]);
      assert.equal((await page.post('/qr/confirm', { code })).status, 403);
      assert.equal((await page.redeem()).status, 403);
      const news = (await page.status()).json<News>();
      assert.deepEqual([news.state, news.reason], ['denied', 'code']);
      assert.deepEqual((await t.eventsOf(link)).slice(-4), ['qr.code_missed', 'qr.code_missed', 'qr.code_missed', 'qr.denied']);
    });

    it('that are no six digits cost no try', async () => {
      const { page, code } = await approved();
      for (const bad of ['', '12345', '1234567', 'abcdef', '１２３４５６']) assert.equal((await page.post('/qr/confirm', { code: bad })).status, 400, bad);
      assert.equal((await page.post('/qr/confirm', { code })).status, 200);
    });

    it('missed ten times in an hour lock the account, for an hour, with an event', async () => {
      const { phone: victim, accountId } = await t.person();
      let misses = 0;
      while (misses < 10) {
        const page = await t.waiting();
        const { confirmCode } = await victim.approve(await page.frame());
        for (let round = 0; round < 3 && misses < 10; round += 1, misses += 1) await page.post('/qr/confirm', { code: wrong(confirmCode!) });
      }
      const events = (await t.knex('tandem_events').where({ name: 'qr.locked', account_id: accountId })) as unknown[];
      assert.equal(events.length, 1);
      const page = await t.waiting();
      const claimed = await victim.claim(await page.frame());
      await assert.rejects(victim.decide(claimed, 'approve'), (error: { code: string; retryAfter?: number }) => error.code === 'locked' && error.retryAfter! > 3000);
      assert.equal((await victim.decide(claimed, 'deny')).state, 'denied');
      assert.equal((await phone.approve(await (await t.waiting()).frame())).state, 'approved');
      t.clock.advance(3_601_000);
      assert.equal((await victim.approve(await (await t.waiting()).frame())).state, 'approved');
    });

    it('are stored as nothing that can be read', async () => {
      const { code, link, page } = await approved();
      const row = JSON.stringify(await t.row(link));
      assert.equal(row.includes(code), false);
      assert.equal(row.includes(page.news.user_code!), false);
      assert.equal(row.includes(page.news.user_code!.replace('-', '')), false);
    });
  });

  it('redeemed once is spent', async () => {
    const { page } = await confirmed();
    assert.match((await page.redeem()).url, /\/cb\?code=/);
    const again = await page.redeem();
    assert.ok([404, 409, 410].includes(again.status), String(again.status));
  });
});
