import assert from 'node:assert/strict';
import { admin } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser } from '../support/http-browser.ts';
import { CALLBACK, TEST_CLIENTS } from '../support/tandem.ts';
import { answerOf, authorizationUrl, pkce, tokenRequest, typePassword, type Person } from '../oidc/helpers.ts';
import { FEATURES, startWithTotp, typeCode, type App, type TotpTandem } from '../totp/app.ts';
import { HOST, ORDERS, SCOPES } from './harness.ts';

const [READ, PAY] = SCOPES;
const CLIENT = { ...TEST_CLIENTS.house, grant_types: ['authorization_code', 'refresh_token'], tandem_resources: { [ORDERS]: ['orders:read', 'orders:pay'] } };
const BOTH = 'openid offline_access orders:read orders:pay';

onEachDatabase('the level of a scope of the registry', (database) => {
  const { verifier, challenge } = pkce();
  let tandem: TotpTandem;
  let person: Person;
  let app: App;
  let browser: HttpBrowser;
  before(async () => void (tandem = await startWithTotp(database, { features: [...FEATURES, admin()], clients: [CLIENT] })));
  after(() => tandem.close());
  beforeEach(async () => {
    await resources().create({ identifier: ORDERS, scopes: [READ, { ...PAY, level: 1 }] }, HOST);
    person = await tandem.registerAccount();
    browser = createHttpBrowser({ now: tandem.clock });
  });
  afterEach(async () => {
    await resources().remove(ORDERS, HOST);
    assert.deepEqual(tandem.errors, []);
  });

  const resources = () => tandem.t.admin!.resources;
  const raise = () => resources().putScope(ORDERS, PAY, HOST);
  const open = (parameters: Record<string, string | undefined> = {}) => browser.get(authorizationUrl(tandem, { client_id: 'house', scope: BOTH, resource: ORDERS, prompt: 'consent', code_challenge: challenge, ...parameters }));
  const byCode = async (answer: URLSearchParams) =>
    (await tokenRequest(tandem, 'house', { grant_type: 'authorization_code', code: answer.get('code') ?? '', redirect_uri: CALLBACK, code_verifier: verifier, resource: ORDERS })).json;
  const byRefresh = async ({ refresh_token: token }: Record<string, unknown>, scope?: string) =>
    (await tokenRequest(tandem, 'house', { grant_type: 'refresh_token', refresh_token: String(token), resource: ORDERS, ...(scope && { scope }) })).json;

  async function signIn(): Promise<URLSearchParams> {
    let page = await typePassword(browser, await open(), person);
    if (page.forms.some(({ action }) => action.endsWith('/consent'))) page = await browser.submit(page, '/consent');
    return answerOf(page);
  }

  it('is asked for from the moment that it is raised', async () => {
    await signIn();
    answerOf(await open({ prompt: undefined }));
    await raise();
    // Who has no second factor yet adds one.
    const page = await open({ prompt: undefined });
    assert.ok(page.url.startsWith(tandem.url('/interaction/')) && page.body.includes('/authenticator'), page.text);
    answerOf(await open({ prompt: undefined, scope: 'openid orders:read' }));
  });

  it('holds for what was granted before: a refresh gives the scope no more', async () => {
    const first = await byCode(await signIn());
    assert.equal(first['scope'], 'orders:read orders:pay');
    await raise();
    const second = await byRefresh(first);
    assert.equal(second['scope'], 'orders:read');
    assert.equal((await byRefresh(second, 'orders:pay'))['scope'] ?? '', '');
  });

  it('holds for a code that is on its way', async () => {
    const answer = await signIn();
    await raise();
    assert.equal((await byCode(answer))['scope'], 'orders:read');
  });

  it('is no obstacle to who signed in with two factors, whatever class the client asked to be told', async () => {
    app = await tandem.addApp(person.accountId);
    await raise();
    for (const parameters of [{}, { acr_values: 'urn:tandem:acr:1' }]) {
      browser = createHttpBrowser({ now: tandem.clock });
      let page = await typeCode(browser, await typePassword(browser, await open(parameters), person), app.code());
      if (page.forms.some(({ action }) => action.endsWith('/consent'))) page = await browser.submit(page, '/consent');
      const tokens = await byCode(answerOf(page));
      assert.equal(tokens['scope'], 'orders:read orders:pay', JSON.stringify(parameters));
      assert.equal((await byRefresh(tokens))['scope'], 'orders:read orders:pay');
    }
  });
});
