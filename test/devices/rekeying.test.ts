import assert from 'node:assert/strict';
import { createDeviceStore } from '../../src/devices/device-store.ts';
import type { DeviceKey } from '../../src/phone/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { craft, startDevices } from './harness.ts';
import type { DevicesHarness } from './harness.ts';

onEachDatabase('a phone that lost its storage', (database) => {
  let t: DevicesHarness;
  before(async () => {
    t = await startDevices(database);
  });
  after(() => t.close());

  let count = 0;
  const someone = () => `lost-${(count += 1)}`;
  const enrolled = (account = someone()) => t.enrolled({ userVerifying: true, by: t.browser(account) });
  const rekeyed = (deviceId: string) => t.emitted.filter(({ name, payload }) => name === 'device.rekeyed' && payload.deviceId === deviceId);

  /** The body of an honest call that never arrived. */
  async function unsent(phone: VirtualPhone): Promise<string> {
    let body = '';
    phone.tamper = { only: 'rekey+jwt', body: (honest) => ((body = honest), 'lost') };
    await assert.rejects(phone.rekey(), { code: 'invalid_request' });
    phone.tamper = {};
    return body;
  }

  const send = (phone: VirtualPhone, body: string) => phone.post('/phone/rekey', body, 'application/jose+json');

  it('is its device again by its passkey, and the key it lost is worthless', async () => {
    const account = someone();
    const phone = await enrolled(account);
    const old = phone.account;
    const [device] = await t.service.list(account);
    const call = await craft(t, phone);

    const again = await phone.rekey();
    assert.equal(again.deviceId, old.deviceId);
    assert.notEqual(again.key.kid, old.key.kid);
    assert.deepEqual([again.label, again.name, again.credential], [old.label, old.name, old.credential]);
    assert.equal((await phone.status()).state, 'active');
    assert.equal((await phone.post('/phone/device', call.body)).json['error'], 'invalid_signature');
    const [after] = await t.service.list(account);
    assert.deepEqual({ ...after, lastUsedAt: 0 }, { ...device, lastUsedAt: 0 }, 'nothing else of the device has changed, its cap least of all');
    assert.equal(rekeyed(old.deviceId).length, 1);
    assert.equal(rekeyed(old.deviceId)[0]?.payload.accountId, account);

    const verified = await craft(t, phone, { assert: true });
    assert.equal((await phone.post('/phone/device', verified.body, verified.type)).status, 200);
    const ed = await t.enrolled({ userVerifying: true, algorithm: 'EdDSA', by: t.browser(someone()) });
    await ed.rekey();
    assert.equal((await ed.status()).state, 'active');
  });

  it('is offered no more than what it takes to ask for a passkey', async () => {
    const answer = await t.phone().post('/phone/rekey/offer', '', 'application/json');
    const { nonce, server_time: time, ...rest } = answer.json;
    assert.deepEqual(rest, { issuer: t.issuer, webauthn: { rpId: new URL(t.issuer).hostname, userVerification: 'required' } });
    assert.ok(typeof nonce === 'string' && typeof time === 'number');
  });

  it('stays out when its device was revoked, is pending, or its account is gone', async () => {
    const account = someone();
    const revoked = await enrolled(account);
    await t.service.revoke(account, revoked.account.deviceId, 'lost');
    await assert.rejects(revoked.rekey(), { code: 'device_revoked' });

    const pending = t.phone({ userVerifying: true });
    await pending.enrol((await t.start(t.browser(someone()))).link);
    await assert.rejects(pending.rekey(), { code: 'device_pending' });

    const orphan = await enrolled();
    await t.db.knex('tandem_devices').where({ id: orphan.account.deviceId }).update({ account_id: 'gone' });
    await assert.rejects(orphan.rekey(), { code: 'device_revoked' });
    for (const { account: { deviceId } } of [revoked, pending, orphan]) assert.deepEqual(rekeyed(deviceId), []);
  });

  it('is refused by a passkey that is of no device', async () => {
    const stranger = t.phone({ userVerifying: true });
    await stranger.authenticator.create({ rp: { name: 'x' }, user: { id: 'AA', name: 'x', displayName: 'x' }, challenge: 'AA' });
    await assert.rejects(stranger.rekey(), { code: 'not_found' });
  });

  it('needs its user verified, on the app’s own page, by the registered key', async () => {
    const phone = await enrolled();
    const bad = [
      { userVerified: false }, { userPresent: false }, { otherKey: true }, { origin: 'https://evil.example' }, { rpId: 'evil.example' },
      { type: 'webauthn.create' }, { crossOrigin: true }, { challenge: Buffer.alloc(32).toString('base64url') },
    ];
    const { deviceId, key } = phone.account;
    for (const tamper of bad) {
      phone.authenticator.tamper = tamper;
      await assert.rejects(phone.rekey(), { code: 'invalid_signature' }, JSON.stringify(tamper));
    }
    phone.authenticator.tamper = {};
    assert.deepEqual(rekeyed(deviceId), []);
    const [row] = await t.db.knex('tandem_devices').where({ id: deviceId }).select('kid');
    assert.equal(row.kid, key.kid);
  });

  it('must sign by the key that it sends, for this call, lately', async () => {
    const phone = await enrolled();
    const other = phone.strangeKey();
    const cases: Array<[VirtualPhone['tamper'], string]> = [
      [{ key: other }, 'invalid_signature'],
      [{ header: (header) => ({ ...header, kid: other.kid }) }, 'invalid_signature'],
      [{ header: (header) => ({ ...header, jwk: other.publicJwk }) }, 'invalid_signature'],
      [{ header: (header) => ({ ...header, typ: 'enrol+jwt' }) }, 'invalid_signature'],
      [{ header: (header) => ({ ...header, typ: 'qr-decision+jwt' }) }, 'invalid_signature'],
      [{ header: ({ jwk: _jwk, ...header }) => header }, 'invalid_request'],
      [{ claims: (claims) => ({ ...claims, iss: phone.account.deviceId }) }, 'invalid_signature'],
      [{ claims: (claims) => ({ ...claims, aud: 'https://evil.example' }) }, 'invalid_signature'],
      [{ claims: (claims) => ({ ...claims, exp: Number(claims['iat']) + 600 }) }, 'invalid_signature'],
      [{ claims: (claims) => ({ ...claims, nonce: 'made.up' }) }, 'invalid_nonce'],
      // Signed afresh by the new key itself, but the passkey vouched for other bytes.
      [{ claims: (claims) => ({ ...claims, extra: true }) }, 'invalid_signature'],
      [{ webauthn: () => undefined }, 'invalid_request'],
      [{ webauthn: () => ({ id: 'x' }) }, 'invalid_request'],
    ];
    for (const [tamper, code] of cases) {
      phone.tamper = { only: 'rekey+jwt', ...tamper };
      await assert.rejects(phone.rekey(), { code }, code);
    }
    phone.tamper = {};
    assert.deepEqual(rekeyed(phone.account.deviceId), []);
    await phone.rekey();
  });

  it('takes no assertion of a decision or another call for this one', async () => {
    const phone = await enrolled();
    const verified = await craft(t, phone, { assert: true });
    const { header } = JSON.parse(verified.body) as { header: { webauthn: unknown } };
    phone.tamper = { only: 'rekey+jwt', webauthn: () => header.webauthn };
    await assert.rejects(phone.rekey(), { code: 'invalid_signature' });
    phone.tamper = {};
  });

  it('cannot be played again, at once or after the next key', async () => {
    const phone = await enrolled();
    const { deviceId } = phone.account;
    const body = await unsent(phone);
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(phone, body)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    const refusals = answers.filter(({ status }) => status !== 200).map(({ json }) => json['error']);
    // A later one finds the counter moved on already, an earlier one the call made before.
    assert.deepEqual(refusals.filter((code) => code !== 'replayed' && code !== 'invalid_signature'), []);
    assert.equal(rekeyed(deviceId).length, 1);

    await phone.rekey();
    assert.notEqual((await send(phone, body)).status, 200);
    // Authenticators of synchronised passkeys do not count: there the call itself must be known.
    await t.db.knex('tandem_devices').where({ id: deviceId }).update({ credential_counter: 0 });
    assert.equal((await send(phone, body)).json['error'], 'replayed');
    assert.equal((await phone.status()).state, 'active');
  });

  it('has one key after 20 different calls at once', async () => {
    const phone = await enrolled();
    phone.authenticator.tamper = { signCount: 0 };
    await t.db.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ credential_counter: 0 });
    const bodies: string[] = [];
    for (let index = 0; index < 20; index += 1) bodies.push(await unsent(phone));
    const answers = await Promise.all(bodies.map((body) => send(phone, body)));
    const won = answers.filter(({ status }) => status === 200);
    assert.ok(won.length >= 1);
    assert.deepEqual(answers.filter(({ status }) => status !== 200).filter(({ json }) => json['error'] !== 'conflict'), []);
    assert.equal(rekeyed(phone.account.deviceId).length, won.length);
    const [row] = await t.db.knex('tandem_devices').where({ id: phone.account.deviceId }).select('kid');
    const kids = bodies.map((body) => (JSON.parse(Buffer.from((JSON.parse(body) as { protected: string }).protected, 'base64url').toString()) as { kid: string }).kid);
    assert.ok(kids.includes(row.kid as string));
  });

  it('replaces only the key that the call found', async () => {
    const phone = await enrolled();
    const store = createDeviceStore({ db: t.db, clock: t.clock });
    const found = (await store.find(phone.account.deviceId))!;
    const put = (key: DeviceKey) =>
      t.db.transaction((tx) => store.rekey(found, { kid: key.kid, algorithm: key.algorithm, publicKey: { ...key.publicJwk } }, tx));
    const [first, second] = [phone.strangeKey(), phone.strangeKey()];
    assert.equal(await put(first), true);
    assert.equal(await put(second), false, 'another call was faster');
    assert.equal(await put(first), false, 'the key is a device’s already');
    assert.equal((await store.find(found.id))?.kid, first.kid);
  });

  it('leaves the old key in force when a room cannot write down what happened', async () => {
    const phone = await enrolled();
    const call = await craft(t, phone);
    t.fail('device.rekeyed');
    await assert.rejects(phone.rekey(), { code: 'server_error' });
    t.fail(undefined);
    assert.equal((await phone.post('/phone/device', call.body)).status, 200);
  });

  it('works from the phone app’s own origin, and from no other', async () => {
    const origin = 'https://phone.example';
    const apart = await startDevices(database, { phoneOrigin: origin });
    try {
      const phone = await apart.enrolled({ userVerifying: true, origin, by: apart.browser('away') });
      assert.equal((await phone.rekey()).credential?.rpId, 'phone.example');
      phone.authenticator.tamper = { origin: apart.issuer };
      await assert.rejects(phone.rekey(), { code: 'invalid_signature' });
      for (const [from, allowed] of [[origin, origin], ['https://evil.example', null]] as const) {
        const answer = await fetch(`${apart.issuer}/phone/rekey/offer`, { method: 'POST', headers: { origin: from } });
        assert.equal(answer.headers.get('access-control-allow-origin'), allowed);
      }
    } finally {
      await apart.close();
    }
  });

  it('finds each passkey to be of one device: nobody registers another’s', async () => {
    const victim = await enrolled();
    const thief = t.phone({ userVerifying: true });
    const made = thief.authenticator.create.bind(thief.authenticator);
    const { link } = await t.start(t.browser(someone()));
    thief.authenticator.create = async (options) => {
      const registration = (await made(options))!;
      const id = victim.account.credential!.id;
      const object = Buffer.from(registration.response.attestationObject, 'base64url');
      const at = object.indexOf(Buffer.from(registration.id, 'base64url'));
      Buffer.from(id, 'base64url').copy(object, at);
      return { ...registration, id, rawId: id, response: { ...registration.response, attestationObject: object.toString('base64url') } };
    };
    await assert.rejects(thief.enrol(link), { code: 'conflict' });
    await victim.rekey();
  });
});
