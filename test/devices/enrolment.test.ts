import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { PHONE_AGENT } from '../support/http-browser.ts';
import { enrolling, MINUTE } from './enrolling.ts';
import { statusUrlOf, type DevicesHarness } from './harness.ts';

onEachDatabase('enrolling a phone', (database) => {
  let t: DevicesHarness;
  const { someone } = enrolling(database, (given) => {
    t = given;
  });

  it('takes a phone from QR to confirm code, and says how far it is', async () => {
    const [account, phone] = [someone(), t.phone()];
    const browser = t.browser(account);
    const { page, link } = await t.start(browser);
    assert.match(link, new RegExp(`^${t.issuer}/e/1\\.[\\w-]{43}$`));
    assert.match(page.body, /<noscript><div role="img"[^>]*><svg/);
    const status = async () => (await browser.send('GET', statusUrlOf(page))).json<{ state: string; expires_in: number; device?: object }>();
    assert.equal((await status()).state, 'pending');

    const { confirmCode } = await phone.enrol(link, { name: 'Red phone', platform: 'Firefox on Android' });
    assert.match(confirmCode, /^\d{6}$/);
    assert.equal(phone.account.label, `${account}@example.com`);
    const waiting = await status();
    assert.equal(waiting.state, 'enrolled');
    assert.deepEqual(waiting.device, { name: 'Red phone', platform: 'Firefox on Android' });
    assert.deepEqual(await phone.status(), { state: 'pending', label: `${account}@example.com`, name: 'Red phone', userVerifying: false });
    assert.deepEqual(await t.service.list(account), []);

    const spaced = `${confirmCode.slice(0, 3)} ${confirmCode.slice(3)}`;
    const done = await browser.submit(page, 'Connect this phone', { code: spaced });
    assert.match(done.text, /Your phone is connected/);
    assert.match(done.text, /Red phone/);
    assert.equal((await status()).state, 'confirmed');
    assert.equal((await phone.status()).state, 'active');
    const [device] = await t.service.list(account);
    assert.equal(device?.name, 'Red phone');
    const about = t.emitted.filter(({ payload }) => payload.accountId === account);
    assert.deepEqual(about.map(({ name }) => name), ['device.enrolment_started', 'device.enrolled', 'device.confirmed']);
  });

  it('names the account before anything is enrolled, and keeps neither ticket nor code in the clear', async () => {
    const account = someone();
    const { link } = await t.start(t.browser(account));
    const ticket = link.split('/e/1.')[1]!;
    const phone = t.phone();
    const offer = await phone.post('/phone/enrolment/offer', JSON.stringify({ ticket }), 'application/json');
    assert.equal(offer.status, 200);
    assert.equal(offer.json['issuer'], t.issuer);
    assert.deepEqual(offer.json['account'], { label: `${account}@example.com` });
    const { confirmCode } = await phone.enrol(link);
    const dump = JSON.stringify([await t.db.knex('tandem_enrolments').select(), await t.db.knex('tandem_devices').select()]);
    assert.ok(!dump.includes(ticket));
    assert.ok(!dump.includes(`"${confirmCode}"`));
  });

  it('takes each ticket once: of 100 phones at once exactly one enrols', async () => {
    const { link } = await t.start(t.browser(someone()));
    const phones = Array.from({ length: 100 }, () => t.phone());
    const results = await Promise.allSettled(phones.map((phone) => phone.enrol(link)));
    const codes = results.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code: string }).code] : []));
    assert.equal(results.length - codes.length, 1);
    assert.deepEqual([...new Set(codes)], ['already_claimed']);
    assert.equal(t.names().filter((name) => name === 'device.enrolled').length, new Set(t.emitted.filter(({ name }) => name === 'device.enrolled').map(({ payload }) => payload.deviceId)).size);
  });

  it('refuses a used, an expired, a replaced and an unknown ticket', async () => {
    const browser = t.browser(someone());
    const used = await t.start(browser);
    await t.phone().enrol(used.link);
    await assert.rejects(t.phone().enrol(used.link), { code: 'already_claimed' });

    const replaced = await t.start(browser);
    const late = await t.start(browser);
    await assert.rejects(t.phone().enrol(replaced.link), { code: 'expired' });
    t.advance(5 * MINUTE + 1);
    await assert.rejects(t.phone().enrol(late.link), { code: 'expired' });
    assert.equal((await browser.send('GET', statusUrlOf(late.page))).json()['state'], 'expired');
    await assert.rejects(t.phone().enrol(`${t.issuer}/e/1.${'A'.repeat(43)}`), { code: 'not_found' });
  });

  it('ends after three wrong codes, also where ten are typed at once', async () => {
    for (const parallel of [false, true]) {
      const account = someone();
      const browser = t.browser(account);
      const phone = t.phone();
      const { page, link } = await t.start(browser);
      const { confirmCode } = await phone.enrol(link);
      const wrong = String((Number(confirmCode) + 1) % 1_000_000).padStart(6, '0');
      const attempt = () => browser.submit(page, 'Connect this phone', { code: wrong });
      if (parallel) await Promise.all(Array.from({ length: 10 }, attempt));
      else {
        const first = await attempt();
        assert.equal(first.status, 422);
        assert.match(first.text, /Tries left: 2/);
        assert.match((await attempt()).text, /Tries left: 1/);
        assert.match((await attempt()).text, /wrong three times/);
      }
      const right = await browser.submit(page, 'Connect this phone', { code: confirmCode });
      assert.match(right.text, /wrong three times/);
      assert.deepEqual(await t.service.list(account), []);
      assert.equal((await phone.status()).state, 'revoked');
      const missed = t.emitted.filter(({ name, payload }) => name === 'device.confirm_failed' && payload.accountId === account);
      assert.equal(missed.length, 3);
    }
  });

  it('takes the code only in the browser that shows the QR, from the account that asked', async () => {
    const account = someone();
    const browser = t.browser(account);
    const { page, link } = await t.start(browser);
    const { confirmCode } = await t.phone().enrol(link);
    const path = new URL(page.forms.find(({ action }) => action.endsWith('/confirm'))!.action).pathname;
    for (const other of [t.browser(account), t.browser(someone()), t.browser('')]) {
      const csrf = await csrfOf(other);
      const answer = await other.post(t.issuer + path, { csrf, code: confirmCode });
      assert.ok(answer.status === 404 || answer.status === 403, `status ${answer.status}`);
      assert.equal((await other.send('GET', statusUrlOf(page))).status, 404);
    }
    const switched = await browser.submit(page, 'Connect this phone', { code: confirmCode }, { headers: { 'x-account': someone() } });
    assert.equal(switched.status, 404);
    assert.deepEqual(await t.service.list(account), []);
    const done = await browser.submit(page, 'Connect this phone', { code: confirmCode });
    assert.match(done.text, /Your phone is connected/);
    const again = await browser.submit(page, 'Connect this phone', { code: confirmCode });
    assert.match(again.text, /Your phone is connected/, 'sent once more, the form tells what is so');
    assert.equal((await t.service.list(account)).length, 1);
  });

  async function csrfOf(browser: ReturnType<DevicesHarness['browser']>) {
    const form = (await browser.get(`${t.issuer}/account/devices/add`)).forms[0];
    return form?.fields.find(([name]) => name === 'csrf')?.[1] ?? '';
  }

  it('confirms once, however often the right code is sent at once', async () => {
    const account = someone();
    const browser = t.browser(account);
    const { page, link } = await t.start(browser);
    const { confirmCode } = await t.phone().enrol(link);
    await Promise.all(Array.from({ length: 20 }, () => browser.submit(page, 'Connect this phone', { code: confirmCode })));
    const confirmed = t.emitted.filter(({ name, payload }) => name === 'device.confirmed' && payload.accountId === account);
    assert.equal(confirmed.length, 1);
    assert.equal((await t.service.list(account)).length, 1);
  });

  it('forgets a phone whose code nobody types in time', async () => {
    const browser = t.browser(someone());
    const phone = t.phone();
    const { page, link } = await t.start(browser);
    const { confirmCode } = await phone.enrol(link);
    t.advance(5 * MINUTE + 1);
    assert.match((await browser.submit(page, 'Connect this phone', { code: confirmCode })).text, /The time is up/);
    assert.equal((await phone.status()).state, 'revoked');
    const told = () => t.emitted.filter(({ name, payload }) => name === 'device.revoked' && payload.deviceId === phone.account.deviceId);
    assert.equal(told().length, 0);
    await Promise.all([t.service.sweep(), t.service.sweep()]);
    await t.service.sweep();
    assert.deepEqual(told().map(({ payload }) => [(payload as { reason: string }).reason, (payload as { by: string }).by]), [['unconfirmed', 'enrolment']]);
    t.advance(31 * 24 * 60 * MINUTE);
    assert.ok((await t.service.sweep()) > 0);
    assert.equal((await t.db.knex('tandem_devices').where({ state: 'pending' })).length, 0);
  });

  it('is cancelled by its page, the waiting phone with it', async () => {
    const browser = t.browser(someone());
    const phone = t.phone();
    const { page, link } = await t.start(browser);
    await phone.enrol(link);
    await browser.submit(page, 'Cancel');
    assert.equal((await phone.status()).state, 'revoked');
    await assert.rejects(t.phone().enrol(link), { code: 'expired' });
  });

  it('keeps the QR of a page without scripts when a code is typed too early', async () => {
    const browser = t.browser(someone());
    const { page, link } = await t.start(browser);
    const early = await browser.submit(page, 'Connect this phone', { code: '123456' });
    assert.equal(early.status, 422);
    assert.match(early.text, /Scan the code first/);
    const { confirmCode } = await t.phone().enrol(link);
    assert.match((await browser.submit(early, 'Connect this phone', { code: confirmCode })).text, /is connected/);
  });

  describe('the link in the QR', () => {
    it('asks a desktop to use the phone, with a way on, and changes nothing', async () => {
      const browser = t.browser(someone());
      const { page, link } = await t.start(browser);
      const landing = await t.browser('').get(link);
      assert.match(landing.text, /Open this with your phone/);
      assert.ok(landing.links.some((href) => href === `${t.issuer}/phone#${encodeURIComponent(link)}`));
      assert.equal((await browser.send('GET', statusUrlOf(page))).json()['state'], 'pending');
    });

    it('leads a phone to the app', async () => {
      const { link } = await t.start(t.browser(someone()));
      const answer = await t.browser('', { headers: { 'user-agent': PHONE_AGENT } }).get(link, { follow: false });
      assert.equal(answer.status, 303);
      assert.equal(answer.headers.location, `${t.issuer}/phone#${encodeURIComponent(link)}`);
    });

    it('is a button on the page itself, where that is open on the phone', async () => {
      const { page, link } = await t.start(t.browser(someone(), { headers: { 'user-agent': PHONE_AGENT } }));
      assert.ok(page.links.includes(link));
    });

    it('is not found when it is none', async () => {
      assert.equal((await t.browser('').get(`${t.issuer}/e/2.x`)).status, 404);
    });
  });
});
