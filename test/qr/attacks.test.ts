import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import type { HttpBrowser } from '../support/http-browser.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { startQr, txOf, type News, type QrHarness, type WaitingPage } from './harness.ts';

onEachDatabase('attacks on a QR transaction', (database) => {
  let t: QrHarness;
  let phone: VirtualPhone;
  before(async () => {
    t = await startQr(database);
    ({ phone } = await t.person());
  });
  after(async () => {
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  const hundred = Array.from({ length: 100 }, (_, index) => index);
  const outcomes = async (attempts: Array<Promise<unknown>>) => {
    const settled = await Promise.allSettled(attempts);
    const refusals = settled.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code?: string }).code ?? String(each.reason)] : []));
    return { won: settled.length - refusals.length, codes: new Set(refusals), refusals };
  };
  const wrong = (code: string) => (code === '000000' ? '000001' : '000000');

  async function approved(by?: HttpBrowser): Promise<{ page: WaitingPage; code: string; link: string }> {
    const page = await t.waiting(by, { prompt: 'login' });
    const link = await page.frame();
    const { confirmCode } = await phone.approve(link);
    return { page, code: confirmCode!, link };
  }

  async function confirmed() {
    const made = await approved();
    assert.equal((await made.page.post('/qr/confirm', { code: made.code })).status, 200);
    return made;
  }

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

  /** Ten misses lock the account that all of these tests share. */
  async function phoneUnlocked() {
    ({ phone } = await t.person());
  }

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

  describe('frames', () => {
    it('go stale after ten seconds', async () => {
      const page = await t.waiting();
      const old = await page.frame();
      t.clock.advance(5_000);
      const current = await page.frame();
      assert.notEqual(old, current);
      t.clock.advance(5_000);
      await assert.rejects(phone.claim(old), { code: 'frame_stale' });
      assert.equal((await phone.claim(current)).tx, txOf(current));
    });

    it('cannot be made static, moved on, or altered', async () => {
      const page = await t.waiting();
      const link = await page.frame();
      const [, tx, n, mac] = /\/q\/1\.([\w-]{22})\.(\w+)\.([\w-]{22})$/.exec(link)!;
      const claims: Array<Record<string, unknown>> = [
        { tx, n: 's', mac }, { tx, n: Number(n) + 1, mac }, { tx, n: Number(n), mac: `${mac!.slice(0, -1)}${mac!.endsWith('A') ? 'B' : 'A'}` },
        { tx: 'A'.repeat(22), n: Number(n), mac },
      ];
      for (const claim of claims) {
        phone.tamper = { only: 'qr-claim+jwt', claims: (given) => ({ ...given, ...claim }) };
        await assert.rejects(phone.claim(link), { code: 'not_found' });
      }
      for (const claim of [{ n: -1 }, { n: '1' }, { n: 1.5 }, { tx: 7 }, { mac: null }, { user_code: 'BCDFGHJK' }]) {
        phone.tamper = { only: 'qr-claim+jwt', claims: (given) => ({ ...given, ...claim }) };
        await assert.rejects(phone.claim(link), { code: 'invalid_request' }, JSON.stringify(claim));
      }
      phone.tamper = {};
      assert.equal((await phone.claim(link)).tx, tx);
    });

    it('of a static transaction are static alone', async () => {
      const by = t.browser();
      const sheet = await by.submit(await t.authorize(by), '/qr/static');
      const link = sheet.links.find((each) => each.includes('/q/1.'))!;
      phone.tamper = { only: 'qr-claim+jwt', claims: (given) => ({ ...given, n: 0 }) };
      await assert.rejects(phone.claim(link), { code: 'not_found' });
      phone.tamper = {};
      t.clock.advance(121_000);
      await assert.rejects(phone.claim(link), { code: 'expired' });
    });

    it('need a ticket that this server signed, for this transaction, in time', async () => {
      const page = await t.waiting();
      const link = await page.frame();
      const other = await (await t.waiting()).frame();
      const opened = await t.browser().get(other);
      const cookie = String(opened.headers['set-cookie']).split(';')[0]!;
      const claimBy = async (with_: string) => {
        let body = '';
        phone.tamper = { only: 'qr-claim+jwt', claims: ({ n: _n, mac: _mac, ...claims }) => claims, body: (made) => ((body = made), `${made}x`) };
        await assert.rejects(phone.claim(link));
        phone.tamper = {};
        const answer = await fetch(`${t.issuer}/phone/transactions/claim`, { method: 'POST', headers: { 'content-type': 'application/jose', cookie: with_ }, body });
        return (await answer.json()) as { error?: string };
      };
      assert.equal((await claimBy(cookie)).error, 'not_found');
      assert.equal((await claimBy(cookie.replace(txOf(other), txOf(link)))).error, 'not_found');
      const right = String((await t.browser().get(link)).headers['set-cookie']).split(';')[0]!;
      t.clock.advance(61_000);
      assert.equal((await claimBy(right)).error, 'not_found');
    });
  });

  describe('decisions', () => {
    it('about other bytes or another client are refused, and leave the state', async () => {
      const page = await t.waiting();
      const claimed = await phone.claim(await page.frame());
      for (const change of [{ request_hash: 'A'.repeat(43) }, { request_hash: '' }, { client_id: 'strict' }]) {
        phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, ...change }) };
        await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_signature' });
        await assert.rejects(phone.decide(claimed, 'deny'), { code: 'invalid_signature' });
      }
      phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, nonce: 'A'.repeat(43) }) };
      await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_nonce' });
      phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, decision: 'Approve' }) };
      await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_request' });
      phone.tamper = { only: 'qr-decision+jwt', key: phone.strangeKey() };
      await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_signature' });
      phone.tamper = {};
      assert.equal((await page.status()).json<News>().state, 'scanned');
      assert.equal((await phone.decide(claimed, 'approve')).state, 'approved');
    });

    it('count once: a replay is refused', async () => {
      const page = await t.waiting();
      await phone.approve(await page.frame());
      const { path, body, contentType } = phone.sent.at(-1)!;
      assert.equal((await phone.post(path, body, contentType)).json['error'], 'replayed');
    });

    it('of one transaction do not fit another', async () => {
      const first = await phone.claim(await (await t.waiting()).frame());
      const second = await phone.claim(await (await t.waiting()).frame());
      phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, tx: second.tx }) };
      await assert.rejects(phone.decide(first, 'approve'), { code: 'invalid_nonce' });
      phone.tamper = {};
    });

    it('come from the phone that claimed, and a second phone is too late', async () => {
      const { phone: other } = await t.person();
      const page = await t.waiting();
      const link = await page.frame();
      const claimed = await phone.claim(link);
      await assert.rejects(other.claim(link), { code: 'already_claimed' });
      await assert.rejects(other.decide({ ...claimed, account: other.account }, 'approve'), { code: 'not_found' });
      assert.equal((await phone.decide(claimed, 'approve')).state, 'approved');
      await assert.rejects(other.claim(link), { code: 'already_claimed' });
    });

    it('are kept as the receipt, with the bytes that were signed', async () => {
      const { link } = await approved();
      const row = await t.row(link);
      assert.equal(row['receipt'], phone.sent.at(-1)!.body);
      const request = JSON.parse(Buffer.from(row['request'] as string, 'base64url').toString()) as { tx: string };
      assert.equal(request.tx, txOf(link));
    });

    it('by the presence key do not reach level 2; by the user-verifying key they do', async () => {
      const page = await t.waiting(undefined, { acr_values: 'urn:tandem:acr:2' });
      const claimed = await phone.claim(await page.frame());
      assert.equal(claimed.request.level, '2');
      const presence = { ...claimed, request: { ...claimed.request, level: '1' as const } };
      await assert.rejects(phone.decide(presence, 'approve'), { code: 'uv_required' });
      assert.equal((await page.status()).json<News>().state, 'scanned');
      assert.equal((await phone.decide(presence, 'deny')).state, 'denied');

      const { phone: verifying, accountId } = await t.person({ userVerifying: true });
      const strong = await t.waiting(undefined, { acr_values: 'urn:tandem:acr:2' });
      const taken = await verifying.claim(await strong.frame());
      // A first phone counts as level 1 for a day.
      await assert.rejects(verifying.decide(taken, 'approve'), { code: 'uv_required' });
      await t.knex('tandem_devices').where({ account_id: accountId }).update({ capped_until: null });
      const { confirmCode } = await verifying.decide(taken, 'approve');
      await strong.post('/qr/confirm', { code: confirmCode! });
      assert.match((await strong.redeem()).url, /\/cb\?code=/);
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

  it('redeemed once is spent', async () => {
    const { page } = await confirmed();
    assert.match((await page.redeem()).url, /\/cb\?code=/);
    const again = await page.redeem();
    assert.ok([404, 409, 410].includes(again.status), String(again.status));
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

  describe('a phone that is revoked', () => {
    async function revoked(until: (victim: VirtualPhone, page: WaitingPage) => Promise<unknown>) {
      const { phone: victim } = await t.person();
      const page = await t.waiting();
      await until(victim, page);
      await victim.retire();
      const news = (await page.status()).json<News>();
      return { page, news, victim };
    }

    it('cancels what it claimed', async () => {
      const { news, page } = await revoked(async (victim, waits) => victim.claim(await waits.frame()));
      assert.deepEqual([news.state, news.reason], ['cancelled', 'revoked']);
      assert.equal((await page.redeem()).status, 410);
    });

    it('cancels what it approved, code typed or not', async () => {
      const typed = await revoked(async (victim, waits) => {
        const { confirmCode } = await victim.approve(await waits.frame());
        await waits.post('/qr/confirm', { code: confirmCode! });
      });
      assert.deepEqual([typed.news.state, typed.news.reason], ['cancelled', 'revoked']);
      assert.equal((await typed.page.redeem()).status, 410);
      const untyped = await revoked(async (victim, waits) => victim.approve(await waits.frame()));
      assert.deepEqual([untyped.news.state, untyped.news.reason], ['cancelled', 'revoked']);
    });

    it('claims and decides no more, even if its row is changed behind our back', async () => {
      const { phone: victim } = await t.person();
      const page = await t.waiting();
      const claimed = await victim.claim(await page.frame());
      await t.knex('tandem_devices').where({ id: victim.account.deviceId }).update({ state: 'revoked' });
      await assert.rejects(victim.decide(claimed, 'approve'), { code: 'device_revoked' });
      await assert.rejects(victim.claim(await (await t.waiting()).frame()), { code: 'device_revoked' });
      await t.knex('tandem_devices').where({ id: victim.account.deviceId }).update({ state: 'active' });
      const { confirmCode } = await victim.decide(claimed, 'approve');
      await page.post('/qr/confirm', { code: confirmCode! });
      await t.knex('tandem_devices').where({ id: victim.account.deviceId }).update({ state: 'revoked' });
      assert.equal((await page.redeem()).status, 403);
    });
  });

  it('at a step-up only the account that is signed in may approve', async () => {
    const { phone: own, desk } = await t.person();
    const page = await t.waiting(desk, { acr_values: 'urn:tandem:acr:1:qr' });
    const link = await page.frame();
    await assert.rejects(phone.claim(link), { code: 'wrong_account' });
    assert.equal((await page.status()).json<News>().state, 'pending');
    const claimed = await own.claim(link);
    assert.equal(claimed.request.purpose, 'step-up');
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
