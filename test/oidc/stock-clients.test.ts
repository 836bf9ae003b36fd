import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { API, CALLBACK, startTandem, TEST_CLIENTS, type TestTandem } from '../support/tandem.ts';
import { signInAndConsent, type Person } from './helpers.ts';

onEachDatabase('stock clients', (database) => {
  let tandem: TestTandem;
  let person: Person;
  before(async () => {
    tandem = await startTandem(database);
    person = await tandem.registerAccount({ name: 'Ada Lovelace' });
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  const { rp, service } = TEST_CLIENTS;
  const discover = (id: string, secret?: string) =>
    client.discovery(new URL(tandem.issuer), id, secret, undefined, { execute: [client.allowInsecureRequests] });

  async function visit(url: URL): Promise<URL> {
    const browser = createHttpBrowser();
    const page = await signInAndConsent(browser, await browser.get(url.href), person);
    return new URL(page.url);
  }

  describe('openid-client', () => {
    async function codeFlow(config: client.Configuration, parameters: Record<string, string> = {}, options: { par?: boolean; DPoP?: client.DPoPHandle } = {}) {
      const verifier = client.randomPKCECodeVerifier();
      const [state, nonce] = [client.randomState(), client.randomNonce()];
      const all = {
        redirect_uri: CALLBACK,
        scope: 'openid profile email',
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
        ...parameters,
      };
      const url = options.par ? await client.buildAuthorizationUrlWithPAR(config, all) : client.buildAuthorizationUrl(config, all);
      const extra = parameters['resource'] ? { resource: parameters['resource'] } : undefined;
      const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
      return client.authorizationCodeGrant(config, await visit(url), checks, extra, options.DPoP && { DPoP: options.DPoP });
    }

    it('signs in by code and PKCE, and reads UserInfo', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      const tokens = await codeFlow(config);
      const claims = tokens.claims()!;
      assert.equal(claims['acr'], 'urn:tandem:acr:1');
      assert.deepEqual(claims['amr'], ['pwd']);
      assert.equal(typeof claims.auth_time, 'number');
      const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
      assert.equal(userinfo.email, person.email);
      assert.equal(userinfo.name, 'Ada Lovelace');
    });

    it('signs in by a pushed request', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      assert.ok((await codeFlow(config, {}, { par: true })).claims());
    });

    it('signs in as a public client', async () => {
      const config = await client.discovery(new URL(tandem.issuer), 'spa', undefined, client.None(), { execute: [client.allowInsecureRequests] });
      assert.ok((await codeFlow(config)).claims());
    });

    it('binds tokens to a key by DPoP', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
      const tokens = await codeFlow(config, {}, { DPoP });
      assert.equal(tokens.token_type, 'dpop');
      const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims()!.sub, { DPoP });
      assert.equal(userinfo.email, person.email);
      await assert.rejects(client.fetchUserInfo(config, tokens.access_token, tokens.claims()!.sub));
    });

    it('rotates refresh tokens, and ends everything when one is used twice', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      const first = await codeFlow(config, { scope: 'openid offline_access', prompt: 'consent' });
      const second = await client.refreshTokenGrant(config, first.refresh_token!);
      assert.notEqual(second.refresh_token, first.refresh_token);
      await assert.rejects(client.refreshTokenGrant(config, first.refresh_token!), { error: 'invalid_grant' });
      await assert.rejects(client.refreshTokenGrant(config, second.refresh_token!), { error: 'invalid_grant' });
      assert.equal((await client.tokenIntrospection(config, second.access_token)).active, false);
    });

    it('introspects and revokes its tokens', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      const tokens = await codeFlow(config);
      const introspection = await client.tokenIntrospection(config, tokens.access_token);
      assert.equal(introspection.active, true);
      assert.equal(introspection.sub, tokens.claims()!.sub);
      await client.tokenRevocation(config, tokens.access_token);
      assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
    });

    it('asks for a resource, and gets a token for it alone', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      const tokens = await codeFlow(config, { scope: 'openid read', resource: API });
      assert.equal(tokens.scope, 'read');
      const atApi = await discover(service.client_id, service.client_secret);
      const introspection = await client.tokenIntrospection(atApi, tokens.access_token);
      assert.deepEqual([introspection.active, introspection.aud], [true, API]);
    });

    it('asks for single claims', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      const claims = JSON.stringify({ id_token: { email: null }, userinfo: { name: { essential: true } } });
      const tokens = await codeFlow(config, { scope: 'openid', claims });
      assert.equal(tokens.claims()!['email'], person.email);
      const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims()!.sub);
      assert.equal(userinfo.name, 'Ada Lovelace');
      assert.equal(userinfo.email, undefined);
    });

    it('signs out', async () => {
      const config = await discover(rp.client_id, rp.client_secret);
      const tokens = await codeFlow(config);
      const url = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token!, post_logout_redirect_uri: 'http://localhost:1/out', state: 'bye' });
      const browser = createHttpBrowser();
      // Nobody is signed in in this browser, so the page only posts itself on.
      const page = await browser.get(url.href);
      assert.equal(page.status, 200);
      const done = await browser.submit(page, 0);
      assert.equal(done.url, 'http://localhost:1/out?state=bye');
    });

    it('gets a token for itself', async () => {
      const config = await discover(service.client_id, service.client_secret);
      const tokens = await client.clientCredentialsGrant(config, { scope: 'read', resource: API });
      assert.equal(tokens.scope, 'read');
    });
  });

  describe('oauth4webapi', () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const own: oauth.Client = { client_id: rp.client_id, id_token_signed_response_alg: 'ES256' };
    const auth = oauth.ClientSecretBasic(rp.client_secret);
    let as: oauth.AuthorizationServer;
    before(async () => {
      const issuer = new URL(tandem.issuer);
      as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
    });

    it('discovers by RFC 8414 as well', async () => {
      const issuer = new URL(tandem.issuer);
      const found = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' }));
      assert.equal(found.token_endpoint, as.token_endpoint);
    });

    it('goes from a pushed request with DPoP to refreshed tokens', async () => {
      const DPoP = oauth.DPoP(own, await oauth.generateKeyPair('ES256'));
      const verifier = oauth.generateRandomCodeVerifier();
      const state = oauth.generateRandomState();
      const parameters = new URLSearchParams({
        response_type: 'code',
        redirect_uri: CALLBACK,
        scope: 'openid email offline_access',
        prompt: 'consent',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
      });
      const pushed = await oauth.processPushedAuthorizationResponse(as, own, await oauth.pushedAuthorizationRequest(as, own, auth, parameters, { ...insecure, DPoP }));
      const url = new URL(as.authorization_endpoint!);
      url.search = new URLSearchParams({ client_id: own.client_id, request_uri: pushed.request_uri }).toString();
      const answer = oauth.validateAuthResponse(as, own, await visit(url), state);
      const response = await oauth.authorizationCodeGrantRequest(as, own, auth, answer, CALLBACK, verifier, { ...insecure, DPoP });
      const tokens = await oauth.processAuthorizationCodeResponse(as, own, response, { requireIdToken: true });
      await oauth.validateApplicationLevelSignature(as, response, insecure);
      assert.equal(tokens.token_type, 'dpop');

      const refreshed = await oauth.processRefreshTokenResponse(as, own, await oauth.refreshTokenGrantRequest(as, own, auth, tokens.refresh_token!, { ...insecure, DPoP }));
      const { sub } = oauth.getValidatedIdTokenClaims(tokens)!;
      const userinfo = await oauth.processUserInfoResponse(as, own, sub, await oauth.userInfoRequest(as, own, refreshed.access_token, { ...insecure, DPoP }));
      assert.equal(userinfo.email, person.email);

      await oauth.processRevocationResponse(await oauth.revocationRequest(as, own, auth, refreshed.refresh_token!, insecure));
      const introspection = await oauth.processIntrospectionResponse(as, own, await oauth.introspectionRequest(as, own, auth, refreshed.access_token, insecure));
      assert.equal(introspection.active, false);
    });

    it('reads a refusal as OAuth means it', async () => {
      const response = await oauth.clientCredentialsGrantRequest(as, { client_id: 'service' }, oauth.ClientSecretBasic(service.client_secret), { scope: 'write', resource: API }, insecure);
      await assert.rejects(oauth.processClientCredentialsResponse(as, { client_id: 'service' }, response), { error: 'invalid_scope' });
    });
  });
});
