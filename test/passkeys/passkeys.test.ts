import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { CALLBACK, startTandem, type TestTandem } from '../support/tandem.ts';
import { answerOf, authorizationUrl, payloadOf, pkce, tokenRequest, typePassword, type Person } from '../oidc/helpers.ts';
import { withPasskeys } from './harness.ts';

onEachDatabase('signing in by a passkey', (database) => {
  let t: TestTandem;
  const { browser, someone, button, signInPage, refused } = withPasskeys(database, (given) => {
    t = given;
  });

  async function idToken(code: string | null, verifier: string, clientId = 'rp') {
    assert.ok(code);
    const { json } = await tokenRequest(t, clientId, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier });
    return payloadOf(json['id_token']);
  }

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
    // A request that is faster than the end of the session ends it itself, and is denied.
    const first = (await silently()).get('error');
    assert.equal(first === 'access_denied' ? (await silently()).get('error') : first, 'login_required');
    await refused((await signInPage()).press(phone), 'device_revoked');
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
