import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import type { AuthenticatorTamper } from '../support/software-authenticator.ts';
import type { TestTandem } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { authorizationUrl } from '../oidc/helpers.ts';
import { withPasskeys } from './harness.ts';

onEachDatabase('signing in by a passkey', (database) => {
  let t: TestTandem;
  const { browser, desktop, someone, signInPage, refused } = withPasskeys(database, (given) => {
    t = given;
  });

  const signIns = async (accountId?: string) => (await t.knex('tandem_events').where({ name: 'passkey.signed_in', ...(accountId && { account_id: accountId }) })).length;
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

      const pending = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
      await pending.enrol((await (await desktop(await t.registerAccount())).addPhone()).link);
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
});
