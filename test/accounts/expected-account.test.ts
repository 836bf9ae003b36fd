import assert from 'node:assert/strict';
import { authorizationUrl, payloadOf, signedInBrowser, tokensByCode } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser } from '../support/http-browser.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';

onEachDatabase('registering where a request is for one account', (database) => {
  let tandem: TestTandem;
  before(async () => {
    tandem = await startTandem(database);
  });
  after(async () => {
    assert.deepEqual(tandem.errors, []);
    await tandem.close();
  });

  /** What both routes answer to a request for one account, which makes no other. */
  async function refused(browser: HttpBrowser, url: string) {
    const page = await browser.get(url);
    const base = /^.*\/interaction\/[\w-]+/.exec(page.url)?.[0];
    assert.ok(base, page.url);
    const form = await browser.get(`${base}/register`);
    const csrf = page.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    const posted = await browser.post(`${base}/register`, { csrf, email: 'eve@example.com', password: 'seven grey herons at noon' }, { follow: false });
    assert.deepEqual([form.status, posted.status], [403, 403]);
    assert.equal(await tandem.knex('tandem_accounts').where({ email: 'eve@example.com' }).first(), undefined);
    browser.close();
    return [form, posted];
  }

  it('makes no account at a request for a subject', async () => {
    const person = await tandem.registerAccount();
    const browser = createHttpBrowser();
    const { json } = await tokensByCode(tandem, browser, person, { client_id: 'house' });
    const { sub } = payloadOf(json['id_token']);
    browser.close();
    const claims = JSON.stringify({ id_token: { sub: { value: sub } } });
    for (const page of await refused(createHttpBrowser(), authorizationUrl(tandem, { client_id: 'house', claims }))) {
      assert.match(page.text, /another account/);
      assert.ok(page.forms.some(({ action }) => action.endsWith('/password')), 'back on the sign-in page');
    }
  });

  it('makes no account at a step-up', async () => {
    const browser = await signedInBrowser(tandem, await tandem.registerAccount());
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: ['urn:tandem:acr:2'] } } });
    await refused(browser, authorizationUrl(tandem, { client_id: 'house', claims }));
  });

  it('goes on where the request is for nobody in particular', async () => {
    const browser = createHttpBrowser();
    const page = await browser.get(authorizationUrl(tandem, { client_id: 'house' }));
    const base = /^.*\/interaction\/[\w-]+/.exec(page.url)![0];
    const done = await browser.submit(await browser.get(`${base}/register`), '/register', { email: 'new@example.com', password: 'seven grey herons at noon' });
    assert.match(done.url, /\/cb\?code=/);
    browser.close();
  });
});
