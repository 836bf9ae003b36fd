import assert from 'node:assert/strict';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { codeOf } from '../support/otp.ts';
import { run, temporaryFolder, type Program } from '../server/program.ts';

describe('paying at the demo relying site, with the program as it comes', function () {
  this.timeout(90_000);
  const folder = temporaryFolder();
  let program: Program;
  let person: { email: string; password: string };
  let shop: string;
  /** Of the authenticator app that the first test sets up. */
  let secret: string;
  const browsers: HttpBrowser[] = [];

  before(async () => {
    program = run(['start'], { DATABASE_URL: folder.url('tandem.sqlite'), PORT: '0', DEMO_PORT: '0', LOG_LEVEL: 'error' });
    const { demo } = await program.ready();
    shop = demo!.url;
    person = { email: demo!.email, password: demo!.password! };
  });
  after(async () => {
    for (const browser of browsers) browser.close();
    program.kill('SIGTERM');
    assert.equal(await program.ended(), 0, program.errors());
    assert.equal(program.errors(), '');
  });

  function openBrowser(): HttpBrowser {
    const browser = createHttpBrowser();
    browsers.push(browser);
    return browser;
  }

  const pay = async (browser: HttpBrowser) => browser.submit(await browser.get(`${shop}/pay`), '/pay');
  const consented = (browser: HttpBrowser, page: Page) => (page.forms.some(({ action }) => action.endsWith('/consent')) ? browser.submit(page, '/consent') : page);
  const claim = (page: Page, name: string) => new RegExp(`<th scope="row">${name}</th><td>([^<]*)</td>`).exec(page.body)?.[1]?.replaceAll('&#34;', '"');

  /** The code of the step before is used here, so that the current one is left for the next test: it must not become the one before that. */
  async function awayFromTheTurn() {
    const left = 30_000 - (Date.now() % 30_000);
    if (left < 3_000) await new Promise((resolve) => setTimeout(resolve, left));
  }

  it('sets up an app on the way where the account has no second factor, shows the recovery codes, and pays', async () => {
    const browser = openBrowser();
    const signedIn = await browser.submit(await browser.get(`${shop}/sign-in`), '/password', person);
    assert.match((await consented(browser, signedIn)).text, /Hello Demo Person/);

    const step = await pay(browser);
    await awayFromTheTurn();
    const seed = await browser.get(step.links.find((link) => link.endsWith('/authenticator'))!);
    secret = /data-key>([^<]+)</.exec(seed.body)![1]!.replace(/\s/g, '');
    const codes = await browser.submit(seed, '/authenticator', { code: codeOf(secret, Date.now, -1) });
    assert.equal(codes.body.match(/<li><code>/g)?.length, 10);
    const receipt = await browser.submit(codes, '/continue');
    assert.equal(receipt.url, `${shop}/paid`);
    assert.equal(claim(receipt, 'acr'), 'urn:tandem:acr:2');
    assert.equal(claim(receipt, 'amr'), '["pwd","otp","mfa"]');
    assert.match((await browser.get(`${shop}/`)).text, /Hello Demo Person/);
  });

  it('takes password and code from then on, also to sign in alone', async () => {
    const browser = openBrowser();
    const step = await browser.submit(await pay(browser), '/password', person);
    assert.ok(step.url.includes('/interaction/'), step.url);
    assert.equal((await browser.get(`${shop}/me`)).status, 401);
    const receipt = await consented(browser, await browser.submit(step, '/totp', { code: codeOf(secret, Date.now) }));
    assert.equal(receipt.url, `${shop}/paid`);
    assert.equal(claim(receipt, 'acr'), 'urn:tandem:acr:2');
  });

  it('pays nothing where the person refuses the second step', async () => {
    const browser = openBrowser();
    const step = await browser.submit(await pay(browser), '/password', person);
    const refused = await browser.submit(step, '/abort');
    assert.equal(refused.status, 403);
    assert.match(refused.text, /Nothing was paid/);
    assert.equal((await browser.get(`${shop}/paid`)).url, `${shop}/pay`);
  });
});
