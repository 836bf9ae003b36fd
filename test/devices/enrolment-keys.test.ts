import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { enrolling } from './enrolling.ts';
import type { DevicesHarness } from './harness.ts';

onEachDatabase('enrolling a phone', (database) => {
  let t: DevicesHarness;
  const { someone } = enrolling(database, (given) => {
    t = given;
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
      const account = someone();
      const { link } = await t.start(t.browser(account));
      const offer = await t.phone().post('/phone/enrolment/offer', JSON.stringify({ ticket: link.split('/e/1.')[1] }), 'application/json');
      const { rp, authenticatorSelection, user } = offer.json['webauthn'] as Record<string, Record<string, unknown>>;
      assert.equal(rp?.['id'], '127.0.0.1');
      assert.equal(authenticatorSelection?.['userVerification'], 'required');
      assert.equal(authenticatorSelection?.['residentKey'], 'required');
      assert.equal(user?.['name'], `${account}@example.com`);
      assert.ok(!Buffer.from(String(user?.['id']), 'base64url').toString().includes('person'), 'the handle says nothing of the person');
    });
  });
});
