import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { craft, startDevices } from './harness.ts';
import type { DevicesHarness } from './harness.ts';

onEachDatabase('the pages of an account’s phones', (database) => {
  let t: DevicesHarness;
  before(async () => {
    t = await startDevices(database);
  });
  after(() => t.close());

  let count = 0;
  const someone = () => `owner-${(count += 1)}`;
  const list = () => `${t.issuer}/account/devices`;

  it('lists nothing, then each phone of this account alone', async () => {
    const [account, other] = [someone(), someone()];
    const browser = t.browser(account);
    assert.match((await browser.get(list())).text, /No phone is connected/);
    await t.enrolled({ by: browser, userVerifying: true });
    await t.enrolled({ by: t.browser(other) });
    const page = await browser.get(list());
    assert.equal(page.text.match(/Virtual phone Node\.js/g)?.length, 1);
    assert.match(page.text, /PIN, fingerprint or face/);
    assert.match(page.text, /counts no more than a password/);
  });

  it('speaks the reader’s language', async () => {
    const account = someone();
    for (const [language, words] of Object.entries({ de: /Ihre Telefone/, fr: /Vos téléphones/, nl: /Uw telefoons/ })) {
      assert.match((await t.browser(account, { headers: { 'accept-language': language } }).get(list())).text, words);
    }
  });

  it('renames a phone, and shows any name as text', async () => {
    const account = someone();
    const browser = t.browser(account);
    const phone = await t.enrolled({ by: browser });
    const name = '<img src=x onerror=alert(1)> & "Ödön’s" 📱';
    const page = await browser.submit(await browser.get(list()), 'Save', { name });
    assert.match(page.text, /The new name is saved/);
    assert.ok(!page.body.includes('<img src=x'));
    assert.equal((await t.service.list(account))[0]?.name, name);
    assert.equal((await phone.status()).name, name);
    for (const bad of ['', '   ', 'x'.repeat(61), 'a\u0000b', 'a\u202eb']) {
      assert.equal((await browser.submit(await browser.get(list()), 'Save', { name: bad })).status, 400);
    }
    assert.equal(t.emitted.filter((event) => event.name === 'device.renamed' && event.payload.accountId === account).length, 1);
  });

  for (const [button, reason, words] of [
    ['Remove this phone', 'retired', /The phone is removed/],
    ['This phone is lost', 'lost', /locked out/],
  ] as const) {
    it(`ends a phone that is ${reason}, once the person has confirmed it`, async () => {
      const account = someone();
      const phone = await t.enrolled({ by: t.browser(account) });
      const browser = t.browser(account, { acr: 'urn:tandem:acr:1:qr' });
      const [device] = await t.service.list(account);
      const url = `${list()}/${device?.id}/remove`;
      assert.ok((await browser.get(list())).links.includes(url));
      const confirm = await browser.get(url);
      assert.match(confirm.text, /“Virtual phone”/);
      assert.equal((await t.service.list(account)).length, 1, 'looking at the page changes nothing');

      const done = await browser.submit(confirm, button);
      assert.match(done.text, words);
      assert.equal((await phone.status()).state, 'revoked');
      const revoked = t.emitted.filter(({ name, payload }) => name === 'device.revoked' && payload.accountId === account);
      assert.deepEqual(revoked.map(({ payload }) => (payload as { reason: string }).reason), [reason]);
      assert.equal((await browser.submit(confirm, button)).status, 404);
      assert.equal((await browser.get(url)).status, 404);
    });
  }

  it('tells every room inside the transaction, and revokes nothing when one of them fails', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account) });
    const [device] = await t.service.list(account);
    t.fail('device.revoked');
    await assert.rejects(t.service.revoke(account, device!.id, 'lost'));
    t.fail(undefined);
    assert.equal((await t.service.list(account)).length, 1);
  });

  it('revokes once, however often it is asked at once', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account) });
    const [device] = await t.service.list(account);
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => t.service.revoke(account, device!.id, 'lost')));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  it('lets a transaction that found a phone usable end before the phone is revoked', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account) });
    const [device] = await t.service.list(account);
    const order: string[] = [];
    let found = () => {};
    const revoked = new Promise<void>((resolve) => (found = resolve))
      .then(() => t.service.revoke(account, device!.id, 'lost'))
      .then(() => order.push('revoked'));
    await t.db.transaction(async (tx) => {
      assert.ok(await t.service.usable(device!.id, tx));
      found();
      await new Promise((resolve) => setTimeout(resolve, 100));
      order.push('used');
    });
    await revoked;
    assert.deepEqual(order, ['used', 'revoked']);
  });

  it('shows and changes nothing of another account', async () => {
    const [account, other] = [someone(), someone()];
    await t.enrolled({ by: t.browser(account) });
    const [device] = await t.service.list(account);
    const stranger = t.browser(other);
    assert.equal((await stranger.get(`${list()}/${device?.id}/remove`)).status, 404);
    const form = (await stranger.get(`${list()}/add`)).forms[0]!;
    const csrf = form.fields.find(([name]) => name === 'csrf')![1];
    assert.equal((await stranger.post(`${list()}/${device?.id}/remove`, { csrf, reason: 'lost' })).status, 404);
    assert.equal((await stranger.post(`${list()}/${device?.id}/rename`, { csrf, name: 'mine' })).status, 404);
    assert.equal((await t.service.list(account))[0]?.name, 'Virtual phone');
  });

  it('wants a fresh sign-in to end a phone, and any to see them', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account) });
    const [device] = await t.service.list(account);
    const old = t.browser(account, { age: 3600 });
    assert.equal((await old.get(list())).status, 200);
    const page = await old.get(`${list()}/${device?.id}/remove`, { follow: false });
    assert.match(page.headers.location ?? '', /\/sign-in/);
    const csrf = (await old.get(list())).forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    const posted = await old.post(`${list()}/${device?.id}/remove`, { csrf, reason: 'lost' }, { follow: false });
    assert.equal(posted.status, 303);
    assert.equal((await t.service.list(account)).length, 1);
    assert.match((await t.browser('').get(list(), { follow: false })).headers.location ?? '', /\/sign-in/);
  });

  it('refuses forms that were not made for this browser', async () => {
    const account = someone();
    const browser = t.browser(account);
    await t.enrolled({ by: browser });
    const [device] = await t.service.list(account);
    const remove = await browser.get(`${list()}/${device?.id}/remove`);
    const elsewhere = await browser.submit(remove, 'This phone is lost', {}, { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } });
    assert.equal(elsewhere.status, 403);
    assert.equal((await browser.submit(remove, 'This phone is lost', { csrf: 'x' })).status, 403);
    assert.equal((await browser.submit(remove, 'This phone is lost', { reason: 'other' })).status, 400);
    assert.equal((await browser.submit(remove, 'This phone is lost', { extra: '1' })).status, 400);
    assert.equal((await t.service.list(account)).length, 1);
  });

  it('sends pages under a strict policy, never cached', async () => {
    const account = someone();
    const { page } = await t.start(t.browser(account));
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.ok(!/ style="|<style|<script(?![^>]* src=)| on\w+="/.test(page.body));
  });
});

