import assert from 'node:assert/strict';
import { authorizationUrl, typePassword, type Person } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser } from '../support/http-browser.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import { codesOn, startWithTotp, typeCode, type App, type TotpTandem } from '../totp/app.ts';

const PAGE = '/account/recovery-codes';

onEachDatabase('the page of an account’s recovery codes', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  let browser: HttpBrowser;
  before(async () => {
    tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
    browser = createHttpBrowser();
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const made = async () => (await tandem.t.audit.list({ name: 'recovery.codes_made' as never, accountId: person.accountId })).events.length;
  const signIn = async (app?: App) => {
    const half = await typePassword(browser, await browser.get(authorizationUrl(tandem, { client_id: 'house' })), person);
    if (app) await typeCode(browser, half, app.code());
  };
  const newCodes = async () => browser.submit(await browser.get(tandem.url(`${PAGE}/new`)), `${PAGE}/new`);
  const enrol = async () => {
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock });
    const shown = await browser.submit(await browser.get(tandem.url('/account/devices/add')), '/account/devices/add');
    const { confirmCode } = await phone.enrol(/data-link="([^"]+)"/.exec(shown.body)![1]!);
    return { shown, confirmCode };
  };

  it('has none to offer before there is a factor, whoever asks', async () => {
    await signIn();
    const page = await browser.get(tandem.url(PAGE));
    assert.match(page.text, /no second factor yet/);
    assert.ok(!page.links.some((href) => href.endsWith('/new')));
    assert.equal((await browser.get(tandem.url(`${PAGE}/new`))).url, tandem.url(PAGE));
    const csrf = (await browser.get(tandem.url('/account/devices/add'))).forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    assert.equal((await browser.post(tandem.url(`${PAGE}/new`), { csrf, made: '' })).url, tandem.url(PAGE));
    assert.equal(await made(), 0);
  });

  it('shows those that come with the first phone, once', async () => {
    await signIn();
    const { shown, confirmCode } = await enrol();
    const page = await browser.submit(shown, '/confirm', { code: confirmCode });
    assert.equal(page.status, 200);
    assert.equal(codesOn(page).length, 10);
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.match(page.text, new RegExp(`${person.email}`));
    assert.ok(!/ style="|<style|<script(?![^>]* src=)| on\w+="/.test(page.body));
    assert.match(page.text, /I have saved them/);

    const again = await browser.submit(shown, '/confirm', { code: confirmCode });
    assert.equal(again.url, tandem.url('/account/devices?done=added'));
    assert.match(again.text, /Your phone is connected/);
    const next = page.links.find((href) => href.includes('done=added'))!;
    assert.match((await browser.get(next)).text, /Your phone is connected/);

    const home = await browser.get(tandem.url(PAGE));
    assert.match(home.text, /You have 10 codes left/);
    assert.deepEqual(codesOn(home), []);
    assert.equal(await made(), 1);
  });

  it('makes new ones, once for each time that it is asked to', async () => {
    const app = await tandem.addApp(person.accountId);
    await signIn(app);
    assert.match((await browser.get(tandem.url(PAGE))).text, /You have no codes/);
    const first = codesOn(await newCodes());
    assert.equal(first.length, 10);
    const form = await browser.get(tandem.url(`${PAGE}/new`));
    assert.match(form.text, /stop working/);
    tandem.clock.advance(1000);
    const second = await browser.submit(form, `${PAGE}/new`);
    assert.equal(codesOn(second).length, 10);
    assert.ok(codesOn(second).every((code) => !first.includes(code)));
    // The same form once more, as when the page that shows them is loaded again.
    const third = await browser.submit(form, `${PAGE}/new`);
    assert.equal(third.url, tandem.url(PAGE));
    assert.deepEqual(codesOn(third), []);
    assert.equal(await made(), 2);
  });

  it('warns when they run out', async () => {
    await signIn(await tandem.addApp(person.accountId));
    await newCodes();
    const use = (count: number) => tandem.knex('tandem_recovery_codes').whereIn('hash', tandem.knex.select('hash').from(tandem.knex('tandem_recovery_codes').select('hash').where({ account_id: person.accountId, used_at: null }).limit(count).as('some'))).update({ used_at: 1 });
    await use(6);
    const four = await browser.get(tandem.url(PAGE));
    assert.match(four.text, /You have 4 codes left/);
    assert.doesNotMatch(four.text, /Only a few/);
    await use(1);
    assert.match((await browser.get(tandem.url(PAGE))).text, /You have 3 codes left.*Only a few/);
    assert.match((await browser.get(tandem.url('/account'))).text, /You have 3 codes left. Only a few/);
    await use(2);
    assert.match((await browser.get(tandem.url(PAGE))).text, /one code left/);
  });

  it('asks for what adding a factor takes, and a fresh sign-in', async () => {
    await signIn();
    const { shown, confirmCode } = await enrol();
    await browser.submit(shown, '/confirm', { code: confirmCode });
    const form = await browser.get(tandem.url(`${PAGE}/new`));
    assert.match(form.text, /Confirm with a phone that you have/);
    assert.ok(form.links.some((href) => href.endsWith('proof=ask')));
    const csrf = (await browser.get(tandem.url('/account/devices'))).forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    const posted = await browser.post(tandem.url(`${PAGE}/new`), { csrf, made: '' });
    assert.match(posted.text, /Confirm with a phone/);
    assert.equal(await made(), 1);

    const app = await tandem.addApp(person.accountId);
    const other = createHttpBrowser();
    const half = await typePassword(other, await other.get(tandem.url(`${PAGE}/new`)), person);
    const strong = await typeCode(other, half, app.code());
    assert.equal(strong.url, tandem.url(`${PAGE}/new`));
    tandem.clock.advance(301_000);
    assert.match((await other.submit(strong, `${PAGE}/new`)).url, /\/interaction\//);
    assert.equal(await made(), 1);
  });

  it('takes no form of another site’s, nor one that it did not make', async () => {
    await signIn(await tandem.addApp(person.accountId));
    const form = await browser.get(tandem.url(`${PAGE}/new`));
    assert.equal((await browser.submit(form, `${PAGE}/new`, { csrf: 'x' })).status, 403);
    assert.equal((await browser.submit(form, `${PAGE}/new`, {}, { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } })).status, 403);
    assert.equal((await browser.submit(form, `${PAGE}/new`, { made: 'x' })).status, 400);
    assert.equal((await browser.submit(form, `${PAGE}/new`, { extra: '1' })).status, 400);
    assert.equal((await browser.get(tandem.url(`${PAGE}/new?proof=maybe`))).status, 400);
    assert.equal(await made(), 0);
  });
});
