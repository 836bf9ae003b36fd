import assert from 'node:assert/strict';
import { generateKeyPair, SignJWT } from 'jose';
import { tokenRequest, tokensByCode } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { API } from '../support/tandem.ts';
import { assertProblem, CREATE, HOST, LIST, startApi, type ApiTandem } from './harness.ts';

const HOUR = 3_600_000;

for (const format of ['opaque', 'jwt'] as const) {
  onEachDatabase(`the API, called with ${format} access tokens,`, (database) => {
    let tandem: ApiTandem;
    before(async () => {
      tandem = await startApi(database, format);
    });
    after(() => tandem.close());
    afterEach(() => assert.deepEqual(tandem.errors, []));

    /** A client of the registry, with both scopes, and a token of it. */
    async function registered(clientId: string): Promise<string> {
      const { secret } = await tandem.t.admin!.clients.create(
        { client_id: clientId, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], tandem_resources: { [tandem.resource]: [CREATE, LIST] } },
        HOST,
      );
      const response = await fetch(tandem.url('/token'), {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${clientId}:${encodeURIComponent(secret!.value)}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: `${CREATE} ${LIST}`, resource: tandem.resource }),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    }

    /** Refused, and nothing made. */
    async function refused(token: string | undefined, status: number, code: string) {
      const before = await tandem.accounts();
      const answer = await tandem.create(token);
      const json = assertProblem(answer, status, code);
      assert.equal(await tandem.accounts(), before);
      return { ...answer, json };
    }

    it('lets a client do what its token says', async () => {
      const token = await tandem.token();
      assert.equal(token.includes('.'), format === 'jwt');
      assert.equal((await tandem.create(token)).status, 201);
      assert.equal((await tandem.call('GET', '/api/admin/clients', token)).status, 200);
    });

    it('asks who sends no token for one, without finding anything wrong (RFC 6750 §3.1)', async () => {
      const { challenge } = await refused(undefined, 401, 'missing_token');
      assert.match(challenge, new RegExp(`^Bearer realm="${tandem.issuer}", scope="${CREATE}", DPoP `));
      assert.ok(!challenge.includes('error'));
    });

    it('refuses a token that it does not know', async () => {
      const { privateKey } = await generateKeyPair('ES256');
      const forged = await new SignJWT({ client_id: 'service', scope: CREATE, sub: 'service' })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'x' }).setIssuer(tandem.issuer).setAudience(tandem.resource).setIssuedAt().setExpirationTime('1h').setJti('x').sign(privateKey);
      for (const token of ['x', 'x'.repeat(43), forged, `${await tandem.token()}x`]) {
        const { challenge } = await refused(token, 401, 'invalid_token');
        assert.match(challenge, /^Bearer realm="[^"]+", error="invalid_token", error_description="[^"]+"$/);
      }
    });

    it('takes a token from the header alone, and only one', async () => {
      const token = await tandem.token();
      const answer = await tandem.call('POST', `/api/accounts?access_token=${token}`, undefined, { body: '{"email":"query@example.com"}', headers: { 'content-type': 'application/json' } });
      assertProblem(answer, 400, 'invalid_request');
      assertProblem(await tandem.call('GET', '/api/admin/clients', undefined, { headers: { authorization: `Bearer ${token} ${token}` } }), 400, 'invalid_request');
      assertProblem(await tandem.call('GET', '/api/admin/clients', undefined, { headers: { authorization: 'Basic c2VydmljZTp4' } }), 401, 'missing_token');
    });

    it('names the scope that a token lacks', async () => {
      const { challenge, json } = await refused(await tandem.token(LIST), 403, 'insufficient_scope');
      assert.equal(json['scope'], CREATE);
      assert.match(String(json['detail']), new RegExp(CREATE));
      assert.match(challenge, new RegExp(`^Bearer realm="[^"]+", error="insufficient_scope", .*scope="${CREATE}"`));
      const other = await tandem.call('GET', '/api/admin/clients', await tandem.token(CREATE));
      assert.equal(assertProblem(other, 403, 'insufficient_scope')['scope'], LIST);
    });

    it('refuses a token that was made for another API, whatever its scopes', async () => {
      await refused(await tandem.token(`${CREATE} ${LIST}`, API), 401, 'invalid_token');
    });

    if (format === 'opaque') {
      it('refuses a token that was revoked', async () => {
        const token = await tandem.token();
        assert.equal((await tandem.create(token)).status, 201);
        assert.equal((await tokenRequest(tandem, 'service', { token }, '/token/revocation')).status, 200);
        await refused(token, 401, 'invalid_token');
      });
    }

    it('takes a scope out of tokens that are out, when it is taken from their client', async () => {
      const token = await registered('kiosk');
      assert.equal((await tandem.create(token)).status, 201);
      await tandem.t.admin!.clients.update('kiosk', { tandem_resources: { [tandem.resource]: [LIST] } }, HOST);
      const { challenge, json } = await refused(token, 403, 'insufficient_scope');
      assert.equal(json['scope'], CREATE);
      assert.match(challenge, new RegExp(`scope="${CREATE}"`));
      assert.equal((await tandem.call('GET', '/api/admin/clients', token)).status, 200);
    });

    it('refuses the tokens of a client that is gone', async () => {
      const token = await registered('stand');
      assert.equal((await tandem.create(token)).status, 201);
      await tandem.t.admin!.clients.remove('stand', HOST);
      await refused(token, 401, 'invalid_token');
    });

    it('refuses what a person has granted where a client acts for itself', async () => {
      const person = await tandem.registerAccount();
      const { json } = await tokensByCode(tandem, createHttpBrowser(), person, { scope: `openid ${CREATE}`, resource: tandem.resource });
      assert.ok(json['access_token'], JSON.stringify(json));
      assert.match((await refused(json['access_token'] as string, 401, 'invalid_token')).challenge, /of client credentials/);
    });

    it('takes no refresh token, ID token or client secret for an access token', async () => {
      const person = await tandem.registerAccount();
      const { json } = await tokensByCode(tandem, createHttpBrowser(), person, { scope: 'openid offline_access', prompt: 'consent' });
      for (const token of [json['id_token'], json['refresh_token'], 'service-secret-service-secret-service']) await refused(String(token), 401, 'invalid_token');
    });

    // Last, as the clock stays where it is.
    it('refuses a token that has expired', async () => {
      const token = await tandem.token();
      assert.equal((await tandem.create(token)).status, 201);
      tandem.clock.advance(HOUR + 1000);
      assert.match((await refused(token, 401, 'invalid_token')).challenge, /error="invalid_token"/);
    });
  });
}
