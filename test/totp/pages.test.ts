import assert from 'node:assert/strict';
import { typePassword, type Person } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, PHONE_AGENT, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { elements } from '../support/html.ts';
import { codeOf, wrongCodeOf } from '../support/otp.ts';
import { startWithTotp, typeCode, type App, type TotpTandem } from './app.ts';

const MINUTE = 60_000;
const LIST = '/account/authenticators';
const ADD = `${LIST}/add`;

onEachDatabase('the pages of an account’s authenticators', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  let browser: HttpBrowser;
  before(async () => {
    tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
    browser = createHttpBrowser({ now: tandem.clock });
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const at = (path: string) => browser.get(tandem.url(path));
  const pathOf = (page: Page) => new URL(page.url).pathname;
  const keyOn = (page: Page) => /data-key>([A-Z2-7 ]+)</.exec(page.body)?.[1] ?? assert.fail(`no key at ${page.url} (${page.status}): ${page.text.slice(0, 300)}`);
  const secretOn = (page: Page) => keyOn(page).replaceAll(' ', '');
  const idOn = (page: Page) => page.forms.find(({ action }) => action.endsWith('/add'))!.fields.find(([name]) => name === 'id')![1];
  const names = async (accountId = person.accountId) =>
    (await tandem.knex('tandem_authenticators').where({ account_id: accountId, expires_at: null }).orderBy('activated_at')).map(({ name }: { name: string }) => name);
  const nextCode = (secret: string) => {
    tandem.clock.advance(30_000);
    return codeOf(secret, tandem.clock);
  };

  /** Opens a page by password, and by the code of an app where that is due. */
  async function open(path: string, app?: App): Promise<Page> {
    const page = await typePassword(browser, await at(path), person);
    return app ? typeCode(browser, page, app.code()) : page;
  }

  const activate = (page: Page, fields: Record<string, string> = {}) => browser.submit(page, '/authenticators/add', { code: nextCode(secretOn(page)), ...fields });

  describe('adding one', () => {
    it('shows QR, key and link, and turns it on once a code was right', async () => {
      const page = await open(ADD);
      assert.equal(page.status, 200);
      assert.match(page.body, /<svg[^>]*>[\s\S]*<\/svg>/);
      assert.match(keyOn(page), /^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/);
      const uri = new URL(elements(page.body, 'a').find((link) => link.get('href')?.startsWith('otpauth:'))!.get('href')!);
      assert.equal(uri.searchParams.get('secret'), secretOn(page));
      assert.equal(uri.searchParams.get('issuer'), new URL(tandem.issuer).host.replace(':', ' '));
      assert.ok(decodeURIComponent(uri.pathname).endsWith(person.email));
      assert.deepEqual(await names(), []);

      const codes = await activate(page, { name: 'Work phone' });
      assert.equal(codes.status, 200);
      assert.equal(elements(codes.body, 'code').length, 10, codes.text);
      assert.deepEqual(await names(), ['Work phone']);
      const list = await browser.get(codes.links.find((link) => link.endsWith('?done=added'))!);
      assert.equal(pathOf(list), LIST, 'the code that was just typed is not asked for again');
      assert.match(list.text, /is set up/);
      assert.match(list.text, /Work phone/);
    });

    it('turns nothing on by a wrong code, and goes on with the same seed', async () => {
      const page = await open(ADD);
      const secret = secretOn(page);
      let again = await browser.submit(page, '/authenticators/add', { code: wrongCodeOf(secret, tandem.clock), name: 'Mine' });
      assert.equal(again.status, 422);
      assert.match(again.text, /not the code that the app shows/);
      assert.equal(secretOn(again), secret);
      assert.ok(again.body.includes('value="Mine"'));
      again = await browser.submit(again, '/authenticators/add', { code: 'abc' });
      assert.match(again.text, /Type the six digits/);
      again = await browser.submit(again, '/authenticators/add', { code: nextCode(secret), name: 'a\u202eb' });
      assert.equal(again.status, 400);
      assert.match(again.text, /at most 60 ordinary characters/);
      assert.deepEqual(await names(), []);
      await activate(again, { name: 'Mine' });
      assert.deepEqual(await names(), ['Mine']);
    });

    it('makes guessing wait', async () => {
      const page = await open(ADD);
      const wrong = wrongCodeOf(secretOn(page), tandem.clock);
      for (let miss = 0; miss < 5; miss += 1) await browser.submit(page, '/authenticators/add', { code: wrong });
      const blocked = await browser.submit(page, '/authenticators/add', { code: codeOf(secretOn(page), tandem.clock) });
      assert.equal(blocked.status, 429);
      assert.equal(blocked.headers['retry-after'], '30');
      assert.match(blocked.text, /Try again in 30 seconds/);
      assert.deepEqual(await names(), []);
    });

    it('shows another seed each time it is opened, and the same when it is loaded again', async () => {
      const page = await open(ADD);
      assert.equal(secretOn(await browser.get(page.url)), secretOn(page));
      const victim = createHttpBrowser({ now: tandem.clock });
      const theirs = await typePassword(victim, await victim.get(tandem.url(ADD)), person);
      assert.notEqual(secretOn(theirs), secretOn(page), 'who knows the password must not know the seed of its owner');
      victim.close();
    });

    it('ends no enrolment, and begins none, because another site opens the page', async () => {
      const page = await open(ADD);
      const led = await browser.get(tandem.url(ADD), { headers: { 'sec-fetch-site': 'cross-site' } });
      assert.equal(pathOf(led), LIST);
      assert.equal((await activate(page)).status, 200);
      assert.equal((await names()).length, 1);
    });

    it('has a time, after which it starts over', async () => {
      const page = await open(ADD);
      tandem.clock.advance(4 * MINUTE);
      const soon = await browser.get(page.url);
      assert.match(soon.text, /valid for 11 more minutes/);
      tandem.clock.advance(12 * MINUTE);
      const later = await typePassword(browser, await at(`${ADD}?id=${idOn(page)}`), person);
      assert.match(later.text, /time for the code before this one was up/);
      assert.notEqual(secretOn(later), secretOn(page));
      const late = await browser.submit(page, '/authenticators/add', { code: codeOf(secretOn(page), tandem.clock) });
      assert.ok(late.status === 200 || late.status === 404);
      assert.deepEqual(await names(), []);
    });

    it('does not exist for another account, nor under an id that was made up', async () => {
      const page = await open(ADD);
      const other = await tandem.registerAccount();
      const stranger = createHttpBrowser({ now: tandem.clock });
      const own = await typePassword(stranger, await stranger.get(tandem.url(ADD)), other);
      for (const id of [idOn(page), 'none', '../x']) {
        assert.equal((await stranger.get(`${tandem.url(ADD)}?id=${encodeURIComponent(id)}`)).status, 404);
        assert.equal((await stranger.submit(own, '/authenticators/add', { id, code: codeOf(secretOn(page), tandem.clock) })).status, 404);
      }
      assert.deepEqual([await names(), await names(other.accountId)], [[], []]);
      stranger.close();
    });

    it('wants a fresh sign-in, before the seed and before the code', async () => {
      await open(LIST);
      tandem.clock.advance(5 * MINUTE + 1000);
      const asked = await at(ADD);
      assert.ok(asked.forms.some(({ action }) => action.endsWith('/password')));
      const page = await typePassword(browser, asked, person);
      tandem.clock.advance(5 * MINUTE + 1000);
      const code = codeOf(secretOn(page), tandem.clock);
      const stale = await browser.submit(page, '/authenticators/add', { code });
      assert.ok(stale.forms.some(({ action }) => action.endsWith('/password')), stale.text);
      assert.deepEqual(await names(), []);
      const back = await typePassword(browser, stale, person);
      assert.equal(secretOn(back), secretOn(page), 'what the app has scanned is still good');
      await activate(back);
      assert.equal((await names()).length, 1);
    });

    it('leads from the page of one that is in use to the list', async () => {
      const page = await open(ADD);
      await activate(page);
      const list = await at(`${ADD}?id=${idOn(page)}`);
      assert.deepEqual([list.status, new URL(list.url).pathname], [200, LIST]);
      assert.doesNotMatch(list.text, /most there can be/);
    });

    it('shows a sixth to nobody', async () => {
      let page = await open(ADD);
      await activate(page, { name: 'App 1' });
      for (let count = 2; count <= 5; count += 1) {
        page = await at(ADD);
        await activate(page, { name: `App ${count}` });
      }
      assert.deepEqual(await names(), ['App 1', 'App 2', 'App 3', 'App 4', 'App 5']);
      const list = await at(LIST);
      assert.ok(!list.links.includes(tandem.url(ADD)));
      const refused = await at(ADD);
      assert.equal(refused.status, 409);
      assert.match(refused.text, /most there can be/);
    });

    it('puts the link first on a phone', async () => {
      const phone = createHttpBrowser({ headers: { 'user-agent': PHONE_AGENT }, now: tandem.clock });
      const page = await typePassword(phone, await phone.get(tandem.url(ADD)), person);
      const [desktop, mobile] = [(await open(ADD)).body, page.body];
      const before = (body: string) => body.indexOf('href="otpauth:') < body.indexOf('<svg');
      assert.deepEqual([before(desktop), before(mobile)], [false, true]);
      phone.close();
    });

    it('is not posted from elsewhere', async () => {
      const page = await open(ADD);
      const code = codeOf(secretOn(page), tandem.clock);
      const foreign = await browser.submit(page, '/authenticators/add', { code }, { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } });
      assert.equal(foreign.status, 403);
      assert.equal((await browser.submit(page, '/authenticators/add', { code, csrf: 'x' })).status, 403);
      assert.equal((await browser.submit(page, '/authenticators/add', { code, extra: 'x' })).status, 400);
      assert.deepEqual(await names(), []);
    });
  });

  describe('the list', () => {
    it('says that there is none, in the reader’s language', async () => {
      const page = await open(LIST);
      assert.match(page.text, /No authenticator app is set up yet/);
      for (const [language, words] of Object.entries({ de: /Noch ist keine/, fr: /Aucune application/, nl: /Er is nog geen/ })) {
        const translated = await browser.get(tandem.url(LIST), { headers: { 'accept-language': language } });
        assert.match(translated.text, words);
      }
    });

    it('renames, and shows any name as text', async () => {
      const app = await tandem.addApp(person.accountId);
      const page = await open(LIST, app);
      const name = '<img src=x onerror=alert(1)> & "Ödön’s" 📱';
      const done = await browser.submit(page, 'Save', { name });
      assert.match(done.text, /new name is saved/);
      assert.ok(!done.body.includes('<img src=x'));
      assert.deepEqual(await names(), [name]);
      for (const bad of ['', '   ', 'x'.repeat(61), 'a\u0000b', 'a\u202eb']) {
        const refused = await browser.submit(await at(LIST), 'Save', { name: bad });
        assert.equal(refused.status, 400);
        assert.match(refused.text, /1 to 60 ordinary characters/);
      }
      assert.deepEqual(await names(), [name]);
    });

    it('says when codes are blocked, and when they are off', async () => {
      const app = await tandem.addApp(person.accountId);
      await open(LIST, app);
      await tandem.knex('tandem_totp_accounts').where({ account_id: person.accountId }).update({ misses: 8, next_try_at: tandem.clock() + 4 * MINUTE });
      assert.match((await at(LIST)).text, /accepted only in 4 min/);
      await tandem.knex('tandem_totp_accounts').where({ account_id: person.accountId }).update({ misses: 100 });
      assert.match((await at(LIST)).text, /no longer accepted/);
      assert.match((await at('/account')).text, /Switched off after too many wrong codes/);
    });

    it('is on the account’s page', async () => {
      const home = await open('/account');
      assert.ok(home.links.includes(tandem.url(LIST)));
      assert.match(home.text, /A code beside your password/);
      const page = await at(ADD);
      await activate(page);
      assert.match((await at('/account')).text, /Set up: 1/);
    });
  });

  describe('removing one', () => {
    const removePage = async (app: App) => {
      const list = await open(LIST, app);
      return browser.get(list.links.find((link) => link.endsWith('/remove'))!);
    };

    it('asks first, and says what it means where it is the last', async () => {
      const app = await tandem.addApp(person.accountId);
      const page = await removePage(app);
      assert.match(page.text, /your last second factor/);
      assert.equal((await names()).length, 1, 'looking at the page changes nothing');
      const done = await browser.submit(page, 'Remove it');
      assert.match(done.text, /is removed/);
      assert.deepEqual(await names(), []);
      assert.equal((await browser.get(page.url)).status, 404);
      const again = createHttpBrowser({ now: tandem.clock });
      assert.equal((await typePassword(again, await again.get(tandem.url(LIST)), person)).url, tandem.url(LIST), 'the password alone signs in again');
      again.close();
    });

    it('voids the recovery codes with the last factor, and not before', async () => {
      const left = async () => Number((await tandem.knex('tandem_recovery_codes').where({ account_id: person.accountId }).count({ n: '*' }))[0]!['n']);
      await activate(await open(ADD));
      await activate(await at(ADD));
      const remove = async () => browser.submit(await browser.get((await at(LIST)).links.find((link) => link.endsWith('/remove'))!), 'Remove it');
      await remove();
      assert.equal(await left(), 10);
      await remove();
      assert.equal(await left(), 0);
    });

    it('is not for a sign-in that is stale, or another account', async () => {
      const app = await tandem.addApp(person.accountId);
      const page = await removePage(app);
      tandem.clock.advance(5 * MINUTE + 1000);
      const stale = await browser.submit(page, 'Remove it');
      assert.ok(stale.forms.some(({ action }) => action.endsWith('/password')), stale.text);
      const other = await tandem.registerAccount();
      const stranger = createHttpBrowser({ now: tandem.clock });
      const list = await typePassword(stranger, await stranger.get(tandem.url(ADD)), other);
      assert.equal((await stranger.get(page.url)).status, 404);
      const csrf = list.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
      assert.equal((await stranger.post(page.url, { csrf })).status, 404);
      assert.equal((await stranger.post(page.url.replace(/remove$/, 'rename'), { csrf, name: 'mine' })).status, 404);
      assert.deepEqual(await names(), ['Authenticator']);
      stranger.close();
    });
  });
});
