import assert from 'node:assert/strict';
import { PHONE_AGENT } from '../support/http-browser.ts';
import { onEachDatabase } from '../support/databases.ts';
import { listen, startQr, txOf, type News, type QrHarness } from './harness.ts';

onEachDatabase('a sign-in by QR', (database) => {
  let t: QrHarness;
  before(async () => {
    t = await startQr(database);
  });
  after(async () => {
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  it('goes from the QR to the code at the client, with a confirm code on a browser that is new', async () => {
    const { phone, email } = await t.person();
    const page = await t.waiting();
    assert.equal(page.news.state, 'pending');
    assert.equal(page.news.expires_in, 120);
    const link = await page.frame();
    assert.equal(page.page.body.includes(txOf(link)), false);
    const { state, confirmCode, claimed } = await phone.approve(link);
    assert.equal(state, 'approved');
    const { client, browser, account, scopes, confirm, level, purpose, issuer } = claimed.request;
    assert.deepEqual({ name: client.name, host: client.redirect_host }, { name: 'Single Page', host: 'localhost:1' });
    assert.deepEqual(browser, { family: 'Chrome', os: 'Linux', known: false });
    assert.deepEqual({ label: account.label, confirm, level, purpose, issuer }, { label: email, confirm: true, level: '1', purpose: 'login', issuer: t.issuer });
    assert.deepEqual(scopes.map(({ scope }) => scope).sort(), ['email', 'openid']);

    const typed = `${confirmCode!.slice(0, 3)} ${confirmCode!.slice(3)}`;
    const confirmed = await page.post('/qr/confirm', { code: typed });
    assert.equal(confirmed.status, 200, confirmed.body);
    assert.equal(confirmed.json<News>().state, 'confirmed');
    const done = await page.redeem();
    assert.match(done.url, /^http:\/\/localhost:1\/cb\?code=/);
    assert.deepEqual(await t.eventsOf(link), ['qr.started', 'qr.claimed', 'qr.approved', 'qr.confirmed', 'qr.redeemed']);
  });

  it('needs no confirm code where the account has signed in on this browser before, unless the client says always', async () => {
    const { phone } = await t.person();
    const by = t.browser();
    const first = await t.waiting(by);
    const { confirmCode } = await phone.approve(await first.frame());
    await first.post('/qr/confirm', { code: confirmCode! });
    await first.redeem();

    const second = await t.waiting(by, { prompt: 'login' });
    const approved = await phone.approve(await second.frame());
    assert.deepEqual([approved.state, approved.confirmCode], ['confirmed', undefined]);
    assert.equal(approved.claimed.request.browser.known, true);
    assert.equal(approved.claimed.request.confirm, false);
    assert.match((await second.redeem()).url, /\/cb\?code=/);

    const strict = await t.waiting(by, { client: 'strict', prompt: 'login' });
    assert.equal((await phone.approve(await strict.frame())).state, 'approved');

    const { phone: stranger } = await t.person();
    const third = await t.waiting(by, { prompt: 'login' });
    assert.equal((await stranger.approve(await third.frame())).state, 'approved');
  });

  it('gives the ID token the time and the means of the approval', async () => {
    const { phone } = await t.person();
    const by = t.browser();
    const page = await t.waiting(by);
    const { verifier } = page.page as unknown as { verifier: string };
    const { confirmCode } = await phone.approve(await page.frame());
    const at = Math.floor(t.clock() / 1000);
    await page.post('/qr/confirm', { code: confirmCode! });
    const code = new URL((await page.redeem()).url).searchParams.get('code')!;
    const form = { grant_type: 'authorization_code', code, client_id: 'spa', redirect_uri: 'http://localhost:1/cb', code_verifier: verifier };
    const answer = await fetch(`${t.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) });
    const { id_token: token } = (await answer.json()) as { id_token: string };
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
    assert.deepEqual([claims['acr'], claims['amr']], ['urn:tandem:acr:1:qr', ['swk', 'user', 'mca']]);
    assert.ok(Math.abs(Number(claims['auth_time']) - at) <= 2);
  });

  it('tells the page over its stream, and turns the frames', async () => {
    const { phone } = await t.person();
    const page = await t.waiting();
    const stream = await listen(`${t.issuer}/interaction/${page.uid}/qr/events`, page.browser.cookies.header(new URL(t.issuer)) ?? '');
    assert.equal(stream.status, 200);
    const turned = stream.next('frame', /\.1\.[\w-]+$/);
    t.clock.advance(5_000);
    const link = await turned;
    assert.match(link, new RegExp(`^${t.issuer}/q/1\\.`));
    const scanned = stream.next('state', /scanned/);
    const claimed = await phone.claim(link);
    await scanned;
    const approved = stream.next('state', /approved/);
    const { confirmCode } = await phone.decide(claimed, 'approve');
    assert.deepEqual(JSON.parse(await approved), { state: 'approved', expires_in: 120 });
    const confirmed = stream.next('state', /confirmed/);
    await page.post('/qr/confirm', { code: confirmCode! });
    await confirmed;
    const consumed = stream.next('state', /consumed/);
    await page.redeem();
    await consumed;
    await stream.ended;
    for (const { data } of stream.heard) assert.equal(data.includes(confirmCode!), false);
  });

  it('keeps one stream a transaction: a newer one takes over', async () => {
    const page = await t.waiting();
    const url = `${t.issuer}/interaction/${page.uid}/qr/events`;
    const cookie = page.browser.cookies.header(new URL(t.issuer)) ?? '';
    const older = await listen(url, cookie);
    const told = older.next('elsewhere');
    const newer = await listen(url, cookie);
    await told;
    await older.ended;
    const cancelled = newer.next('state', /cancelled/);
    await page.post('/qr/cancel');
    await cancelled;
  });

  it('goes by a typed code, which always needs the confirm code', async () => {
    const { phone } = await t.person();
    const by = t.browser();
    for (let round = 0; round < 6; round += 1) {
      const page = await t.waiting(by, { prompt: 'login' });
      assert.match(page.news.user_code!, /^[B-Z]{4}-[B-Z]{4}$/);
      const { state, confirmCode } = await phone.approve(page.news.user_code!.toLowerCase());
      assert.equal(state, 'approved');
      await page.post('/qr/confirm', { code: confirmCode! });
      assert.match((await page.redeem()).url, /\/cb\?code=/);
    }
  });

  it('ends in a page with a way on when denied', async () => {
    const { phone } = await t.person();
    const page = await t.waiting();
    const link = await page.frame();
    assert.equal((await phone.deny(link)).state, 'denied');
    const news = (await page.status()).json<News>();
    assert.deepEqual([news.state, news.reason, news.expires_in], ['denied', 'person', 0]);
    assert.equal((await page.redeem()).status, 403);
    assert.equal((await page.post('/qr/start')).json<News>().state, 'pending');
    assert.deepEqual(await t.eventsOf(link), ['qr.started', 'qr.claimed', 'qr.denied']);
  });

  it('ends when the browser cancels, also while a code is due', async () => {
    const { phone } = await t.person();
    const page = await t.waiting();
    const link = await page.frame();
    const { confirmCode } = await phone.approve(link);
    assert.equal((await page.post('/qr/cancel')).json<News>().state, 'cancelled');
    const refused = await page.post('/qr/confirm', { code: confirmCode! });
    assert.equal(refused.status, 410);
    assert.equal((await page.redeem()).status, 410);
    assert.deepEqual((await t.eventsOf(link)).slice(-1), ['qr.cancelled']);

    const again = await t.watch(page.browser, page.page);
    const claimed = await phone.claim(await again.frame());
    await again.post('/qr/cancel');
    await assert.rejects(phone.decide(claimed, 'approve'), { code: 'expired' });
  });

  it('shows and goes on with what is under way when the page is loaded again', async () => {
    const { phone } = await t.person();
    const page = await t.waiting();
    const { confirmCode } = await phone.approve(await page.frame());
    const reloaded = await t.watch(page.browser, await page.browser.get(page.page.url));
    assert.equal(reloaded.news.state, 'approved');
    await reloaded.post('/qr/confirm', { code: confirmCode! });
    assert.match((await reloaded.redeem()).url, /\/cb\?code=/);
  });

  it('works in a browser without scripts', async () => {
    const { phone } = await t.person();
    const by = t.browser();
    const sheet = await by.submit(await t.authorize(by), '/qr/static');
    assert.equal(sheet.status, 200);
    assert.equal(sheet.refresh?.seconds, 5);
    assert.match(sheet.body, /<svg/);
    const link = sheet.links.find((each) => each.includes('/q/1.'))!;
    assert.match(link, /\.s\./);
    t.clock.advance(60_000);
    const claimed = await phone.claim(link);
    assert.equal(claimed.request.confirm, true);
    assert.match((await by.get(sheet.url)).text, /Continue on your phone/);
    const { confirmCode } = await phone.decide(claimed, 'approve');
    const asked = await by.get(sheet.url);
    assert.equal(asked.refresh, undefined);
    const wrong = await by.submit(asked, '/qr/confirm', { code: confirmCode === '000000' ? '000001' : '000000' });
    assert.equal(wrong.status, 422);
    assert.match(wrong.text, /not the code/);
    assert.match((await by.submit(wrong, '/qr/confirm', { code: confirmCode! })).url, /\/cb\?code=/);
  });

  it('tells a browser without scripts how it ended, in its language, with a way on', async () => {
    const { phone } = await t.person();
    const by = t.browser({ 'accept-language': 'de' });
    const sheet = await by.submit(await t.authorize(by), '/qr/static');
    await phone.deny(sheet.links.find((each) => each.includes('/q/1.'))!);
    const denied = await by.get(sheet.url);
    assert.match(denied.text, /Auf dem Telefon abgelehnt/);
    const again = await by.submit(denied, '/qr/static');
    assert.match(again.body, /<svg/);
    const cancelled = await by.submit(again, '/qr/cancel');
    assert.match(cancelled.text, /Abgebrochen/);
    t.clock.advance(1000);
    await by.submit(cancelled, '/qr/static');
    t.clock.advance(121_000);
    assert.match((await by.get(sheet.url)).text, /abgelaufen/);
  });

  it('offers the app in place of the QR on a phone', async () => {
    const by = t.browser({ 'user-agent': PHONE_AGENT });
    const page = await t.authorize(by);
    assert.match(page.text, /Open in the app/);
    assert.match((await t.authorize(t.browser())).text, /Scan this code/);
  });

  describe('a link that is opened', () => {
    it('shows the app on a phone, with a ticket that outlives the frame', async () => {
      const { phone } = await t.person();
      const page = await t.waiting();
      const link = await page.frame();
      const mobile = t.browser({ 'user-agent': PHONE_AGENT });
      const opened = await mobile.get(link, { follow: false });
      assert.equal(opened.status, 303);
      assert.equal(opened.headers.location, `${t.issuer}/phone#${encodeURIComponent(link)}`);
      assert.match(String(opened.headers['set-cookie']), /tandem-ticket=.*HttpOnly.*SameSite=Lax/);
      assert.equal((await page.status()).json<News>().state, 'pending');

      t.clock.advance(30_000);
      await assert.rejects(phone.claim(link), { code: 'frame_stale' });
      phone.tamper = { only: 'qr-claim+jwt', claims: ({ n: _n, mac: _mac, ...claims }) => claims };
      await assert.rejects(phone.claim(link), { code: 'not_found' });
      const { body } = phone.sent.at(-1)!;
      const replay = await mobile.post(`${t.issuer}/phone/transactions/claim`, body, { headers: { 'content-type': 'application/jose' } });
      assert.equal(replay.json<{ error: string }>().error, 'replayed');
      const cookie = mobile.cookies.header(new URL(t.issuer)) ?? '';
      const claimed = await claimWith(phone, link, cookie);
      assert.equal(claimed.status, 200, claimed.body);
    });

    it('asks a desktop to use the phone, with a way on', async () => {
      const page = await t.waiting();
      const link = await page.frame();
      const opened = await t.browser().get(link);
      assert.equal(opened.status, 200);
      assert.match(opened.text, /Open this with your phone/);
      assert.ok(opened.links.includes(`${t.issuer}/phone#${encodeURIComponent(link)}`));
    });

    it('says so when it is stale, taken, forged or none', async () => {
      const { phone } = await t.person();
      const page = await t.waiting();
      const link = await page.frame();
      for (const bad of [link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), `${t.issuer}/q/nonsense`, link.replace(/\/q\/1\.[\w-]{22}/, `/q/1.${'A'.repeat(22)}`)]) {
        const answer = await t.browser().get(bad);
        assert.equal(answer.status, 410, bad);
        assert.match(answer.text, /out of date/);
        assert.equal(answer.headers['set-cookie'], undefined);
      }
      await phone.claim(link);
      assert.match((await t.browser().get(link)).text, /has been used/);
      t.clock.advance(15_000);
      const later = await t.waiting();
      const old = await later.frame();
      t.clock.advance(10_000);
      assert.match((await t.browser().get(old)).text, /out of date/);
    });
  });

  async function claimWith(phone: Awaited<ReturnType<QrHarness['person']>>['phone'], link: string, cookie: string) {
    // The SDK sends cookies where it says so; this phone has no jar, so the body is caught and sent by hand.
    phone.tamper = { only: 'qr-claim+jwt', claims: ({ n: _n, mac: _mac, ...claims }) => claims, body: (body) => ((caught = body), `${body}x`) };
    let caught = '';
    await assert.rejects(phone.claim(link));
    phone.tamper = {};
    const answer = await fetch(`${t.issuer}/phone/transactions/claim`, { method: 'POST', headers: { 'content-type': 'application/jose', cookie }, body: caught });
    return { status: answer.status, body: await answer.text() };
  }
});

onEachDatabase('the place of a browser', (database) => {
  it('is what the host says of its address, and left out where the host cannot tell', async () => {
    const places = new Map<string, string>([['127.0.0.1', 'Utrecht']]);
    const t = await startQr(database, {
      locate(address) {
        if (places.size === 0) throw new Error('no table of cities');
        return places.get(address.replace(/^::ffff:/, '').replace('::1', '127.0.0.1'));
      },
    });
    const { phone } = await t.person();
    const seen = async () => (await phone.claim(await (await t.waiting()).frame())).request.browser.place;
    assert.equal(await seen(), 'Utrecht');
    places.set('127.0.0.1', '');
    assert.equal(await seen(), undefined);
    places.clear();
    assert.equal(await seen(), undefined);
    assert.ok(t.errors.length > 0);
    await t.close();
  });
});
