import assert from 'node:assert/strict';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { API, startTandem, type TestTandem } from '../support/tandem.ts';
import { payloadOf, tokenRequest, tokensByCode, type Person } from './helpers.ts';

onEachDatabase('a resource server that reads JWTs', (database) => {
  let tandem: TestTandem;
  let person: Person;
  before(async () => {
    tandem = await startTandem(database, { tandem: { resources: { [API]: { scopes: { read: 'read your notes', write: 'change your notes' }, format: 'jwt' } } } });
    person = await tandem.registerAccount();
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  const verify = (token: unknown) => jwtVerify(token as string, createRemoteJWKSet(new URL(tandem.url('/jwks'))), { issuer: tandem.issuer, audience: API, typ: 'at+jwt' });

  it('gets tokens after RFC 9068, short-lived, with the subject that the client knows', async () => {
    const { json } = await tokensByCode(tandem, createHttpBrowser(), person, { scope: 'openid read', resource: API });
    const { payload, protectedHeader } = await verify(json['access_token']);
    assert.equal(protectedHeader.alg, 'ES256');
    assert.equal(payload.exp! - payload.iat!, 300);
    assert.deepEqual([payload['scope'], payload['client_id'], payload.sub], ['read', 'rp', payloadOf(json['id_token'])['sub']]);
  });

  it('gets tokens of a client for itself, whose subject is the client', async () => {
    const { json } = await tokenRequest(tandem, 'service', { grant_type: 'client_credentials', scope: 'read', resource: API });
    assert.equal((await verify(json['access_token'])).payload.sub, 'service');
  });

  it('is nothing to a client that was not given it, and no scope goes beyond what was', async () => {
    const page = await createHttpBrowser().get(tandem.url(`/auth?${new URLSearchParams({ client_id: 'house', response_type: 'code', redirect_uri: 'http://localhost:1/cb', scope: 'openid read', resource: API, code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' }).toString()}`));
    assert.equal(new URL(page.url).searchParams.get('error'), 'invalid_target');
    const { json } = await tokensByCode(tandem, createHttpBrowser(), person, { scope: 'openid read admin', resource: API });
    assert.equal(json['scope'], 'read');
  });

  it('names the scopes on the consent page in words', async () => {
    const stranger = await tandem.registerAccount();
    const browser = createHttpBrowser();
    const { challenge } = { challenge: 'x'.repeat(43) };
    const page = await browser.get(tandem.url(`/auth?${new URLSearchParams({ client_id: 'rp', response_type: 'code', redirect_uri: 'http://localhost:1/cb', scope: 'openid write', resource: API, code_challenge: challenge, code_challenge_method: 'S256' }).toString()}`));
    const consent = await browser.submit(page, '/password', { email: stranger.email, password: stranger.password });
    assert.match(consent.text, /change your notes/);
    assert.doesNotMatch(consent.text, /read your notes/);
  });
});
