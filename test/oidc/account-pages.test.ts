import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { typePassword, type Person } from './helpers.ts';

onEachDatabase('the gate of the account pages', (database) => {
  let tandem: TestTandem;
  let person: Person;
  before(async () => {
    tandem = await startTandem(database);
    person = await tandem.registerAccount();
  });
  after(() => tandem.close());

  const stateOf = (page: Page) => {
    const start = page.visited.find((url) => url.includes('/auth?'))!;
    return new URL(start).searchParams.get('state')!;
  };
  const back = (browser: HttpBrowser, query: Record<string, string>) => browser.get(tandem.url(`/account/return?${new URLSearchParams(query).toString()}`));

  it('asks for a sign-in, without a token or consent, and leads back to the very page', async () => {
    const browser = createHttpBrowser();
    const page = await browser.get(tandem.url('/account/devices?done=added'));
    const start = new URL(page.visited.find((url) => url.includes('/auth?'))!);
    assert.deepEqual([start.searchParams.get('client_id'), start.searchParams.get('response_type')], ['tandem-account', 'none']);
    const done = await typePassword(browser, page, person);
    assert.equal(done.url, tandem.url('/account/devices?done=added'));
    assert.ok(!done.visited.some((url) => /code=|id_token=|access_token=/.test(url)));
  });

  it('asks again when the sign-in is too old', async () => {
    const browser = createHttpBrowser();
    await typePassword(browser, await browser.get(tandem.url('/account')), person);
    assert.equal((await browser.get(tandem.url('/account/devices/add'))).url, tandem.url('/account/devices/add'));
    tandem.clock.advance(301_000);
    const page = await browser.get(tandem.url('/account/devices/add'));
    assert.ok(page.visited.some((url) => url.includes('max_age=300')), page.visited.join('\n'));
    assert.equal((await typePassword(browser, page, person)).url, tandem.url('/account/devices/add'));
    tandem.clock.advance(-301_000);
  });

  it('refuses a way back that was made for another browser', async () => {
    const state = stateOf(await createHttpBrowser().get(tandem.url('/account')));
    const victim = createHttpBrowser();
    assert.equal((await back(victim, { state })).status, 400);
    await victim.get(tandem.url('/account'));
    assert.equal((await back(victim, { state })).status, 400);
  });

  it('refuses a way back that was altered, or is missing', async () => {
    const browser = createHttpBrowser();
    const state = stateOf(await browser.get(tandem.url('/account')));
    const [payload, mac] = state.split('.') as [string, string];
    const evil = Buffer.from(JSON.stringify({ path: '//evil.example', iat: Math.floor(Date.now() / 1000) })).toString('base64url');
    for (const forged of ['', '.', payload, `${payload}.`, `${evil}.${mac}`, `${payload}.${mac}x`, `${state}.x`.slice(1)]) {
      assert.equal((await back(browser, { state: forged })).status, 400, forged);
    }
    assert.equal((await browser.get(tandem.url('/account/return'))).status, 400);
  });

  it('refuses a way back that is an hour old', async () => {
    const browser = createHttpBrowser();
    const state = stateOf(await browser.get(tandem.url('/account')));
    tandem.clock.advance(3_601_000);
    assert.equal((await back(browser, { state })).status, 410);
    tandem.clock.advance(-3_601_000);
  });

  for (const path of ['/account//evil.example', '/account/devices?done=https://evil.example', '//evil.example/account', '/account/%2f%2fevil.example', '/account\\evil.example']) {
    it(`leads from ${path} to no other site`, async () => {
      const browser = createHttpBrowser();
      const page = await browser.get(tandem.issuer + path);
      const state = page.visited.some((url) => url.includes('/auth?')) ? stateOf(page) : undefined;
      assert.ok(page.url.startsWith(`${tandem.issuer}/`));
      if (!state) return;
      const returned = await browser.get(tandem.url(`/account/return?state=${encodeURIComponent(state)}`), { follow: false });
      assert.ok(new URL(returned.headers.location!, tandem.issuer).href.startsWith(`${tandem.issuer}/`));
    });
  }

  it('names the site where its account is what somebody signs in to', async () => {
    const page = await createHttpBrowser().get(tandem.url('/account'));
    assert.match(page.text, /to continue to Tandem/);
    assert.match(page.text, /return to Tandem/);
  });

  it('shows a page when the sign-in was cancelled', async () => {
    const browser = createHttpBrowser();
    const page = await browser.submit(await browser.get(tandem.url('/account')), '/abort');
    assert.match(page.text, /You were not signed in/);
    assert.ok(page.links.includes(tandem.url('/account')));
  });

  it('does not redirect a script', async () => {
    assert.equal((await createHttpBrowser().send('GET', tandem.url('/account'))).status, 401);
  });

  it('is no client for anybody else', async () => {
    const parameters = { client_id: 'tandem-account', scope: 'openid', redirect_uri: tandem.url('/account/return') };
    for (const responseType of ['code', 'id_token']) {
      const page = await createHttpBrowser().get(tandem.url(`/auth?${new URLSearchParams({ ...parameters, response_type: responseType }).toString()}`));
      assert.ok(page.status >= 400);
    }
  });
});