onEachDatabase('the phone’s own endpoints', (database) => {
  let t: DevicesHarness;
  before(async () => {
    t = await startDevices(database, { phoneOrigin: 'https://phone.example.com' });
  });
  after(() => t.close());

  it('let a phone end itself, as often as it likes', async () => {
    const phone = await t.enrolled({ by: t.browser('laura') });
    const kept = phone.account;
    const twice = [await craft(t, phone, { typ: 'device-retire+jwt' }), await craft(t, phone, { typ: 'device-retire+jwt' })];
    for (const { body } of twice) assert.deepEqual((await phone.post('/phone/device/retire', body)).json, { state: 'revoked' });
    assert.deepEqual(await t.service.list('laura'), []);
    const revoked = t.emitted.filter(({ name, payload }) => name === 'device.revoked' && payload.deviceId === kept.deviceId);
    assert.deepEqual(revoked.map(({ payload }) => payload), [{ deviceId: kept.deviceId, accountId: 'laura', reason: 'retired', by: 'device', address: '127.0.0.1', name: 'Virtual phone' }]);
  });

  it('tell a phone whose account is gone that it is revoked', async () => {
    const browser = t.browser('mike');
    const phone = await t.enrolled({ by: browser });
    await t.db.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ account_id: 'gone' });
    assert.equal((await phone.status()).state, 'revoked');
  });

  it('may be called by scripts of the app’s origin alone', async () => {
    const send = async (method: string, origin: string) =>
      await fetch(`${t.issuer}/phone/nonce`, { method, headers: { origin, 'access-control-request-method': 'POST' } });
    for (const method of ['OPTIONS', 'POST']) {
      const own = await send(method, 'https://phone.example.com');
      assert.equal(own.headers.get('access-control-allow-origin'), 'https://phone.example.com');
      assert.ok(own.ok);
      for (const other of ['https://evil.example', 'https://phone.example.com.evil.example', 'null', 'http://phone.example.com']) {
        const foreign = await send(method, other);
        assert.equal(foreign.headers.get('access-control-allow-origin'), null);
        assert.equal(foreign.headers.get('access-control-allow-methods'), null);
      }
    }
  });

  it('take the app’s origin and host for WebAuthn', async () => {
    const phone = t.phone({ userVerifying: true, origin: 'https://phone.example.com' });
    const { page, link } = await t.start(t.browser('nina'));
    const landing = await t.browser('').get(link);
    assert.ok(landing.links.some((href) => href.startsWith('https://phone.example.com/phone#')));
    await phone.enrol(link);
    assert.equal(phone.account.credential?.rpId, 'phone.example.com');
    assert.ok(page);
    const wrong = t.phone({ userVerifying: true });
    const again = await t.start(t.browser('nina'));
    await assert.rejects(wrong.enrol(again.link), { code: 'invalid_signature' });
  });

  it('answer every mistake with a clear JSON error', async () => {
    const post = async (path: string, body: string, type: string) => {
      const response = await fetch(t.issuer + path, { method: 'POST', body, headers: { 'content-type': type } });
      const json = (await response.json()) as { error: string; error_description: string };
      assert.ok(json.error_description, JSON.stringify(json));
      return [response.status, json.error];
    };
    assert.deepEqual(await post('/phone/nonce', '{"a":1}', 'application/json'), [400, 'invalid_request']);
    assert.deepEqual(await post('/phone/enrolment/offer', '{}', 'application/json'), [400, 'invalid_request']);
    assert.deepEqual(await post('/phone/enrolment/offer', '{"ticket":1}', 'application/json'), [400, 'invalid_request']);
    assert.deepEqual(await post('/phone/enrolment/offer', '{"ticket":"x","b":1}', 'application/json'), [400, 'invalid_request']);
    assert.deepEqual(await post('/phone/enrolment/offer', '{"ticket":"x"}', 'application/json'), [404, 'not_found']);
    assert.deepEqual(await post('/phone/enrolment/offer', '{"ticket":"x"}', 'text/plain'), [415, 'unsupported_media_type']);
    assert.deepEqual(await post('/phone/enrolment', 'x', 'application/jose'), [400, 'invalid_request']);
    assert.deepEqual(await post('/phone/device', 'x'.repeat(70_000), 'application/jose'), [413, 'payload_too_large']);
    const wrongMethod = await fetch(`${t.issuer}/phone/nonce`);
    assert.equal(wrongMethod.status, 405);
    assert.match(wrongMethod.headers.get('allow') ?? '', /POST/);
  });

  it('refuse an enrolment call that is forged or incomplete, and leave the ticket unused', async () => {
    const phone = t.phone();
    const { link } = await t.start(t.browser('oscar'));
    const refused = async (tamper: typeof phone.tamper, code: string) => {
      phone.tamper = { only: 'enrol+jwt', ...tamper };
      await assert.rejects(phone.enrol(link), { code });
    };
    await refused({ key: phone.strangeKey() }, 'invalid_signature');
    await refused({ header: (header) => ({ ...header, alg: 'EdDSA' }) }, 'invalid_signature');
    await refused({ header: (header) => ({ ...header, alg: 'none' }) }, 'invalid_signature');
    await refused({ header: (header) => ({ ...header, typ: 'device+jwt' }) }, 'invalid_signature');
    await refused({ header: (header) => ({ ...header, kid: 'A'.repeat(43) }) }, 'invalid_signature');
    await refused({ header: ({ jwk: _, ...header }) => header }, 'invalid_request');
    await refused({ header: (header) => ({ ...header, jwk: { ...(header['jwk'] as object), d: 'A'.repeat(43) } }) }, 'invalid_request');
    await refused({ header: (header) => ({ ...header, jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }) }, 'invalid_request');
    await refused({ header: (header) => ({ ...header, jwk: { ...(header['jwk'] as object), x: 'A'.repeat(43), y: 'A'.repeat(43) } }) }, 'invalid_signature');
    await refused({ claims: (claims) => ({ ...claims, aud: 'https://evil.example' }) }, 'invalid_signature');
    await refused({ claims: (claims) => ({ ...claims, iss: 'me' }) }, 'invalid_signature');
    await refused({ claims: (claims) => ({ ...claims, nonce: 'x' }) }, 'invalid_nonce');
    await refused({ claims: (claims) => ({ ...claims, exp: 1 }) }, 'invalid_signature');
    await refused({ claims: (claims) => ({ ...claims, name: '' }) }, 'invalid_request');
    await refused({ claims: (claims) => ({ ...claims, name: 'x'.repeat(61) }) }, 'invalid_request');
    for (const words of ['Firefox\u202eyobaD', 'a\nb', 'a\u0000b', 'a\u2028b', 'a\ud800b', 'x'.repeat(61)]) {
      await refused({ claims: (claims) => ({ ...claims, platform: words }) }, 'invalid_request');
    }
    await refused({ claims: ({ ticket: _, ...claims }) => claims }, 'invalid_request');
    await refused({ claims: (claims) => ({ ...claims, ticket: 'A'.repeat(43) }) }, 'not_found');
    phone.tamper = {};
    assert.ok(await phone.enrol(link));
  });
});
