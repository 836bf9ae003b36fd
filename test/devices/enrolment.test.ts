import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { PHONE_AGENT } from '../support/http-browser.ts';
import { linkOf, startDevices, statusUrlOf } from './harness.ts';
import type { DevicesHarness } from './harness.ts';

const MINUTE = 60_000;

onEachDatabase('enrolling a phone', (database) => {
  let t: DevicesHarness;
  before(async () => {
    t = await startDevices(database);
  });
  after(() => t.close());

  /** An account of its own for each test, so that none sees another's phones. */
  let count = 0;
  const someone = () => `person-${(count += 1)}`;

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
    const { link } = await t.start(t.browser(someone()));
    const ticket = link.split('/e/1.')[1]!;
    const phone = t.phone();
    const offer = await phone.post('/phone/enrolment/offer', JSON.stringify({ ticket }), 'application/json');
    assert.equal(offer.status, 200);
    assert.equal(offer.json['issuer'], t.issuer);
    assert.deepEqual(offer.json['account'], { label: `person-${count}@example.com` });
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

  it('wants a sign-in no older than five minutes', async () => {
    const account = someone();
    const stale = t.browser(account, { age: 301 });
    const page = await stale.get(`${t.issuer}/account/devices/add`, { follow: false });
    assert.equal(page.status, 303);
    assert.match(page.headers.location ?? '', /\/sign-in/);

    const browser = t.browser(account, { age: 290 });
    const open = await browser.get(`${t.issuer}/account/devices/add`);
    t.advance(20_000);
    const refused = await browser.submit(open, 'Show the code', {}, { follow: false });
    assert.equal(refused.status, 303);
    assert.equal(refused.headers.location, `${t.issuer}/account/devices/add`);
    const anonymous = await t.browser('').get(`${t.issuer}/account/devices/add`, { follow: false });
    assert.equal(anonymous.status, 303);
  });

  it('wants what the phones of the account can prove before another is added', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account) });
    const add = async (acr: string) => await t.browser(account, { acr }).get(`${t.issuer}/account/devices/add?proof=ask`, { follow: false });
    assert.match((await add('urn:tandem:acr:1')).headers.location ?? '', /acr=urn:tandem:acr:1:qr/);
    for (const acr of ['urn:tandem:acr:1:qr', 'urn:tandem:acr:2', 'urn:tandem:acr:2:qr']) assert.equal((await add(acr)).status, 200);

    // A page opened before the first phone came does not help.
    const other = someone();
    const early = t.browser(other);
    const open = await early.get(`${t.issuer}/account/devices/add`);
    await t.enrolled({ by: t.browser(other), userVerifying: true });
    assert.equal((await early.submit(open, 'Show the code', {}, { follow: false })).status, 303);

    t.advance(24 * 60 * MINUTE + 1);
    const weak = await t.browser(other, { acr: 'urn:tandem:acr:1:qr' }).get(`${t.issuer}/account/devices/add?proof=ask`, { follow: false });
    assert.equal(weak.headers.location, `${t.issuer}/sign-in?acr=urn:tandem:acr:2`);
    const asked = await t.browser(other).get(`${t.issuer}/account/devices/add`);
    assert.match(asked.text, /Confirm with a phone that you have/);
    assert.equal((await t.browser(other, { acr: 'urn:tandem:acr:2:qr' }).get(`${t.issuer}/account/devices/add`)).status, 200);
  });

  it('takes one phone on the word of a password, however many are enrolled and confirmed at once', async () => {
    const account = someone();
    const pages = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const browser = t.browser(account);
        const add = await browser.get(`${t.issuer}/account/devices/add`);
        return { browser, add };
      }),
    );
    const shown = await Promise.all(pages.map(async ({ browser, add }) => ({ browser, page: await browser.submit(add, 'Show the code') })));
    const enrolled = await Promise.allSettled(shown.map(async ({ page }) => (await t.phone().enrol(linkOf(page))).confirmCode));
    await Promise.all(
      enrolled.map(async (each, index) => {
        if (each.status === 'rejected') return;
        const { browser, page } = shown[index]!;
        const answer = await browser.submit(page, 'Connect this phone', { code: each.value });
        assert.ok(answer.status < 500, answer.text);
      }),
    );
    assert.equal((await t.service.list(account)).length, 1);
  });

  it('counts a first phone, and one vouched for by a password, as level 1 for 24 hours', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account), userVerifying: true });
    const [first] = await t.service.list(account);
    assert.equal(first?.levelCap, 1);
    await t.enrolled({ by: t.browser(account, { acr: 'urn:tandem:acr:1:qr' }) });
    await t.enrolled({ by: t.browser(account, { acr: 'urn:tandem:acr:2' }) });
    assert.deepEqual((await t.service.list(account)).map(({ levelCap }) => levelCap), [1, 1, 2]);
    t.advance(24 * 60 * MINUTE + 1);
    assert.deepEqual((await t.service.list(account)).map(({ levelCap }) => levelCap), [2, 2, 2]);

    const other = someone();
    await t.enrolled({ by: t.browser(other), userVerifying: true });
    await t.db.transaction((tx) => t.service.liftCap(other, tx));
    assert.equal((await t.service.list(other))[0]?.levelCap, 2);
  });

  it('gives an account no more than twenty tickets an hour', async () => {
    const browser = t.browser(someone());
    for (let index = 0; index < 20; index += 1) await t.start(browser);
    const page = await browser.get(`${t.issuer}/account/devices/add`);
    const refused = await browser.submit(page, 'Show the code');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    assert.ok(await t.start(t.browser(someone())));
  });

  it('refuses a key that is a device already', async () => {
    const browser = t.browser(someone());
    const phone = await t.enrolled({ by: browser });
    const { link } = await t.start(t.browser(someone()));
    const second = t.phone();
    const { handle, publicJwk, kid, algorithm } = phone.account.key;
    second.tamper = {
      only: 'enrol+jwt',
      key: { handle, publicJwk, kid, algorithm },
      header: (header) => ({ ...header, kid, jwk: publicJwk }),
      claims: (claims) => ({ ...claims, iss: kid }),
    };
    await assert.rejects(second.enrol(link), { code: 'conflict' });
    second.tamper = {};
    assert.ok(await second.enrol(link), 'the ticket is not used up by it');
  });

  describe('by WebAuthn', () => {
    it('holds a user-verifying key where the authenticator proves it', async () => {
      const account = someone();
      const phone = await t.enrolled({ by: t.browser(account), userVerifying: true });
      assert.equal((await phone.status()).userVerifying, true);
      assert.equal((await t.service.list(account))[0]?.userVerifying, true);
    });

    it('claims presence alone where the user was not verified', async () => {
      const account = someone();
      const phone = t.phone({ userVerifying: true });
      phone.authenticator.tamper = { userVerified: false };
      const browser = t.browser(account);
      const { page, link } = await t.start(browser);
      const { confirmCode } = await phone.enrol(link);
      await browser.submit(page, 'Connect this phone', { code: confirmCode });
      assert.equal((await t.service.list(account))[0]?.userVerifying, false);
    });

    for (const [what, tamper] of Object.entries({
      'another origin': { origin: 'https://evil.example' },
      'another rpId': { rpId: 'evil.example' },
      'another challenge': { challenge: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
      'an assertion': { type: 'webauthn.get' },
      'a frame of another site': { crossOrigin: true },
      'nobody present': { userPresent: false },
    })) {
      it(`refuses a credential made for ${what}`, async () => {
        const phone = t.phone({ userVerifying: true });
        phone.authenticator.tamper = tamper;
        const { link } = await t.start(t.browser(someone()));
        await assert.rejects(phone.enrol(link), { code: 'invalid_signature' });
      });
    }

    it('asks for a discoverable credential whose user is verified, at the host of the app', async () => {
      const { link } = await t.start(t.browser(someone()));
      const offer = await t.phone().post('/phone/enrolment/offer', JSON.stringify({ ticket: link.split('/e/1.')[1] }), 'application/json');
      const { rp, authenticatorSelection, user } = offer.json['webauthn'] as Record<string, Record<string, unknown>>;
      assert.equal(rp?.['id'], '127.0.0.1');
      assert.equal(authenticatorSelection?.['userVerification'], 'required');
      assert.equal(authenticatorSelection?.['residentKey'], 'required');
      assert.equal(user?.['name'], `person-${count}@example.com`);
      assert.ok(!Buffer.from(String(user?.['id']), 'base64url').toString().includes('person'), 'the handle says nothing of the person');
    });
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
