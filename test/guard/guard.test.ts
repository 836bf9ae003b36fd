import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import type { TestTandem } from '../support/tandem.ts';
import { payloadOf, tokenRequest, type Person } from '../oidc/helpers.ts';
import { boundToken, CASES, createHolder, personToken, RESOURCES, serviceToken, startApi, startProvider, type Api } from './harness.ts';

onEachDatabase('a guarded API', (database) => {
  let tandem: TestTandem;
  let person: Person;
  before(async () => {
    tandem = await startProvider(database);
    person = await tandem.registerAccount();
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  for (const { place, format } of CASES) {
    describe(`${place}, with ${format} tokens`, () => {
      const resource = RESOURCES[format];
      let api: Api;
      before(async () => {
        api = await startApi(tandem, place, format, {
          '/': {},
          '/notes': { scopes: ['read'], realm: 'notes' },
          '/both': { scopes: ['read', 'write'] },
          '/strong': { scopes: ['read'], acr: 'urn:tandem:acr:2', maxAge: 300 },
          '/any': { acr: ['urn:example:gold', 'urn:tandem:acr:1'] },
        });
      });
      after(() => api.close());

      it('lets in who bears a token for it, and tells the route who that is', async () => {
        const { access_token: token, id_token: idToken } = await personToken(tandem, person, resource);
        const { status, json } = await api.call('/notes', token);
        const claims = payloadOf(idToken);
        assert.equal(status, 200);
        const { expiresAt, accountId, ...rest } = json;
        assert.deepEqual(rest, { subject: claims['sub'], clientId: 'rp', scopes: ['read'], acr: 'urn:tandem:acr:1', amr: ['pwd'], authTime: claims['auth_time'] });
        assert.ok((expiresAt as number) * 1000 > tandem.clock());
        assert.equal(accountId, place === 'in process' ? person.accountId : undefined);
      });

      it('lets in a client that acts for itself, which is nobody’s account', async () => {
        const { status, json } = await api.call('/notes', await serviceToken(tandem, resource));
        const { expiresAt: _, ...rest } = json;
        assert.equal(status, 200);
        assert.deepEqual(rest, { clientId: 'service', scopes: ['read'], amr: [] });
      });

      it('takes the name of the scheme in any case (RFC 7235 §2.1)', async () => {
        assert.equal((await api.call('/notes', await serviceToken(tandem, resource), { scheme: 'bEARER' })).status, 200);
      });

      it('tells who sends no token where to begin, and no error', async () => {
        for (const headers of [{}, { authorization: 'Basic cnA6c2VjcmV0' }] as Array<Record<string, string>>) {
          const { status, challenge, json, headers: sent } = await api.call('/notes', undefined, { headers });
          assert.equal(status, 401);
          assert.match(challenge!, /^Bearer realm="notes", scope="read", DPoP realm="notes", algs="ES256 /);
          assert.doesNotMatch(challenge!, /error/);
          assert.equal(json['error'], 'missing_token');
          assert.equal(sent.get('cache-control'), 'no-store');
        }
      });

      it('names the scopes where one is lacking', async () => {
        const { status, challenge, json } = await api.call('/both', (await personToken(tandem, person, resource)).access_token);
        assert.equal(status, 403);
        assert.equal(challenge, 'Bearer error="insufficient_scope", error_description="the access token lacks a scope", scope="read write"');
        assert.deepEqual(json, { error: 'insufficient_scope', error_description: 'the access token lacks a scope' });
      });

      it('asks for a stronger sign-in in the words of RFC 9470', async () => {
        for (const token of [(await personToken(tandem, person, resource)).access_token, await serviceToken(tandem, resource)]) {
          const { status, challenge, json } = await api.call('/strong', token);
          assert.equal(status, 401);
          assert.equal(challenge, 'Bearer error="insufficient_user_authentication", error_description="a stronger sign-in is needed", scope="read", acr_values="urn:tandem:acr:2", max_age="300"');
          assert.equal(json['error'], 'insufficient_user_authentication');
        }
      });

      it('is content with any of several classes', async () => {
        assert.equal((await api.call('/any', (await personToken(tandem, person, resource)).access_token)).status, 200);
      });

      it('refuses what is no token of the provider’s', async () => {
        for (const token of ['abc', 'a.b.c', 'e30.e30.', '..', 'a.b.c.d.e', '~', 'x'.repeat(4000)]) {
          const { status, challenge, json } = await api.call('/notes', token);
          assert.equal(status, 401, token);
          assert.match(challenge!, /^Bearer realm="notes", error="invalid_token", error_description="[^"\\]+"$/);
          assert.equal(json['error'], 'invalid_token');
        }
      });

      it('refuses what is malformed, and tokens in a query or a form (RFC 6750 §2, RFC 9700 §4.3.2)', async () => {
        const token = await serviceToken(tandem, resource);
        const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
        const answers = [
          await api.call(`/notes?access_token=${token}`),
          await api.call(`/notes?access_token=${token}`, token),
          await api.call('/notes', ''),
          await api.call('/notes', `${token} ${token}`),
          await api.call('/notes', `"${token}"`),
          await api.call('/notes', `${token}, Bearer ${token}`),
          await api.raw('/notes', [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`]),
          await api.raw('/notes', ['Authorization: Basic cnA6c2VjcmV0', `Authorization: Bearer ${token}`]),
          await fetch(`${api.origin}/notes`, { ...form, body: `access_token=${token}` }).then(async (response) => ({ status: response.status, json: (await response.json()) as Record<string, unknown> })),
        ];
        for (const [index, { status, json }] of answers.entries()) assert.deepEqual([status, json['error']], [400, 'invalid_request'], String(index));
      });

      it('takes a token that is bound to a key, with the proof of a stock client', async () => {
        const holder = await createHolder(tandem.clock);
        const token = await boundToken(tandem, holder, resource);
        const stock = oauth.DPoP({}, holder.keys);
        const response = await oauth.protectedResourceRequest(token, 'GET', new URL(`${api.origin}/notes?page=2`), undefined, null, { DPoP: stock, [oauth.allowInsecureRequests]: true });
        assert.equal(response.status, 200);
        assert.equal(((await response.json()) as { clientId: string }).clientId, 'service');
      });

      it('is read by a stock client where it refuses', async () => {
        const token = (await personToken(tandem, person, resource)).access_token;
        const asked = oauth.protectedResourceRequest(token, 'GET', new URL(`${api.origin}/strong`), undefined, null, { [oauth.allowInsecureRequests]: true });
        await assert.rejects(asked, (error: oauth.WWWAuthenticateChallengeError) => {
          const { scheme, parameters } = error.cause[0]!;
          assert.deepEqual([scheme, parameters.error, parameters['acr_values'], parameters['max_age']], ['bearer', 'insufficient_user_authentication', 'urn:tandem:acr:2', '300']);
          return true;
        });
      });
    });
  }

  describe('what access tokens say of the sign-in', () => {
    const introspect = async (token: string) => (await tokenRequest(tandem, 'rp', { token }, '/token/introspection')).json;

    it('is in the answers of introspection, by code and by refresh alike (RFC 9470 §6)', async () => {
      const first = await personToken(tandem, person, RESOURCES.opaque, { scope: 'openid read offline_access', prompt: 'consent' });
      const claims = payloadOf(first.id_token);
      const expected = [claims['acr'], claims['amr'], claims['auth_time']];
      assert.deepEqual(expected.slice(0, 2), ['urn:tandem:acr:1', ['pwd']]);
      const said = ({ acr, amr, auth_time }: Record<string, unknown>) => [acr, amr, auth_time];
      assert.deepEqual(said(await introspect(first.access_token)), expected);
      const { json } = await tokenRequest(tandem, 'rp', { grant_type: 'refresh_token', refresh_token: first.refresh_token! });
      assert.deepEqual(said(await introspect(json['access_token'] as string)), expected);
    });

    it('is in JWTs, by code and by refresh alike (RFC 9068 §2.2.1)', async () => {
      const first = await personToken(tandem, person, RESOURCES.jwt, { scope: 'openid read offline_access', prompt: 'consent' });
      const claims = payloadOf(first.id_token);
      const said = (jwt: unknown) => ['acr', 'amr', 'auth_time', 'sub'].map((name) => payloadOf(jwt)[name]);
      const expected = ['urn:tandem:acr:1', ['pwd'], claims['auth_time'], claims['sub']];
      assert.deepEqual(said(first.access_token), expected);
      const { json } = await tokenRequest(tandem, 'rp', { grant_type: 'refresh_token', refresh_token: first.refresh_token!, resource: RESOURCES.jwt });
      assert.deepEqual(said(json['access_token']), expected);
    });

    it('is nothing for a client that acts for itself', async () => {
      const ofClient = payloadOf(await serviceToken(tandem, RESOURCES.jwt));
      const { json: answer } = await tokenRequest(tandem, 'service', { token: await serviceToken(tandem, RESOURCES.opaque) }, '/token/introspection');
      for (const claims of [ofClient, answer]) for (const name of ['acr', 'amr', 'auth_time']) assert.equal(name in claims, false);
      assert.equal(answer['active'], true);
    });

    it('is what the client asked for where that is less than the session has', async () => {
      const { access_token: token } = await personToken(tandem, person, RESOURCES.jwt, { acr_values: 'urn:tandem:acr:1' });
      assert.equal(payloadOf(token)['acr'], 'urn:tandem:acr:1');
    });
  });

  it('keeps a host’s own claims, but none that the protocol reserves', async () => {
    const warned: object[] = [];
    const hosted = await startProvider(database, {
      configuration: { extraTokenClaims: async (_ctx, { kind }): Promise<Record<string, unknown>> => ({ tenant: 'acme', kind, sub: 'admin', acr: 'urn:tandem:acr:2:qr', amr: ['hwk'], auth_time: 1, aud: 'x', cnf: {}, client_id: 'other' }) },
      tandem: { log: { debug() {}, info() {}, warn: (fields) => void warned.push(fields), error() {} } },
    });
    try {
      const somebody = await hosted.registerAccount();
      const opaque = await personToken(hosted, somebody, RESOURCES.opaque, {}, createHttpBrowser());
      const { json: answer } = await tokenRequest(hosted, 'rp', { token: opaque.access_token }, '/token/introspection');
      const jwt = await personToken(hosted, somebody, RESOURCES.jwt);
      const { json: ofClient } = await tokenRequest(hosted, 'service', { token: await serviceToken(hosted, RESOURCES.opaque) }, '/token/introspection');
      for (const claims of [answer, payloadOf(jwt.access_token)]) {
        assert.deepEqual([claims['tenant'], claims['kind'], claims['acr'], claims['amr'], claims['client_id'], 'cnf' in claims], ['acme', 'AccessToken', 'urn:tandem:acr:1', ['pwd'], 'rp', false]);
        assert.equal(claims['sub'], payloadOf(opaque.id_token)['sub']);
        assert.ok((claims['auth_time'] as number) > 1);
      }
      assert.deepEqual([ofClient['tenant'], ofClient['kind'], 'acr' in ofClient, 'sub' in ofClient, 'auth_time' in ofClient], ['acme', 'ClientCredentials', false, false, false]);
      assert.deepEqual(warned.map((fields) => (fields as { claim?: string }).claim).filter(Boolean).sort(), ['acr', 'amr', 'aud', 'auth_time', 'client_id', 'cnf', 'sub']);
    } finally {
      await hosted.close();
    }
  });
});
