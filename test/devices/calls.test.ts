import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createNonces } from '../../src/devices/nonce.ts';
import { randomToken } from '../../src/lib/crypto.ts';
import { createKeyRing } from '../../src/lib/key-ring.ts';
import { onEachDatabase } from '../support/databases.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { craft, startDevices } from './harness.ts';
import type { Crafted, DevicesHarness } from './harness.ts';

onEachDatabase('calls that phones sign', (database) => {
  let t: DevicesHarness;
  let phone: VirtualPhone;
  before(async () => {
    t = await startDevices(database);
    phone = await t.enrolled({ userVerifying: true, by: t.browser('carol') });
  });
  after(() => t.close());

  /** Sends a crafted call to `POST /phone/device`. */
  async function call(crafted: Crafted = {}, by = phone) {
    const { body, type } = await craft(t, by, crafted);
    return await by.post('/phone/device', body, type);
  }

  async function refused(crafted: Crafted, error: string, by = phone) {
    const answer = await call(crafted, by);
    assert.equal(answer.json['error'], error, JSON.stringify(answer.json));
    assert.ok(answer.status >= 400 && answer.status < 500);
  }

  it('answers an honest call, by either algorithm', async () => {
    const answer = await call();
    assert.equal(answer.status, 200, JSON.stringify(answer.json));
    assert.deepEqual(answer.json, {
      device_id: phone.account.deviceId, state: 'active', account: { label: 'carol@example.com' }, name: 'Virtual phone', user_verifying: true,
    });
    const ed = await t.enrolled({ algorithm: 'EdDSA', by: t.browser('dave') });
    assert.equal((await call({}, ed)).status, 200);
  });

  describe('forged', () => {
    it('by another key', async () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      await refused({ sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }) }, 'invalid_signature');
    });

    it('under the kid of another device', async () => {
      const other = await t.enrolled({ by: t.browser('erin') });
      await refused({ header: { kid: other.account.key.kid } }, 'invalid_signature');
      await refused({ claims: { iss: other.account.deviceId } }, 'invalid_signature');
      await refused({ header: { kid: 'A'.repeat(43) } }, 'invalid_signature');
    });

    it('by changing a signed call', async () => {
      const { body } = await craft(t, phone);
      const [header, payload = '', signature] = body.split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
      const changed = Buffer.from(JSON.stringify({ ...claims, extra: true })).toString('base64url');
      const answer = await phone.post('/phone/device', `${header}.${changed}.${signature}`);
      assert.equal(answer.json['error'], 'invalid_signature');
    });

    it('by another algorithm than that of enrolment', async () => {
      const secret = JSON.stringify(phone.account.key.publicJwk);
      for (const alg of ['HS256', 'none', 'ES384', 'EdDSA', 'RS256', 'es256']) {
        await refused({ header: { alg }, sign: (data) => createHmac('sha256', secret).update(data).digest() }, 'invalid_signature');
        await refused({ header: { alg } }, 'invalid_signature');
      }
      const { body } = await craft(t, phone, { header: { alg: 'none' } });
      const unsigned = await phone.post('/phone/device', `${body.split('.').slice(0, 2).join('.')}.`);
      assert.equal(unsigned.json['error'], 'invalid_request');
      const ed = await t.enrolled({ algorithm: 'EdDSA', by: t.browser('frank') });
      await refused({ header: { alg: 'ES256' } }, 'invalid_signature', ed);
      await refused({ header: { alg: 'Ed25519' } }, 'invalid_signature', ed);
    });

    it('by a key that it brings itself', async () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const own = (data: Buffer) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      await refused({ header: { jwk: publicKey.export({ format: 'jwk' }) }, sign: own }, 'invalid_request');
      await refused({ header: { jku: 'https://evil.example/jwks' }, sign: own }, 'invalid_request');
      await refused({ header: { crit: ['exp'] } }, 'invalid_request');
    });
  });

  describe('made for something else', () => {
    for (const typ of ['qr-claim+jwt', 'enrol+jwt', 'device-retire+jwt', 'JWT', '']) {
      it(`as typ ${JSON.stringify(typ)}`, () => refused({ typ }, 'invalid_signature'));
    }

    it('to another audience', async () => {
      for (const aud of ['https://evil.example', `${t.issuer}/`, t.issuer.toUpperCase()]) await refused({ claims: { aud } }, 'invalid_signature');
      for (const aud of [[t.issuer], null, undefined]) await refused({ claims: { aud } }, 'invalid_request');
    });
  });

  describe('at another time', () => {
    const now = () => Math.floor(t.clock() / 1000);

    it('expired, or valid for longer than a minute, or from the future', async () => {
      await refused({ claims: { iat: now() - 100, exp: now() - 40 } }, 'clock_skew');
      await refused({ claims: { exp: now() + 61 } }, 'invalid_signature');
      await refused({ claims: { iat: now() + 60, exp: now() + 120 } }, 'clock_skew');
      await refused({ claims: { iat: now(), exp: now() } }, 'invalid_signature');
      for (const exp of ['soon', null, undefined, now() + 0.5, 1e300]) await refused({ claims: { exp } }, 'invalid_request');
    });

    it('with a clock that is a little off', async () => {
      assert.equal((await call({ claims: { iat: now() + 5, exp: now() + 65 } })).status, 200);
    });

    it('with a nonce that is stale, foreign, changed or none', async () => {
      const { nonce } = (await phone.post('/phone/nonce', '', 'application/json')).json as { nonce: string };
      t.advance(121_000);
      await refused({ claims: { nonce } }, 'invalid_nonce');
      const fresh = (await phone.post('/phone/nonce', '', 'application/json')).json['nonce'] as string;
      const mine = { issuer: t.issuer, clock: t.clock, keyRing: createKeyRing([randomToken()]) };
      await refused({ claims: { nonce: createNonces(mine).issue().nonce } }, 'invalid_nonce');
      await refused({ claims: { nonce: `${(now() + 9).toString(36)}${fresh.slice(fresh.indexOf('.'))}` } }, 'invalid_nonce');
      for (const bad of ['', '.', 'x', `${fresh}x`, fresh.slice(0, -1)]) await refused({ claims: { nonce: bad } }, 'invalid_nonce');
      await refused({ claims: { nonce: undefined } }, 'invalid_request');
      assert.equal((await call({ claims: { nonce: fresh } })).status, 200);
    });
  });

  describe('replayed', () => {
    it('are refused, also with the jti in another call', async () => {
      const { body } = await craft(t, phone);
      assert.equal((await phone.post('/phone/device', body)).status, 200);
      assert.equal((await phone.post('/phone/device', body)).json['error'], 'replayed');
      const jti = randomToken(16);
      assert.equal((await call({ claims: { jti } })).status, 200);
      await refused({ claims: { jti } }, 'replayed');
    });

    it('win once of 100 at the same time', async () => {
      const { body } = await craft(t, phone);
      const answers = await Promise.all(Array.from({ length: 100 }, () => phone.post('/phone/device', body)));
      assert.equal(answers.filter(({ status }) => status === 200).length, 1);
      assert.deepEqual(new Set(answers.map(({ json }) => json['error'])), new Set([undefined, 'replayed']));
    });

    it('may use the jti of another device, and ids that differ in case alone', async () => {
      const jti = `a${randomToken(16)}`;
      const other = await t.enrolled({ by: t.browser('grace') });
      assert.equal((await call({ claims: { jti } })).status, 200);
      assert.equal((await call({ claims: { jti } }, other)).status, 200);
      assert.equal((await call({ claims: { jti: `A${jti.slice(1)}` } })).status, 200);
    });

    it('need a jti that cannot be guessed', async () => {
      for (const jti of ['1', 'x'.repeat(21), 'x'.repeat(129), 'with space but long enough', undefined]) await refused({ claims: { jti } }, 'invalid_request');
    });

    it('are forgotten once nobody could accept them any more', async () => {
      await call();
      t.advance(5 * 60_000);
      assert.ok((await t.service.sweep()) > 0);
      assert.equal((await t.db.knex('tandem_device_calls').select()).length, 0);
    });
  });

  describe('that are no signed call', () => {
    for (const body of ['', 'x', 'a.b', 'a.b.c', '{}', '{"protected":"e30","payload":"e30","signature":"e30"}', '{"protected":', '....', 'e30.e30.e30', `${'A'.repeat(50)}.e30.e30`, 'bnVsbA.bnVsbA.bnVsbA']) {
      it(JSON.stringify(body.slice(0, 60)), async () => {
        const answer = await phone.post('/phone/device', body);
        assert.equal(answer.json['error'], 'invalid_request');
        assert.equal(answer.status, 400);
      });
    }

    it('in another content type', async () => {
      const { body } = await craft(t, phone);
      assert.equal((await phone.post('/phone/device', body, 'application/json')).status, 415);
    });
  });

  describe('of a device that may not', () => {
    it('pending', async () => {
      const waiting = t.phone();
      const { link } = await t.start(t.browser('heidi'));
      await waiting.enrol(link);
      const { body } = await craft(t, waiting, { typ: 'qr-claim+jwt' });
      await assert.rejects(t.service.verify(body, { typ: 'qr-claim+jwt' }), { code: 'device_pending' });
      assert.equal(await t.service.usable(waiting.account.deviceId), undefined);
    });

    it('revoked', async () => {
      const lost = await t.enrolled({ by: t.browser('ivan') });
      await t.service.revoke('ivan', lost.account.deviceId, 'lost');
      const { body } = await craft(t, lost, { typ: 'qr-claim+jwt' });
      await assert.rejects(t.service.verify(body, { typ: 'qr-claim+jwt' }), { code: 'device_revoked' });
      assert.equal(await t.service.usable(lost.account.deviceId), undefined);
      assert.equal((await lost.status()).state, 'revoked');
    });
  });

  describe('with a nonce of the caller', () => {
    const verify = async (claimed: string, nonce: Parameters<DevicesHarness['service']['verify']>[1]['nonce']) => {
      const { body } = await craft(t, phone, { typ: 'qr-decision+jwt', claims: { nonce: claimed, tx: 'T' } });
      return await t.service.verify(body, { typ: 'qr-decision+jwt', ...(nonce !== undefined && { nonce }) });
    };

    it('match it, or what the claims lead to', async () => {
      assert.equal((await verify('challenge', 'challenge')).claims['tx'], 'T');
      assert.equal((await verify('challenge-T', (claims) => `challenge-${String(claims['tx'])}`)).userVerified, false);
    });

    it('are refused when it is another', async () => {
      await assert.rejects(verify('challenge', 'other'), { code: 'invalid_nonce' });
      await assert.rejects(verify('challenge', () => 'other'), { code: 'invalid_nonce' });
      await assert.rejects(verify('challenge', undefined), { code: 'invalid_nonce' });
    });
  });

  describe('with a WebAuthn assertion', () => {
    afterEach(() => {
      phone.authenticator.tamper = {};
    });
    const verify = async (crafted: Crafted = {}, by = phone) => {
      const { body } = await craft(t, by, { typ: 'qr-decision+jwt', assert: true, ...crafted });
      return await t.service.verify(body, { typ: 'qr-decision+jwt' });
    };

    it('count as user-verified, and are kept as received', async () => {
      const { body } = await craft(t, phone, { typ: 'qr-decision+jwt', assert: true });
      const { userVerified, device, jws } = await t.service.verify(body, { typ: 'qr-decision+jwt' });
      assert.deepEqual([userVerified, device.id, jws], [true, phone.account.deviceId, body]);
      assert.equal((await verify({ assert: false })).userVerified, false);
    });

    for (const [what, tamper] of Object.entries({
      'another origin': { origin: 'https://evil.example' },
      'another port': { origin: 'http://127.0.0.1:1' },
      'another rpId': { rpId: 'evil.example' },
      'another challenge': { challenge: 'AAAA' },
      'a frame of another site': { crossOrigin: true },
      'a registration': { type: 'webauthn.create' },
      'nobody present': { userPresent: false },
      'an unverified user': { userVerified: false },
      'another key': { otherKey: true },
    })) {
      it(`are refused for ${what}`, async () => {
        phone.authenticator.tamper = tamper;
        await assert.rejects(verify(), { code: 'invalid_signature' });
      });
    }

    it('are refused on another call than the one they were made for', async () => {
      const first = JSON.parse((await craft(t, phone, { typ: 'qr-decision+jwt', assert: true })).body) as { header: object };
      const second = JSON.parse((await craft(t, phone, { typ: 'qr-decision+jwt', assert: true })).body) as object;
      const moved = JSON.stringify({ ...second, header: first.header });
      await assert.rejects(t.service.verify(moved, { typ: 'qr-decision+jwt' }), { code: 'invalid_signature' });
    });

    it('are refused when their counter does not move on', async () => {
      phone.authenticator.tamper = { signCount: 1000 };
      await verify();
      await assert.rejects(verify(), { code: 'invalid_signature' });
      phone.authenticator.tamper = { signCount: 999 };
      await assert.rejects(verify(), { code: 'invalid_signature' });
      phone.authenticator.tamper = { signCount: 0 };
      await assert.rejects(verify(), { code: 'invalid_signature' });
      phone.authenticator.tamper = { signCount: 1001 };
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => verify()));
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
      // The authenticator itself goes on from where it is.
      await t.db.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ credential_counter: 0 });
    });

    it('may come from an authenticator that never counts', async () => {
      const synced = await t.enrolled({ userVerifying: true, by: t.browser('judy') });
      synced.authenticator.tamper = { signCount: 0 };
      assert.equal((await verify({}, synced)).userVerified, true);
      assert.equal((await verify({}, synced)).userVerified, true);
    });

    it('are refused of a device that has no such key, or another', async () => {
      const plain = await t.enrolled({ by: t.browser('ken') });
      const { header } = JSON.parse((await craft(t, phone, { assert: true })).body) as { header: object };
      const { body } = await craft(t, plain, { typ: 'qr-decision+jwt' });
      const [protectedHeader, payload, signature] = body.split('.');
      const flattened = JSON.stringify({ protected: protectedHeader, payload, signature, header });
      await assert.rejects(t.service.verify(flattened, { typ: 'qr-decision+jwt' }), { code: 'invalid_signature' });
    });

    it('are refused when they are none', async () => {
      for (const webauthn of [null, 'x', {}, { id: 'x', rawId: 'x', type: 'public-key', response: {} }]) {
        const [protectedHeader, payload, signature] = (await craft(t, phone)).body.split('.');
        const body = JSON.stringify({ protected: protectedHeader, payload, signature, header: { webauthn } });
        const answer = await phone.post('/phone/device', body, 'application/jose+json');
        assert.equal(answer.json['error'], 'invalid_request');
      }
    });
  });
});
