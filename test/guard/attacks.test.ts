import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import { onEachDatabase } from '../support/databases.ts';
import type { TestTandem } from '../support/tandem.ts';
import { payloadOf, tokenRequest, type Person } from '../oidc/helpers.ts';
import { boundToken, CASES, createHolder, personToken, RESOURCES, serviceToken, startApi, startProvider, type Answer, type Api, type Holder } from './harness.ts';

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

onEachDatabase('attacks on a guarded API', (database) => {
  let tandem: TestTandem;
  let person: Person;
  before(async () => {
    tandem = await startProvider(database);
    person = await tandem.registerAccount();
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  function refused({ status, json, challenge }: Answer, error = 'invalid_token', what = '') {
    assert.deepEqual([status, json['error']], [401, error], what);
    assert.match(challenge!, new RegExp(`error="${error}"`));
  }

  for (const { place, format } of CASES) {
    describe(`${place}, with ${format} tokens`, () => {
      const resource = RESOURCES[format];
      let api: Api;
      before(async () => {
        api = await startApi(tandem, place, format, { '/': {}, '/strong': { acr: 'urn:tandem:acr:2' } });
      });
      after(async () => {
        await api.close();
        assert.deepEqual(api.errors, []);
      });

      it('a token of another resource, of either format, or of none', async () => {
        for (const other of [RESOURCES.other, RESOURCES.otherJwt]) refused(await api.call('/', await serviceToken(tandem, other)), 'invalid_token', other);
        refused(await api.call('/', (await personToken(tandem, person, RESOURCES.other)).access_token));
        const { json } = await tokenRequest(tandem, 'service', { grant_type: 'client_credentials' });
        refused(await api.call('/', json['access_token'] as string));
      });

      it('an ID token, a refresh token and a code in place of an access token', async () => {
        const tokens = await personToken(tandem, person, resource, { scope: 'openid read offline_access', prompt: 'consent' });
        refused(await api.call('/', tokens.id_token));
        refused(await api.call('/', tokens.refresh_token));
      });

      it('a token whose claims were changed', async () => {
        const { access_token: token } = await personToken(tandem, person, resource);
        if (format === 'opaque') return refused(await api.call('/strong', `${token}x`));
        const [header, , signature] = token.split('.');
        refused(await api.call('/strong', `${header}.${encode({ ...payloadOf(token), acr: 'urn:tandem:acr:2' })}.${signature}`));
      });

      describe('DPoP', () => {
        let holder: Holder;
        let token: string;
        before(async () => {
          holder = await createHolder(tandem.clock);
          token = await boundToken(tandem, holder, resource);
        });
        const send = (proof: string | undefined, bearer = token, path = '/') => api.call(path, bearer, { scheme: 'DPoP', headers: proof === undefined ? {} : { dpop: proof } });
        const url = (path = '/') => api.origin + path;

        it('a stolen token that is bound to a key, sent as Bearer (RFC 9449 §7.1)', async () => {
          const answers = [await api.call('/', token), await api.call('/', token, { headers: { dpop: await holder.proof('GET', url(), token) } })];
          for (const answer of answers) {
            refused(answer);
            assert.match(answer.challenge!, /^DPoP .*algs="ES256 /);
          }
        });

        it('a proof by the thief’s own key', async () => {
          const thief = await createHolder(tandem.clock);
          refused(await send(await thief.proof('GET', url(), token)));
          refused(await send(await thief.proof('GET', url(), token, { header: { jwk: holder.jwk } })), 'invalid_dpop_proof');
        });

        it('an unbound token with a proof', async () => {
          const unbound = await serviceToken(tandem, resource);
          refused(await send(await holder.proof('GET', url(), unbound), unbound));
        });

        it('a proof for another method, URL, server, token or time, and none at all', async () => {
          const now = Math.floor(tandem.clock() / 1000);
          const proofs: Record<string, string | undefined> = {
            'no proof': undefined,
            'another method': await holder.proof('POST', url(), token),
            'another path': await holder.proof('GET', url('/strong'), token),
            'another server': await holder.proof('GET', 'https://evil.example/', token),
            'the audience, where callers reach another address': await holder.proof('GET', `${resource}/`, token),
            'no URL': await holder.proof('GET', 'nothing', token),
            'another token': await holder.proof('GET', url(), `${token}x`),
            'no token': await holder.proof('GET', url()),
            'an old one': await holder.proof('GET', url(), token, { claims: { iat: now - 120 } }),
            'one from the future': await holder.proof('GET', url(), token, { claims: { iat: now + 120 } }),
            'no jti': await holder.proof('GET', url(), token, { claims: { jti: undefined } }),
            'an endless jti': await holder.proof('GET', url(), token, { claims: { jti: 'x'.repeat(300) } }),
            'another type': await holder.proof('GET', url(), token, { header: { typ: 'JWT' } }),
            'a private key': await holder.proof('GET', url(), token, { header: { jwk: await exportJWK(holder.privateKey) } }),
            'no key': await holder.proof('GET', url(), token, { header: { jwk: undefined } }),
            'rubbish': 'x.y.z',
            'no algorithm': `${encode({ alg: 'none', typ: 'dpop+jwt', jwk: holder.jwk })}.${encode({ jti: '1', htm: 'GET', htu: url(), iat: now })}.`,
          };
          for (const [what, proof] of Object.entries(proofs)) {
            const answer = await send(proof);
            refused(answer, 'invalid_dpop_proof', what);
            assert.match(answer.challenge!, /^DPoP error=/);
          }
        });

        it('two proofs', async () => {
          const lines = [`Authorization: DPoP ${token}`, `DPoP: ${await holder.proof('GET', url(), token)}`, `DPoP: ${await holder.proof('GET', url(), token)}`];
          refused(await api.raw('/', lines), 'invalid_dpop_proof');
        });

        it('a proof used again, also at the same time', async () => {
          const proof = await holder.proof('GET', url(), token);
          const answers = await Promise.all(Array.from({ length: 10 }, () => send(proof)));
          assert.equal(answers.filter(({ status }) => status === 200).length, 1);
          for (const answer of answers) if (answer.status !== 200) refused(answer, 'invalid_dpop_proof');
          refused(await send(proof), 'invalid_dpop_proof');
        });

        it('a Host header, or a target in absolute form, that would make a proof for another server fit', async () => {
          const proof = await holder.proof('GET', 'http://evil.example/', token);
          const lines = ['X-Forwarded-Host: evil.example', `Authorization: DPoP ${token}`, `DPoP: ${proof}`];
          refused(await api.raw('/', lines), 'invalid_dpop_proof');
          refused(await api.raw('http://evil.example/', lines), 'invalid_dpop_proof');
          const absolute = await api.raw('http://evil.example/', [`Authorization: DPoP ${token}`, `DPoP: ${await holder.proof('GET', url(), token)}`]);
          assert.equal(absolute.status, 200);
        });
      });

      it('text of the caller’s in a challenge', async () => {
        const nasty = ['x", error="none', 'x\\"', 'é', 'a.b.c", realm="evil', `${encode({ alg: 'ES256', kid: 'x", evil="1', typ: 'at+jwt' })}.${encode({ iss: '"evil' })}.AA`];
        for (const token of nasty) {
          const { status, challenge } = await api.raw('/', [`Authorization: Bearer ${token}`]);
          assert.ok(status === 400 || status === 401, token);
          assert.match(challenge!, /^Bearer error="[\w]+", error_description="[\x20\x21\x23-\x5b\x5d-\x7e]+"$/);
          assert.doesNotMatch(challenge!, /evil|none/);
        }
      });
    });
  }

  it('a token that has run out', async () => {
    const later = await startProvider(database);
    try {
      const somebody = await later.registerAccount();
      const apis = await Promise.all(CASES.map(async ({ place, format }) => ({ api: await startApi(later, place, format, { '/': {} }), token: (await personToken(later, somebody, RESOURCES[format])).access_token })));
      for (const { api, token } of apis) assert.equal((await api.call('/', token)).status, 200);
      later.clock.advance(3_601_000);
      for (const { api, token } of apis) refused(await api.call('/', token));
      for (const { api } of apis) await api.close();
    } finally {
      await later.close();
    }
  });

  describe('with opaque tokens', () => {
    for (const place of ['over the wire', 'in process'] as const) {
      it(`a revoked token, and one whose grant has ended, ${place}`, async () => {
        const api = await startApi(tandem, place, 'opaque', { '/': {} });
        try {
          const { access_token: token } = await personToken(tandem, person, RESOURCES.opaque);
          const ended = await personToken(tandem, person, RESOURCES.opaque, { scope: 'openid read offline_access', prompt: 'consent' });
          for (const each of [token, ended.access_token]) assert.equal((await api.call('/', each)).status, 200);
          await tokenRequest(tandem, 'rp', { token }, '/token/revocation');
          await tokenRequest(tandem, 'rp', { token: ended.refresh_token! }, '/token/revocation');
          for (const each of [token, ended.access_token]) refused(await api.call('/', each));
          // A host may end a grant and leave its tokens to themselves.
          const orphan = await personToken(tandem, person, RESOURCES.opaque);
          const { grantId } = (await tandem.provider.AccessToken.find(orphan.access_token))!;
          await (await tandem.provider.Grant.find(grantId))!.destroy();
          refused(await api.call('/', orphan.access_token));
        } finally {
          await api.close();
        }
      });
    }

    it('a client whose introspection is not for this audience learns nothing, and so lets nobody in', async () => {
      const api = await startApi(tandem, 'over the wire', 'opaque', { '/': {} }, { audience: RESOURCES.other });
      refused(await api.call('/', (await personToken(tandem, person, RESOURCES.other)).access_token));
      await api.close();
    });
  });

  describe('with JWTs', () => {
    for (const place of ['over the wire', 'in process'] as const) {
      describe(place, () => {
        let api: Api;
        let genuine: string;
        let published: { kid: string; kty: string }[];
        before(async () => {
          api = await startApi(tandem, place, 'jwt', { '/': {} });
          genuine = await serviceToken(tandem, RESOURCES.jwt);
          published = ((await (await fetch(tandem.url('/jwks'))).json()) as { keys: typeof published }).keys;
        });
        after(async () => {
          await api.close();
          assert.deepEqual(api.errors, []);
        });
        const headerOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()) as { alg: string; kid: string };

        it('no algorithm at all', async () => {
          for (const alg of ['none', 'None', 'NONE']) refused(await api.call('/', `${encode({ ...headerOf(genuine), alg })}.${genuine.split('.')[1]}.`), 'invalid_token', alg);
        });

        it('HMAC keyed with the public key', async () => {
          for (const jwk of published) {
            const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
            for (const secret of [pem, JSON.stringify(jwk)]) {
              const input = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: jwk.kid })}.${genuine.split('.')[1]}`;
              refused(await api.call('/', `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`));
            }
          }
        });

        it('a stranger’s key: under a known name, in the header, and by its address', async () => {
          const { privateKey, publicKey } = await generateKeyPair('ES256');
          const headers = [
            { kid: headerOf(genuine).kid },
            { kid: 'unknown' },
            { kid: 'unknown', jwk: await exportJWK(publicKey) },
            { kid: 'unknown', jku: 'https://evil.example/jwks' },
          ];
          for (const header of headers) refused(await api.call('/', await new SignJWT(payloadOf(genuine)).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header }).sign(privateKey)));
        });

        it('an extension that must be understood', async () => {
          const [, payload, signature] = genuine.split('.');
          refused(await api.call('/', `${encode({ ...headerOf(genuine), crit: ['b64'], b64: false })}.${payload}.${signature}`));
        });

        it('the token of another provider that has clients and resources of the same names', async () => {
          const other = await startProvider(database);
          try {
            refused(await api.call('/', await serviceToken(other, RESOURCES.jwt)));
          } finally {
            await other.close();
          }
        });
      });
    }

    it('what the provider’s own keys have signed for other ends', async () => {
      const jwk = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'own', alg: 'ES256', use: 'sig' } as const;
      const hosted = await startProvider(database, { configuration: { jwks: { keys: [jwk] } as never } });
      const key = await importJWK(jwk as never, 'ES256');
      const now = Math.floor(hosted.clock() / 1000);
      const claims = { iss: hosted.issuer, aud: RESOURCES.jwt, sub: 'service', client_id: 'service', iat: now, exp: now + 60, jti: randomUUID() };
      const sign = (change: object, typ = 'at+jwt') => new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: 'ES256', kid: 'own', typ }).sign(key);
      try {
        for (const place of ['over the wire', 'in process'] as const) {
          const api = await startApi(hosted, place, 'jwt', { '/': {} });
          assert.equal((await api.call('/', await sign({}))).status, 200, place);
          assert.equal((await api.call('/', await sign({ aud: ['x', RESOURCES.jwt] }, 'application/at+jwt'))).status, 200);
          const wrong: Array<[string, Promise<string>]> = [
            ['typ', sign({}, 'JWT')], ['iss', sign({ iss: 'https://evil.example' })], ['aud', sign({ aud: `${RESOURCES.jwt}/` })], ['no aud', sign({ aud: undefined })],
            ['exp', sign({ exp: now - 1 })], ['no exp', sign({ exp: undefined })], ['nbf', sign({ nbf: now + 60 })], ['no client', sign({ client_id: undefined })],
            ['no subject', sign({ sub: undefined })], ['no jti', sign({ jti: undefined })], ['client', sign({ client_id: 7 })], ['mTLS', sign({ cnf: { 'x5t#S256': 'x' } })], ['cnf', sign({ cnf: null })],
          ];
          for (const [what, token] of wrong) refused(await api.call('/', await token), 'invalid_token', what);
          await api.close();
        }
      } finally {
        await hosted.close();
      }
    });
  });
});
