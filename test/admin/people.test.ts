import assert from 'node:assert/strict';
import type { ClientMetadata } from 'oidc-provider';
import { authorizationUrl, answerOf, pkce, signInAndConsent, type Person } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { CALLBACK, TEST_CLIENTS } from '../support/tandem.ts';
import { asksForCode, startWithTotp, typeCode, type App, type TotpTandem } from '../totp/app.ts';
import { FEATURES, HOST } from './harness.ts';

const SCOPES = ['admin:clients:list', 'admin:clients:create', 'admin:roles:grant'];
/** Of a client that makes accounts, and decides over nobody. */
const DESK = ['admin:accounts:create'];
const SECRET = 'console-secret-console-secret-console-secret';

onEachDatabase('the admin API for people', (database) => {
  let tandem: TotpTandem;
  before(async () => {
    tandem = await startWithTotp(database, {
      features: FEATURES,
      clients: (issuer) => [
        ...Object.values(TEST_CLIENTS),
        ...Object.entries({ console: SCOPES, desk: DESK }).map(([id, scopes]): ClientMetadata => (
          { client_id: id, client_secret: SECRET, redirect_uris: [CALLBACK], grant_types: ['authorization_code'], tandem_consent: 'implicit', tandem_resources: { [`${issuer}/api`]: scopes } })),
      ],
    });
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  /** A token of the code flow for a person who types a password, and a code where there is an app. */
  async function tokenOf(person: Person, { app, acr, client = 'console', scopes = SCOPES }: { app?: App; acr?: string; client?: string; scopes?: readonly string[] } = {}): Promise<string> {
    const { verifier, challenge } = pkce();
    const resource = `${tandem.issuer}/api`;
    const browser = createHttpBrowser();
    const url = authorizationUrl(tandem, { client_id: client, scope: ['openid', ...scopes].join(' '), resource, code_challenge: challenge, ...(acr && { acr_values: acr }) });
    let page = await signInAndConsent(browser, await browser.get(url), person);
    if (app && asksForCode(page)) page = await signInAndConsent(browser, await typeCode(browser, page, app.code()), person);
    const response = await fetch(tandem.url('/token'), {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'authorization_code', code: answerOf(page).get('code')!, redirect_uri: CALLBACK, code_verifier: verifier, resource }),
    });
    const json = (await response.json()) as { access_token?: string };
    assert.ok(json.access_token, JSON.stringify(json));
    return json.access_token;
  }

  const newClient = (scopes: string[]) =>
    JSON.stringify({ grant_types: ['client_credentials'], redirect_uris: [], response_types: [], tandem_resources: { [`${tandem.issuer}/api`]: scopes } });
  const list = (token: string) => fetch(tandem.url('/api/admin/clients'), { headers: { authorization: `Bearer ${token}` } });

  it('lets in an administrator who has signed in with two factors, in their own name', async () => {
    const person = await tandem.registerAccount();
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, HOST);
    const token = await tokenOf(person, { app: await tandem.addApp(person.accountId) });
    assert.equal((await list(token)).status, 200);

    const response = await fetch(tandem.url('/api/admin/clients'), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: newClient(['admin:clients:list']),
    });
    assert.equal(response.status, 201, await response.clone().text());
    const [event] = (await tandem.t.audit.list({ name: 'client.created' })).events;
    assert.deepEqual(event?.data['actor'], { kind: 'account', id: person.accountId, client: 'console' });
    assert.match(event?.address ?? '', /127\.0\.0\.1|::1/);
  });

  it('lets the client that they use hand on no more than they let it do themselves', async () => {
    const person = await tandem.registerAccount();
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, HOST);
    const token = await tokenOf(person, { app: await tandem.addApp(person.accountId) });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const refused = await fetch(tandem.url('/api/admin/clients'), { method: 'POST', headers, body: newClient(['admin:keys:rotate']) });
    assert.equal(refused.status, 403);
    const { error, scope } = (await refused.json()) as { error: string; scope: string };
    assert.deepEqual([error, scope], ['insufficient_scope', 'admin:keys:rotate']);
    // Who administers is for administrators to say, where the client may ask for it.
    const { accountId } = await tandem.registerAccount();
    assert.equal((await fetch(tandem.url(`/api/admin/accounts/${accountId}/roles/admin`), { method: 'PUT', headers })).status, 200);
  });

  it('makes administrators by no client that may not ask for that, whoever uses it', async () => {
    const person = await tandem.registerAccount();
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, HOST);
    const token = await tokenOf(person, { app: await tandem.addApp(person.accountId), client: 'desk', scopes: DESK });
    const make = (body: object) => fetch(tandem.url('/api/admin/accounts'), { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const refused = await make({ email: 'mallory@example.com', admin: true });
    const { error, scope } = (await refused.json()) as { error: string; scope: string };
    assert.deepEqual([refused.status, error, scope], [403, 'insufficient_scope', 'admin:roles:grant']);
    assert.equal(await tandem.t.accounts!.findByEmail('mallory@example.com'), undefined);
    assert.equal((await make({ email: 'guest-of-the-desk@example.com' })).status, 201);
  });

  it('asks one who has signed in with a password alone for more (RFC 9470)', async () => {
    const person = await tandem.registerAccount();
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, HOST);
    const response = await list(await tokenOf(person));
    assert.equal(response.status, 401);
    assert.match(response.headers.get('www-authenticate') ?? '', /error="insufficient_user_authentication".*acr_values="urn:tandem:acr:2"/);
    assert.equal(((await response.json()) as { error: string }).error, 'insufficient_user_authentication');
  });

  it('refuses who is no administrator, however they signed in', async () => {
    const person = await tandem.registerAccount();
    const app = await tandem.addApp(person.accountId);
    for (const token of [await tokenOf(person, { app }), await tokenOf(await tandem.registerAccount())]) {
      const response = await list(token);
      assert.equal(response.status, 403);
      assert.equal(((await response.json()) as { error: string }).error, 'access_denied');
    }
  });

  it('refuses a person from the moment on at which they are no administrator', async () => {
    const person = await tandem.registerAccount();
    await tandem.t.admin!.accounts.setAdmin((await tandem.registerAccount()).accountId, true, HOST);
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, HOST);
    const token = await tokenOf(person, { app: await tandem.addApp(person.accountId) });
    assert.equal((await list(token)).status, 200);
    await tandem.t.admin!.accounts.setAdmin(person.accountId, false, HOST);
    assert.equal((await list(token)).status, 403);
  });
});
