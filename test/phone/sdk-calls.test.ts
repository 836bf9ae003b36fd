import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, flattenedVerify, importJWK, type FlattenedJWS, type JWK } from 'jose';
import { createPhone, memoryKeyStore, parseCode, parseLink, readRequest, type EnrolmentLink, type OpaqueKey, type PhoneError } from '../../src/phone/index.ts';
import { createSoftwareAuthenticator } from '../support/software-authenticator.ts';
import { code, scriptedServer, TICKET, TX, type Answer } from './scripted-server.ts';

describe('the phone SDK: calls', () => {
  const { script, request, enrolled, frame, last, payload } = scriptedServer();

  it('enrols with a non-extractable key, and a signature that an independent library verifies', async () => {
    const store = memoryKeyStore();
    const account = await enrolled(createPhone({ store }));
    assert.equal((account.key.handle as OpaqueKey).extractable, false);
    assert.deepEqual(await store.list(), [account]);
    assert.deepEqual([account.state, account.label, account.credential], ['pending', 'ada@example.com', undefined]);

    const { body, contentType } = last('/phone/enrolment');
    assert.equal(contentType, 'application/jose');
    const header = decodeProtectedHeader(body);
    assert.deepEqual(header, { alg: 'ES256', typ: 'enrol+jwt', kid: account.key.kid, jwk: account.key.publicJwk });
    await compactVerify(body, await importJWK(header.jwk as JWK, 'ES256'));
    const claims = payload('/phone/enrolment');
    assert.deepEqual([claims['iss'], claims['aud'], claims['ticket'], claims['name']], [account.key.kid, script.issuer, TICKET, 'Ada’s phone']);
    assert.equal(Number(claims['exp']) - Number(claims['iat']), 60);
    assert.equal(Buffer.from(String(claims['jti']), 'base64url').length, 16);
  });

  it('keeps the user-verifying credential only where the server accepted it', async () => {
    const verifier = createSoftwareAuthenticator(script.issuer);
    const account = await enrolled(createPhone({ verifier }));
    assert.equal(account.credential?.rpId, 'localhost');
    assert.equal(last('/phone/enrolment').contentType, 'application/jose+json');

    script.answers['/phone/enrolment'] = () => ({ json: { device_id: 'device-2', confirm_code: '1', expires_in: 1, user_verifying: false } });
    assert.equal((await enrolled(createPhone({ verifier }))).credential, undefined);
  });

  it('corrects its clock by the server’s', async () => {
    script.ahead = 3_600_000;
    await enrolled(createPhone());
    const difference = Number(payload('/phone/enrolment')['iat']) - (Date.now() + script.ahead) / 1000;
    assert(Math.abs(difference) < 5, `iat is ${difference} s off`);
  });

  it('signs the hash of the very bytes that it was shown, with the challenge as nonce', async () => {
    // A space that JSON.stringify would not write: re-serialised, the hash would be another.
    const bytes = Buffer.from(Buffer.from(request(), 'base64url').toString().replace('"v":1', '"v" : 1'));
    script.answers['/phone/transactions/claim'] = () => ({ json: { tx: TX, challenge: 'the-challenge', request: bytes.toString('base64url'), expires_in: 9 } });
    const phone = createPhone();
    const claimed = await phone.claim(await enrolled(phone), frame());
    const decided = await phone.decide(claimed, 'approve');
    assert.deepEqual(decided, { state: 'approved', confirmCode: '654321', expiresIn: 100 });
    const { nonce, tx, client_id: clientId, request_hash: hash, decision } = payload('/phone/transactions/decision');
    assert.deepEqual([nonce, tx, clientId, decision], ['the-challenge', TX, 'rp', 'approve']);
    assert.equal(hash, createHash('sha256').update(bytes).digest('base64url'));
  });

  it('never uses a jti twice', async () => {
    const phone = createPhone();
    const account = await enrolled(phone);
    const seen = new Set<unknown>();
    for (let i = 0; i < 20; i++) {
      await phone.claim(account, frame());
      seen.add(payload('/phone/transactions/claim')['jti']);
    }
    assert.equal(seen.size, 20);
  });

  it('verifies the user for level 2, over the digest of what it signs', async () => {
    script.answers['/phone/transactions/claim'] = () => ({ json: { tx: TX, challenge: 'c', request: request({ level: '2' }), expires_in: 9 } });
    const phone = createPhone({ verifier: createSoftwareAuthenticator(script.issuer) });
    const account = await enrolled(phone);
    await phone.decide(await phone.claim(account, frame()), 'approve');

    const { body, contentType } = last('/phone/transactions/decision');
    assert.equal(contentType, 'application/jose+json');
    const jws = JSON.parse(body) as FlattenedJWS & { protected: string; header: { webauthn: { response: { clientDataJSON: string } } } };
    await flattenedVerify(jws, await importJWK(account.key.publicJwk as JWK, 'ES256'));
    const client = JSON.parse(Buffer.from(jws.header.webauthn.response.clientDataJSON, 'base64url').toString()) as { challenge: string };
    assert.equal(client.challenge, createHash('sha256').update(`${jws.protected}.${jws.payload}`).digest('base64url'));
  });

  it('denies at level 2 with the presence key alone', async () => {
    script.answers['/phone/transactions/claim'] = () => ({ json: { tx: TX, challenge: 'c', request: request({ level: '2' }), expires_in: 9 } });
    script.answers['/phone/transactions/decision'] = () => ({ json: { state: 'denied' } });
    const phone = createPhone();
    const claimed = await phone.claim(await enrolled(phone), frame());
    await assert.rejects(phone.decide(claimed, 'approve'), code('uv_required'));
    assert.deepEqual(await phone.decide(claimed, 'deny'), { state: 'denied', confirmCode: undefined, expiresIn: undefined });
    assert.equal(last('/phone/transactions/decision').contentType, 'application/jose');
  });

  it('takes a new nonce once when the server refuses the one it has', async () => {
    const phone = createPhone();
    const account = await enrolled(phone);
    let refusals = 0;
    script.answers['/phone/transactions/claim'] = () =>
      refusals++ === 0
        ? { status: 401, json: { error: 'invalid_nonce', error_description: 'old' } }
        : { json: { tx: TX, challenge: 'c', request: request(), expires_in: 9 } };
    await phone.claim(account, frame());
    assert.equal(payload('/phone/transactions/claim')['nonce'], 'nonce-2');

    script.answers['/phone/transactions/claim'] = () => ({ status: 401, json: { error: 'invalid_nonce' } });
    await assert.rejects(phone.claim(account, frame()), code('invalid_nonce'));
    assert.equal(script.nonces, 3);
  });

  it('reads the server’s clock once more when its own has been put forward or back', async () => {
    let jump = 0;
    const phone = createPhone({ clock: () => Date.now() + jump });
    const account = await enrolled(phone);
    const onTime = (path: string, json: object) => (): Answer =>
      Math.abs(Number(payload(path)['iat']) - Date.now() / 1000) < 10 ? { json } : { status: 401, json: { error: 'clock_skew' } };
    script.answers['/phone/transactions/claim'] = onTime('/phone/transactions/claim', { tx: TX, challenge: 'c', request: request(), expires_in: 9 });
    script.answers['/phone/transactions/decision'] = onTime('/phone/transactions/decision', { state: 'confirmed' });
    for (const hours of [1, -2]) {
      jump = hours * 3_600_000;
      const claimed = await phone.claim(account, frame());
      jump = -jump;
      assert.equal((await phone.decide(claimed, 'approve')).state, 'confirmed');
    }

    script.answers['/phone/transactions/claim'] = () => ({ status: 401, json: { error: 'clock_skew' } });
    const before = script.received.length;
    await assert.rejects(phone.claim(account, frame()), code('clock_skew'));
    assert.deepEqual(script.received.slice(before).map(({ path }) => path), ['/phone/transactions/claim', '/phone/nonce', '/phone/transactions/claim']);
  });

  it('tries a stale link that was opened once more with the ticket', async () => {
    const phone = createPhone();
    const account = await enrolled(phone);
    script.answers['/phone/transactions/claim'] = () =>
      'mac' in payload('/phone/transactions/claim')
        ? { status: 410, json: { error: 'frame_stale' } }
        : { json: { tx: TX, challenge: 'c', request: request(), expires_in: 9 } };
    await assert.rejects(phone.claim(account, frame()), code('frame_stale'));
    const { tx } = await phone.claim(account, frame(), { ticket: true });
    assert.equal(tx, TX);
    const { n, mac, user_code: userCode } = payload('/phone/transactions/claim');
    assert.deepEqual([n, mac, userCode], [undefined, undefined, undefined]);
  });

  it('claims by a typed code', async () => {
    const phone = createPhone();
    await phone.claim(await enrolled(phone), parseCode('bcdf-ghjk'));
    const { user_code: userCode, tx } = payload('/phone/transactions/claim');
    assert.deepEqual([userCode, tx], ['BCDFGHJK', undefined]);
  });

  it('shows no key to another issuer', async () => {
    const phone = createPhone();
    const account = await enrolled(phone);
    const calls = script.received.length;
    await assert.rejects(phone.claim(account, { ...frame(), issuer: 'https://evil.example' }), code('unknown_issuer'));
    assert.equal(script.received.length, calls);
  });

  for (const [what, changes] of Object.entries({
    'another version': { v: 2 },
    'another issuer': { issuer: 'https://evil.example' },
    'another transaction': { tx: 'AAAAAAAAAAAAAAAAAAAAAA' },
    'no client': { client: undefined },
    'an unknown level': { level: '3' },
  })) {
    it(`refuses to show a request of ${what}`, async () => {
      const phone = createPhone();
      const account = await enrolled(phone);
      script.answers['/phone/transactions/claim'] = () => ({ json: { tx: TX, challenge: 'c', request: request(changes), expires_in: 9 } });
      await assert.rejects(phone.claim(account, frame()), code('invalid_answer'));
    });
  }

  it('refuses a request that is not JSON in base64url', () => {
    for (const encoded of ['', '!!!', Buffer.from('nope').toString('base64url'), Buffer.from('null').toString('base64url'), Buffer.from([0xff, 0xfe]).toString('base64url')]) {
      assert.throws(() => readRequest(encoded, { issuer: script.issuer }), code('invalid_answer'), encoded);
    }
  });

  it('tells the wire’s code, its description and when to try again', async () => {
    script.answers['/phone/enrolment/offer'] = () => ({
      status: 429,
      headers: { 'retry-after': '17' },
      json: { error: 'rate_limited', error_description: 'too many', hint: 'x' },
    });
    await assert.rejects(enrolled(createPhone()), (error: PhoneError) => {
      assert.deepEqual([error.code, error.status, error.retryAfter, error.message, error.extra], ['rate_limited', 429, 17, 'too many', { hint: 'x' }]);
      return true;
    });
  });

  it('tells a server that is down from one that is not ours', async () => {
    script.answers['/phone/enrolment/offer'] = () => ({ status: 502, json: '<html>' });
    await assert.rejects(enrolled(createPhone()), code('temporarily_unavailable'));
    script.answers['/phone/enrolment/offer'] = () => ({ status: 200, json: '<html>' });
    await assert.rejects(enrolled(createPhone()), code('invalid_answer'));
    const elsewhere = parseLink(`http://localhost:1/e/1.${TICKET}`) as EnrolmentLink;
    await assert.rejects(createPhone().offer(elsewhere), code('unreachable'));
  });

  it('keeps up with the server’s word on the device, and forgets it when revoked', async () => {
    const store = memoryKeyStore();
    const phone = createPhone({ store });
    const account = await enrolled(phone);
    script.answers['/phone/device'] = () => ({ json: { device_id: 'device-1', state: 'active', account: { label: 'new@example.com' }, name: 'Renamed', user_verifying: false } });
    await phone.status(account);
    assert.deepEqual((await store.list()).map(({ state, label, name }) => [state, label, name]), [['active', 'new@example.com', 'Renamed']]);

    script.answers['/phone/device'] = () => ({ status: 403, json: { error: 'device_revoked' } });
    assert.equal((await phone.status(account)).state, 'revoked');
    assert.deepEqual(await store.list(), []);
  });

  it('retires, also where the server has already forgotten it, but not where it could not be told', async () => {
    const store = memoryKeyStore();
    const phone = createPhone({ store });
    const account = await enrolled(phone);
    script.answers['/phone/device/retire'] = () => ({ status: 503, json: { error: 'temporarily_unavailable' } });
    await assert.rejects(phone.retire(account), code('temporarily_unavailable'));
    assert.equal((await store.list()).length, 1);
    script.answers['/phone/device/retire'] = () => ({ status: 403, json: { error: 'device_revoked' } });
    await phone.retire(account);
    assert.deepEqual(await store.list(), []);
  });
});
