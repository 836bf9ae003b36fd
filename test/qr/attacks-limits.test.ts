import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { startQr, txOf, type News, type QrHarness } from './harness.ts';
import { underAttack, wrong } from './under-attack.ts';

onEachDatabase('attacks on a QR transaction', (database) => {
  let t: QrHarness;
  let phone: VirtualPhone;
  const { approved, confirmed, phoneUnlocked } = underAttack(database, (target) => {
    ({ t, phone } = target);
  });

  const hundred = Array.from({ length: 100 }, (_, index) => index);
  const outcomes = async (attempts: Array<Promise<unknown>>) => {
    const settled = await Promise.allSettled(attempts);
    const refusals = settled.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code?: string }).code ?? String(each.reason)] : []));
    return { won: settled.length - refusals.length, codes: new Set(refusals), refusals };
  };

  describe('a hundred at once', () => {
    it('claims: one wins', async () => {
      const link = await (await t.waiting()).frame();
      const { won, codes } = await outcomes(hundred.map(() => phone.claim(link)));
      assert.equal(won, 1);
      assert.deepEqual([...codes], ['already_claimed']);
    });

    it('approvals and denials: one wins', async () => {
      const page = await t.waiting();
      const link = await page.frame();
      const claimed = await phone.claim(link);
      const { won, codes } = await outcomes(hundred.map((index) => phone.decide(claimed, index % 2 ? 'deny' : 'approve')));
      assert.equal(won, 1);
      assert.deepEqual([...codes], ['replayed']);
      const names = await t.eventsOf(link);
      assert.equal(names.filter((name) => name === 'qr.approved' || name === 'qr.denied').length, 1);
    });

    it('redemptions: one wins', async () => {
      const { page, link } = await confirmed();
      const answers = await Promise.all(hundred.map(() => page.post('/redeem')));
      const statuses = answers.map(({ status }) => status);
      assert.equal(statuses.filter((status) => status === 200).length, 1);
      assert.deepEqual([...new Set(statuses)].filter((status) => ![200, 404, 409, 410].includes(status)), []);
      assert.equal((await t.eventsOf(link)).filter((name) => name === 'qr.redeemed').length, 1);
    });

    it('wrong confirm codes: three are looked at', async () => {
      const { page, code, link } = await approved();
      const answers = await Promise.all(hundred.map((index) => page.post('/qr/confirm', { code: index === 99 ? code : wrong(code) })));
      const looked = answers.filter((each) => each.json<News>().error === 'invalid_code' || each.status === 200);
      const names = await t.eventsOf(link);
      // The right one may be among the three, and then ends it.
      const { state } = (await page.status()).json<News>();
      if (state === 'confirmed') assert.ok(looked.length <= 3, `${looked.length} looked at`);
      else assert.deepEqual([looked.length, state], [3, 'denied']);
      assert.equal(names.filter((name) => name === 'qr.code_missed' || name === 'qr.confirmed').length, looked.length);
      await phoneUnlocked();
    });

    it('starts of one browser: never more than three live', async () => {
      const by = t.browser();
      await t.authorize(by);
      const pages = await Promise.all(hundred.slice(0, 12).map(() => t.authorize(by)));
      const started = await Promise.allSettled(pages.map((page) => t.watch(by, page)));
      for (const each of started) if (each.status === 'rejected') assert.match(String(each.reason), /rate_limited/);
      assert.ok(started.filter(({ status }) => status === 'fulfilled').length >= 3);
      const rows = (await t.knex('tandem_transactions').whereNotNull('slot').select('browser_hash')) as Array<{ browser_hash: string }>;
      const counts = new Map<string, number>();
      for (const { browser_hash: hash } of rows) counts.set(hash, (counts.get(hash) ?? 0) + 1);
      assert.equal(Math.max(...counts.values()), 3);
    });
  });

  describe('typed codes', () => {
    it('missed five times stop the phone for ten minutes, also a hundred at once', async () => {
      const { phone: guesser } = await t.person();
      const page = await t.waiting();
      const { refusals } = await outcomes(hundred.map(() => guesser.claim('BBBB-BBBB')));
      assert.deepEqual(refusals.sort(), [...Array<string>(5).fill('not_found'), ...Array<string>(95).fill('rate_limited')]);
      await assert.rejects(guesser.claim(page.news.user_code!), { code: 'rate_limited' });
      t.clock.advance(601_000);
      const later = await t.waiting();
      assert.equal((await guesser.claim(later.news.user_code!)).request.confirm, true);
    });

    it('are spent with their transaction', async () => {
      const page = await t.waiting();
      await page.post('/qr/cancel');
      await assert.rejects(phone.claim(page.news.user_code!), { code: 'not_found' });
    });
  });

  describe('time', () => {
    it('ends a QR that nobody scans; the page renews it, for ten minutes', async () => {
      const page = await t.waiting();
      const first = await page.frame();
      for (let minutes = 2; minutes <= 8; minutes += 2) {
        t.clock.advance(120_000);
        const news = (await page.status()).json<News>();
        assert.deepEqual([news.state, news.renew], ['expired', true]);
        const renewed = (await page.post('/qr/start', { renew: '1' })).json<News>();
        assert.equal(renewed.state, 'pending');
        assert.notEqual(txOf(renewed.frame!), txOf(first));
      }
      t.clock.advance(120_000);
      const last = (await page.status()).json<News>();
      assert.deepEqual([last.state, last.renew], ['expired', false]);
      assert.equal((await page.post('/qr/start', { renew: '1' })).status, 410);
      assert.equal((await page.post('/qr/start')).json<News>().state, 'pending');
      await assert.rejects(phone.claim(first), { code: 'expired' });
    });

    it('ends a claim that nobody decides', async () => {
      const page = await t.waiting();
      const claimed = await phone.claim(await page.frame());
      t.clock.advance(120_000);
      await assert.rejects(phone.decide(claimed, 'approve'), { code: 'expired' });
      const news = (await page.status()).json<News>();
      assert.deepEqual([news.state, news.reason, news.renew], ['expired', 'scanned', false]);
    });

    it('ends an approval whose code nobody types', async () => {
      const { page, code } = await approved();
      t.clock.advance(120_000);
      assert.equal((await page.post('/qr/confirm', { code })).status, 410);
    });

    it('ends what is not redeemed in thirty seconds', async () => {
      const { page } = await confirmed();
      t.clock.advance(30_000);
      assert.equal((await page.redeem()).status, 410);
    });

    it('is kept by the sweep, which writes down what ran out and forgets what nobody decided', async () => {
      const page = await t.waiting();
      const link = await page.frame();
      t.clock.advance(121_000);
      await t.t.sweep();
      assert.deepEqual(await t.eventsOf(link), ['qr.started', 'qr.expired']);
      const { link: kept } = await approved();
      t.clock.advance(3_700_000);
      await t.t.sweep();
      await t.t.sweep();
      assert.equal(await t.row(link), undefined);
      assert.equal((await t.row(kept))['state'], 'expired');
    });
  });

  it('polled too fast says slow down, with the interval', async () => {
    const page = await t.waiting();
    assert.equal((await page.status()).status, 200);
    const fast = await page.status();
    assert.deepEqual([fast.status, fast.json<News>().error, fast.headers['retry-after']], [429, 'slow_down', '5']);
    t.clock.advance(5_000);
    assert.equal((await page.status()).status, 200);
  });

  it('started a fourth time in one browser takes the place of the oldest that no phone has taken', async () => {
    const by = t.browser();
    const pages = [];
    for (let round = 0; round < 4; round += 1) {
      pages.push(await t.waiting(by));
      t.clock.advance(1);
    }
    const states = await Promise.all(pages.map(async (page) => (await page.status()).json<News>()));
    assert.deepEqual(states.map(({ state, reason }) => [state, reason]), [['cancelled', 'replaced'], ['pending', undefined], ['pending', undefined], ['pending', undefined]]);
    for (const page of pages.slice(1)) await phone.claim(await page.frame());
    const page = await t.authorize(by);
    await assert.rejects(t.watch(by, page), /rate_limited/);
  });
});

onEachDatabase('limits of starting a QR', (database) => {
  let t: QrHarness;
  before(async () => {
    t = await startQr(database, { startsPerMinute: 30 });
  });
  after(() => t.close());

  it('stop an address after thirty in a minute, but not the renewals of open pages', async () => {
    const by = t.browser();
    const page = await t.waiting(by);
    const one = t.browser();
    const request = await t.authorize(one);
    for (let count = 1; count < 30; count += 1) {
      const started = await t.watch(one, request);
      await started.post('/qr/cancel');
    }
    await assert.rejects(t.watch(one, request), /rate_limited/);
    const form = await one.submit(request, '/qr/static');
    assert.equal(form.status, 429);
    assert.ok(Number(form.headers['retry-after']) > 0);
    t.clock.advance(120_000);
    const again = [];
    for (let count = 0; count < 30; count += 1) again.push(await t.watch(one, request).then((started) => started.post('/qr/cancel')));
    await assert.rejects(t.watch(one, request), /rate_limited/);
    assert.equal((await page.post('/qr/start', { renew: '1' })).json<News>().state, 'pending');
  });
});
