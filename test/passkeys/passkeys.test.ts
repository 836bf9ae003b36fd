import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import type { AuthenticatorTamper } from '../support/software-authenticator.ts';
import { CALLBACK, startTandem, type TestTandem } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { answerOf, authorizationUrl, payloadOf, pkce, tokenRequest, typePassword, type Person } from '../oidc/helpers.ts';
import { createDesktop } from '../phone/desktop.ts';

onEachDatabase('signing in by a passkey', (database) => {
  let t: TestTandem;
  const opened: HttpBrowser[] = [];
  before(async () => {
    t = await startTandem(database);
  });
  after(async () => {
    for (const browser of opened) browser.close();
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  function browser(): HttpBrowser {
    const made = createHttpBrowser({ now: t.clock });
    opened.push(made);
    return made;
  }

  /** An account with a phone, which counts as level 1 for its first day where `capped`. */
  async function someone({ capped = false } = {}): Promise<{ person: Person; phone: VirtualPhone }> {
    const person = await t.registerAccount();
    const desktop = createDesktop(t);
    opened.push(desktop.browser);
    await desktop.signIn(person);
    const phone = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
    const { link, confirm } = await desktop.addPhone();
    const { confirmCode } = await phone.enrol(link);
    await confirm(confirmCode);
    if (!capped) await t.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ capped_until: null });
    return { person, phone };
  }

  /** What the button's script does. */
  function button(by: HttpBrowser, page: Page) {
    const base = /data-passkey data-base="([^"]+)"/.exec(page.body)?.[1];
    assert.ok(base, `no passkey is offered at ${page.url}: ${page.text.slice(0, 200)}`);
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
    const post = (path: string, fields = {}) => by.post(base + path, { csrf, ...fields }, { headers: { accept: 'application/json' } });
    const options = async () => (await post('/passkey/options')).json<{ challenge: string; rpId: string; userVerification: string; timeout: number }>();
    const send = (assertion: unknown) => post('/passkey', { assertion: JSON.stringify(assertion) });
    return {
      options,
      send,
      async press(phone: VirtualPhone): Promise<Page> {
        const { challenge, rpId } = await options();
        const answer = await send(await phone.authenticator.get({ challenge, rpId }));
        return answer.status === 200 ? by.get(answer.json<{ location: string }>().location) : answer;
      },
    };
  }

  async function signInPage(parameters: Record<string, string> = {}, by = browser()) {
    const page = await by.get(authorizationUrl(t, parameters));
    return { by, page, ...button(by, page) };
  }

  async function refused(answer: Page | Promise<Page>, error: string) {
    const page = await answer;
    assert.equal(page.json()['error'], error, page.body);
    assert.ok(page.status >= 400 && page.status < 500);
  }

  async function idToken(code: string | null, verifier: string, clientId = 'rp') {
    assert.ok(code);
    const { json } = await tokenRequest(t, clientId, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier });
    return payloadOf(json['id_token']);
  }

  const signIns = async (accountId?: string) => (await t.knex('tandem_events').where({ name: 'passkey.signed_in', ...(accountId && { account_id: accountId }) })).length;

  it('proves who signs in by level 2, and leaves consent to be asked', async () => {
    const { phone } = await someone();
    const { verifier, challenge } = pkce();
    const { by, press } = await signInPage({ code_challenge: challenge });
    const consent = await press(phone);
    assert.ok(consent.forms.some(({ action }) => action.endsWith('/consent')), consent.text);
    const claims = await idToken(answerOf(await by.submit(consent, '/consent')).get('code'), verifier);
    assert.equal(claims['acr'], 'urn:tandem:acr:2');
    assert.deepEqual(claims['amr'], ['swk', 'user', 'mfa']);
    assert.ok(Math.abs(Number(claims['auth_time']) - t.clock() / 1000) < 30);
    const [event] = (await t.knex('tandem_events').where({ name: 'passkey.signed_in' }).orderBy('id', 'desc')) as Array<Record<string, unknown>>;
    assert.equal(event?.['device_id'], phone.account.deviceId);
    assert.equal(event?.['client_id'], 'rp');
  });

  it('is asked for without a list of whom it might be, its user verified, for five minutes', async () => {
    const { options } = await signInPage();
    const { challenge, ...rest } = await options();
    assert.deepEqual(rest, { rpId: 'localhost', userVerification: 'required', timeout: 300_000 });
    assert.ok(Buffer.from(challenge, 'base64url').length >= 16);
    assert.notEqual((await options()).challenge, challenge);
  });

  it('counts as level 1 on a new phone, and does not pass where more is asked', async () => {
    const { phone } = await someone({ capped: true });
    const { verifier, challenge } = pkce();
    const { press } = await signInPage({ client_id: 'house', code_challenge: challenge });
    const claims = await idToken(answerOf(await press(phone)).get('code'), verifier, 'house');
    assert.equal(claims['acr'], 'urn:tandem:acr:1');
    assert.deepEqual(claims['amr'], ['swk', 'user']);

    const stronger = await signInPage({ client_id: 'house', acr_values: 'urn:tandem:acr:2' });
    await refused(stronger.press(phone), 'uv_required');
    await t.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ capped_until: t.clock() - 1 });
    const later = await signInPage({ client_id: 'house', acr_values: 'urn:tandem:acr:2' });
    assert.ok(answerOf(await later.press(phone)).get('code'));
  });

  it('steps a password up, for its own account alone, and is not offered where it would not do', async () => {
    const [{ person, phone }, other] = [await someone(), await someone()];
    const claims = (value: string) => JSON.stringify({ id_token: { acr: { essential: true, value } } });
    const { verifier, challenge } = pkce();
    const by = browser();
    const first = await by.get(authorizationUrl(t, { client_id: 'house', code_challenge: challenge, claims: claims('urn:tandem:acr:2') }));
    const stepUp = await typePassword(by, first, person);
    await refused(button(by, stepUp).press(other.phone), 'wrong_account');
    const again = await by.get(stepUp.url);
    const token = await idToken(answerOf(await button(by, again).press(phone)).get('code'), verifier, 'house');
    assert.equal(token['acr'], 'urn:tandem:acr:2');

    const elsewhere = browser();
    const page = await elsewhere.get(authorizationUrl(t, { client_id: 'house', claims: claims('urn:tandem:acr:2:qr') }));
    const onlyQr = await typePassword(elsewhere, page, person);
    assert.match(onlyQr.body, /data-qr /);
    assert.doesNotMatch(onlyQr.body, /data-passkey/);
  });

  /** Reports the account's phone lost. */
  async function lose(person: Person) {
    const desk = browser();
    await typePassword(desk, await desk.get(authorizationUrl(t, { client_id: 'house' })), person);
    const list = await desk.get(t.url('/account/devices'));
    const remove = await desk.get(list.links.find((href) => href.endsWith('/remove'))!);
    await desk.submit(remove, 'This phone is lost');
  }

  it('is worth nothing when its phone is lost before the browser goes on', async () => {
    const { person, phone } = await someone();
    const { by, options, send } = await signInPage({ client_id: 'house' });
    const { challenge } = await options();
    const proven = await send(await phone.authenticator.get({ challenge, rpId: 'localhost' }));
    assert.equal(proven.status, 200);
    await lose(person);
    const end = await by.get(proven.json<{ location: string }>().location);
    assert.equal(answerOf(end).get('error'), 'access_denied');
    const silently = answerOf(await by.get(authorizationUrl(t, { client_id: 'house', prompt: 'none' })));
    assert.equal(silently.get('error'), 'login_required');
  });

  it('ends with its phone when that is lost', async () => {
    const { person, phone } = await someone();
    const by = browser();
    await button(by, await by.get(authorizationUrl(t, { client_id: 'house' }))).press(phone);
    const silently = async () => answerOf(await by.get(authorizationUrl(t, { client_id: 'house', prompt: 'none' })));
    assert.ok((await silently()).get('code'));
    await lose(person);
    assert.equal((await silently()).get('error'), 'login_required');
    await refused((await signInPage()).press(phone), 'device_revoked');
  });

  describe('refuses', () => {
    let phone: VirtualPhone;
    before(async () => {
      ({ phone } = await someone());
    });

    const sign = (challenge: string, tamper: AuthenticatorTamper = {}, by = phone) => {
      by.authenticator.tamper = tamper;
      return by.authenticator.get({ challenge, rpId: 'localhost' }).finally(() => (by.authenticator.tamper = {}));
    };

    it('the challenge of another browser', async () => {
      const [mine, theirs] = [await signInPage(), await signInPage()];
      await refused(theirs.send(await sign((await mine.options()).challenge)), 'invalid_nonce');
    });

    it('another browser that has this page’s address', async () => {
      const { page, by } = await signInPage();
      const thief = await signInPage();
      const base = /data-passkey data-base="([^"]+)"/.exec(page.body)![1]!;
      const csrf = /name="csrf" value="([^"]+)"/.exec(thief.page.body)![1]!;
      for (const path of ['/passkey', '/passkey/options']) {
        const answer = await thief.by.post(base + path, { csrf, assertion: '{}' }, { headers: { accept: 'application/json' } });
        assert.ok(answer.status >= 400 && answer.status < 500);
        const stranger = await browser().post(base + path, { csrf, assertion: '{}' }, { headers: { accept: 'application/json' } });
        assert.equal(stranger.json()['error'], 'invalid_csrf');
      }
      const foreign = await by.post(`${base}/passkey/options`, { csrf: /name="csrf" value="([^"]+)"/.exec(page.body)![1]! }, { headers: { accept: 'application/json', origin: 'https://evil.example' } });
      assert.equal(foreign.json()['error'], 'invalid_csrf');
    });

    it('the challenge of this page in a browser that stole its interaction', async () => {
      const { by, page, options } = await signInPage();
      const assertion = await sign((await options()).challenge);
      const thief = browser();
      await thief.get(authorizationUrl(t));
      const own = thief.cookies.all().find(({ name }) => name === 'tandem')!;
      const csrf = /name="csrf" value="([^"]+)"/.exec((await thief.get(authorizationUrl(t))).body)![1]!;
      for (const { name, value, path } of by.cookies.all()) thief.cookies.store(new URL(page.url), [`${name}=${value}; Path=${path}`]);
      thief.cookies.store(new URL(page.url), [`tandem=${own.value}; Path=/`]);
      const answer = await thief.post(`${page.url}/passkey`, { csrf, assertion: JSON.stringify(assertion) }, { headers: { accept: 'application/json' } });
      await refused(answer, 'invalid_nonce');
    });

    it('the challenge of another request in the same browser', async () => {
      const first = await signInPage();
      const second = await signInPage({}, first.by);
      await refused(second.send(await sign((await first.options()).challenge)), 'invalid_nonce');
    });

    it('what was sent before', async () => {
      const { options, send } = await signInPage({ client_id: 'house' });
      const assertion = await sign((await options()).challenge);
      assert.equal((await send(assertion)).status, 200);
      await t.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ credential_counter: 0 });
      assert.equal((await send(assertion)).json()['error'], 'replayed');
    });

    it('a challenge used twice, even signed afresh; of 20 at once one passes', async () => {
      const { options, send } = await signInPage({ client_id: 'house' });
      const { challenge } = await options();
      const before = await signIns();
      const assertions = await Promise.all(Array.from({ length: 20 }, () => sign(challenge)));
      const answers = await Promise.all(assertions.map((assertion) => send(assertion)));
      assert.equal((await signIns()) - before, 1);
      assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    });

    it('a counter that did not move', async () => {
      const first = await signInPage();
      assert.equal((await first.send(await sign((await first.options()).challenge, { signCount: 900 }))).status, 200);
      const second = await signInPage();
      await refused(second.send(await sign((await second.options()).challenge, { signCount: 900 })), 'invalid_signature');
      await t.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ credential_counter: 0 });
    });

    it('a challenge after five minutes', async () => {
      const { options, send } = await signInPage();
      const { challenge } = await options();
      t.clock.advance(301_000);
      await refused(send(await sign(challenge)), 'invalid_nonce');
    });

    it('a challenge made up, of a phone’s nonce, or of an encoding of its own', async () => {
      const { options, send } = await signInPage();
      const { nonce } = (await phone.post('/phone/nonce', '', 'application/json')).json as { nonce: string };
      const { challenge } = await options();
      for (const made of [Buffer.alloc(32).toString('base64url'), Buffer.from(nonce).toString('base64url'), '', 'AB', `${challenge}AA`]) {
        const answer = await send(await sign(made));
        assert.ok(['invalid_nonce', 'invalid_request'].includes(String(answer.json()['error'])), answer.body);
      }
    });

    it('no user verified, another key, page, site or ceremony', async () => {
      const before = await signIns();
      const { options, send } = await signInPage();
      const bad: AuthenticatorTamper[] = [
        { userVerified: false }, { userPresent: false }, { otherKey: true }, { origin: 'https://evil.example' }, { origin: 'http://localhost:1' },
        { rpId: 'evil.example' }, { type: 'webauthn.create' }, { crossOrigin: true },
      ];
      for (const tamper of bad) await refused(send(await sign((await options()).challenge, tamper)), 'invalid_signature');
      assert.equal(await signIns(), before);
      assert.ok((await send(await sign((await options()).challenge))).json()['location'], 'an honest one passes after all that');
    });

    it('another phone’s passkey under this one’s name', async () => {
      const other = await someone();
      const { options, send } = await signInPage();
      const assertion = await sign((await options()).challenge, {}, other.phone);
      const { id } = phone.account.credential!;
      await refused(send({ ...assertion, id, rawId: id }), 'invalid_signature');
    });

    it('a passkey of no phone, of a pending one, and of an account that is gone', async () => {
      const { options, send } = await signInPage();
      const stranger = createVirtualPhone({ issuer: t.issuer, userVerifying: true });
      await stranger.authenticator.create({ rp: { name: 'x' }, user: { id: 'AA', name: 'x', displayName: 'x' }, challenge: 'AA' });
      await refused(send(await sign((await options()).challenge, {}, stranger)), 'not_found');

      const desktop = createDesktop(t);
      opened.push(desktop.browser);
      await desktop.signIn(await t.registerAccount());
      const pending = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
      await pending.enrol((await desktop.addPhone()).link);
      await refused(send(await sign((await options()).challenge, {}, pending)), 'device_pending');

      const orphan = await someone();
      await t.knex('tandem_devices').where({ id: orphan.phone.account.deviceId }).update({ account_id: 'gone' });
      await refused(send(await sign((await options()).challenge, {}, orphan.phone)), 'device_revoked');
    });

    it('rubbish, by name', async () => {
      const { by, page, send } = await signInPage();
      for (const rubbish of [null, 1, [], {}, { id: 'x' }, { id: 'x', rawId: 'x', type: 'public-key', response: {} }]) await refused(send(rubbish), 'invalid_request');
      const base = /data-passkey data-base="([^"]+)"/.exec(page.body)![1]!;
      const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)![1]!;
      const raw = (fields: Record<string, string>) => by.post(`${base}/passkey`, { csrf, ...fields }, { headers: { accept: 'application/json' } });
      await refused(raw({ assertion: '{' }), 'invalid_request');
      await refused(raw({}), 'invalid_request');
      await refused(raw({ assertion: '{}', account: 'me' }), 'invalid_request');
      const clientData = { id: 'AA', rawId: 'AA', type: 'public-key', response: { clientDataJSON: 'AA', authenticatorData: 'AA', signature: 'AA' } };
      await refused(send(clientData), 'invalid_signature');
    });
  });

  it('is not offered where the phone app is at home elsewhere', async () => {
    const elsewhere = await startTandem(database, { tandem: { phone: { origin: 'https://phone.example' } } });
    try {
      const by = browser();
      const page = await by.get(authorizationUrl(elsewhere));
      assert.match(page.body, /data-qr /);
      assert.doesNotMatch(page.body, /data-passkey/);
      const base = /data-base="([^"]+)"/.exec(page.body)![1]!;
      const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)![1]!;
      assert.equal((await by.post(`${base}/passkey/options`, { csrf })).status, 404);
    } finally {
      await elsewhere.close();
    }
  });
});
