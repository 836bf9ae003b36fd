import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { CALLBACK, type TestTandem } from '../support/tandem.ts';
import { answerOf, authorizationUrl, payloadOf, pkce, signedInBrowser, signInAndConsent, type Person } from '../oidc/helpers.ts';
import { HOST, post, startWithRegistry } from './helpers.ts';

const SITE = { client_name: 'Site', redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'] };

onEachDatabase('what a client may be given of people', (database) => {
  let tandem: TestTandem;
  let person: Person;
  before('start', async () => {
    tandem = await startWithRegistry(database, { configuration: { conformIdTokenClaims: false } });
    person = await tandem.registerAccount({ name: 'Ada' });
  });
  after('stop', () => tandem.close());
  afterEach('without errors', () => assert.deepEqual(tandem.errors, []));

  async function signIn(metadata: Record<string, unknown>, parameters: Record<string, string> = {}) {
    const { client, secret } = await tandem.t.admin!.clients.create({ ...SITE, ...metadata }, HOST);
    const { verifier, challenge } = pkce();
    const browser = await signedInBrowser(tandem, person);
    const page = await browser.get(authorizationUrl(tandem, { client_id: client.clientId, scope: 'openid email profile offline_access', prompt: 'consent', code_challenge: challenge, ...parameters }));
    const code = answerOf(await signInAndConsent(browser, page, person)).get('code')!;
    const { json } = await post(tandem, '/token', [client.clientId, secret!.value], { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier });
    const userinfo = async (token: unknown) => (await (await fetch(tandem.url('/me'), { headers: { Authorization: `Bearer ${String(token)}` } })).json()) as Record<string, unknown>;
    return { clientId: client.clientId, secret: secret!.value, tokens: json, idToken: payloadOf(json['id_token']), userinfo };
  }

  it('is what its scopes tell, unless told otherwise', async () => {
    const { idToken, tokens, userinfo } = await signIn({});
    assert.deepEqual([idToken['email'], idToken['name']], [person.email, 'Ada']);
    assert.deepEqual((await userinfo(tokens['access_token']))['name'], 'Ada');
  });

  it('is no more than its attributes, in ID tokens and at UserInfo, by code and by refresh, whatever it asks for', async () => {
    const claims = JSON.stringify({ id_token: { email: { essential: true }, name: { essential: true } }, userinfo: { email: null, updated_at: null } });
    const { clientId, secret, idToken, tokens, userinfo } = await signIn({ tandem_attributes: ['name'] }, { claims });
    const refreshed = (await post(tandem, '/token', [clientId, secret], { grant_type: 'refresh_token', refresh_token: String(tokens['refresh_token']) })).json;
    for (const told of [idToken, await userinfo(tokens['access_token']), payloadOf(refreshed['id_token']), await userinfo(refreshed['access_token'])]) {
      assert.deepEqual([told['name'], told['email'], told['email_verified'], told['updated_at']], ['Ada', undefined, undefined, undefined]);
      assert.match(String(told['sub']), /^[0-9a-f-]{36}$/);
    }
    assert.equal(idToken['acr'], 'urn:tandem:acr:1');
  });

  it('is nothing but the subject where the list is empty, and changes at once', async () => {
    const { clientId, idToken, tokens, userinfo } = await signIn({ tandem_attributes: [] });
    assert.deepEqual([idToken['name'], idToken['email']], [undefined, undefined]);
    assert.deepEqual(Object.keys(await userinfo(tokens['access_token'])), ['sub']);
    await tandem.t.admin!.clients.update(clientId, { tandem_attributes: ['email'] }, HOST);
    assert.deepEqual(Object.keys(await userinfo(tokens['access_token'])).sort(), ['email', 'sub']);
    await tandem.t.admin!.clients.remove(clientId, HOST);
    assert.equal((await userinfo(tokens['access_token']))['error'], 'invalid_token');
  });
});
