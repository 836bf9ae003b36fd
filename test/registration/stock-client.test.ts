import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { CALLBACK } from '../support/tandem.ts';
import { signInAndConsent } from '../oidc/helpers.ts';
import { startRegistration } from './harness.ts';

onEachDatabase('a stock client', (database) => {
  let site: Awaited<ReturnType<typeof startRegistration>>;
  before('start', async () => {
    site = await startRegistration(database);
  });
  after('stop', () => site.tandem.close());

  it('registers itself, signs a person in, and ends with its sign-ins', async () => {
    const policy = { grantTypes: ['authorization_code', 'refresh_token'], redirectHosts: ['localhost'], scopes: ['openid', 'email'] };
    const config = await client.dynamicClientRegistration(new URL(site.tandem.issuer), { redirect_uris: [CALLBACK], client_name: 'Shop' }, undefined, {
      initialAccessToken: await site.tokenFor(policy),
      execute: [client.allowInsecureRequests],
    });
    const verifier = client.randomPKCECodeVerifier();
    const ask = async (scope: string) =>
      client.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope, code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }).href;

    const browser = createHttpBrowser();
    const page = await signInAndConsent(browser, await browser.get(await ask('openid email')), await site.tandem.registerAccount());
    const tokens = await client.authorizationCodeGrant(config, new URL(page.url), { pkceCodeVerifier: verifier });
    const info = () => fetch(site.tandem.url('/me'), { headers: { Authorization: `Bearer ${tokens.access_token}` } });
    assert.equal((await info()).status, 200);
    const refused = new URL((await browser.get(await ask('openid profile'))).url);
    assert.equal(refused.searchParams.get('error'), 'invalid_scope');

    const registered = config.clientMetadata() as unknown as Record<string, string>;
    assert.equal((await site.remove(registered)).status, 204);
    assert.equal((await info()).status, 401);
  });
});
