import assert from 'node:assert/strict';
import { accounts, admin, qr } from '../../src/index.ts';
import { typePassword } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser } from '../support/http-browser.ts';
import { asksForCode, typeCode } from '../totp/app.ts';
import { COMMAND_LINE, startWithAdmin, type AdminTandem } from './pages-harness.ts';

onEachDatabase('the door of the admin pages', (database) => {
  let tandem: AdminTandem;
  let browser: HttpBrowser;
  before(async () => {
    tandem = await startWithAdmin(database);
  });
  beforeEach(() => {
    browser = createHttpBrowser({ now: tandem.clock });
  });
  afterEach(() => {
    browser.close();
    assert.deepEqual(tandem.errors, []);
  });
  after(() => tandem.close());

  const at = (path: string, by = browser) => by.get(tandem.url(path));
  const clients = async () => (await tandem.t.admin!.clients.list()).clients.length;

  it('lets administrators in with two factors, and leads them back to where they wanted to go', async () => {
    const asked = await typePassword(browser, await at('/admin/clients/new'), tandem.administrator);
    assert.ok(asksForCode(asked));
    const page = await typeCode(browser, asked, tandem.administrator.app.code());
    assert.equal(new URL(page.url).pathname, '/admin/clients/new');
    assert.match(page.text, /Register a client/);
    assert.match(String(page.headers['cache-control']), /no-store/);
    assert.match(String(page.headers['content-security-policy']), /frame-ancestors 'none'/);
  });

  it('is no door for other accounts: the answer is the one of an address that is none', async () => {
    const unknown = await at('/admin/clients/there-is-none', await tandem.signedIn());
    assert.equal(unknown.status, 404);
    const person = await tandem.registerAccount();
    const first = await typePassword(browser, await at('/admin'), person);
    for (const page of [first, await at('/admin/clients'), await at('/admin/clients/rp'), await at('/admin/resource-servers/new'), await at('/admin?proof=ask')]) {
      assert.equal(page.status, 404);
      assert.equal(page.body, unknown.body);
    }
  });

  it('is on the page of an administrator’s account, and on that of nobody else', async () => {
    const own = await at('/account', await tandem.signedIn());
    assert.ok(own.links.includes(tandem.url('/admin')));
    const page = await typePassword(browser, await at('/account'), await tandem.registerAccount());
    assert.equal(page.status, 200);
    assert.ok(!page.body.includes('/admin'));
  });

  it('takes no form of other accounts', async () => {
    const person = await tandem.registerAccount();
    const before = await clients();
    await typePassword(browser, await at('/account'), person);
    const csrf = (await at('/account')).forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    const answer = await browser.post(tandem.url('/admin/clients/new'), { csrf, kind: 'service', client_name: 'Mine' });
    assert.equal(answer.status, 404);
    assert.equal(await clients(), before);
  });

  it('shows and changes nothing at level 1, and says what is missing', async () => {
    const person = await tandem.registerAccount();
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, COMMAND_LINE);
    const said = await typePassword(browser, await at('/admin/clients?search=x'), person);
    assert.match(said.text, /A second factor, please/);
    assert.doesNotMatch(said.text, /Register a client/);
    const before = await clients();
    const csrf = (await at('/account')).forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    const answer = await browser.post(tandem.url('/admin/clients/new'), { csrf, kind: 'service', client_name: 'Mine' });
    assert.match(answer.text, /A second factor, please/);
    assert.equal(await clients(), before);
    const asked = await browser.get(said.links.find((link) => link.includes('proof=ask'))!);
    assert.match(asked.text, /Set up an app now/, 'an administrator comes to a second factor on the way');
  });

  it('closes at once when the role is taken away', async () => {
    const person = await tandem.registerAccount();
    const app = await tandem.addApp(person.accountId);
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, COMMAND_LINE);
    await typeCode(browser, await typePassword(browser, await at('/admin'), person), app.code());
    const form = await at('/admin/clients/new?kind=service');
    assert.equal(form.status, 200);
    await tandem.t.admin!.accounts.setAdmin(person.accountId, false, COMMAND_LINE);
    assert.equal((await at('/admin')).status, 404);
    assert.equal((await browser.submit(form, '/new', { client_name: 'Late' })).status, 404);
  });

  it('takes forms of its own pages alone', async () => {
    const own = await tandem.signedIn();
    const before = await clients();
    const fields = { kind: 'service', client_name: 'Forged' };
    const form = await at('/admin/clients/new?kind=service', own);
    const csrf = form.forms.find(({ action }) => action.endsWith('/new'))!.fields.find(([name]) => name === 'csrf')![1];
    assert.equal((await own.post(tandem.url('/admin/clients/new'), fields)).status, 403);
    assert.equal((await own.post(tandem.url('/admin/clients/new'), { ...fields, csrf: `${csrf}x` })).status, 403);
    assert.equal((await own.post(tandem.url('/admin/clients/new'), { ...fields, csrf }, { headers: { origin: 'https://evil.example' } })).status, 403);
    assert.equal((await own.post(tandem.url('/admin/clients/new'), { ...fields, csrf }, { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403);
    assert.equal(await clients(), before);
  });

  it('speaks four languages, on each of its pages', async () => {
    const { client } = await tandem.t.admin!.clients.create({ client_name: 'Übersetzt', redirect_uris: ['https://a.example/cb'] }, COMMAND_LINE);
    const [resource] = (await tandem.t.admin!.resources.list()).filter(({ origin }) => origin === 'registry');
    const below = ['', '/settings', '/access', '/credentials', '/connect', '/delete'].map((each) => `/admin/clients/${client.clientId}${each}`);
    const pages = [
      '/admin', '/admin/clients', '/admin/clients?search=zzz', '/admin/clients/new', ...['web', 'app', 'service', 'key'].map((kind) => `/admin/clients/new?kind=${kind}`), ...below,
      '/admin/resource-servers', '/admin/resource-servers/new', `/admin/resource-servers/${resource!.id}`, `/admin/resource-servers/${resource!.id}/settings`,
      `/admin/resource-servers/${resource!.id}/scopes`, `/admin/resource-servers/${resource!.id}/scopes?scope=notes:read`,
      '/admin/registration-tokens', '/admin/registration-tokens/new',
    ];
    const own = await tandem.signedIn();
    for (const language of ['en', 'de', 'fr', 'nl']) {
      for (const path of pages) {
        const page = await own.get(tandem.url(path), { headers: { 'accept-language': language } });
        assert.equal(page.status, 200, `${path} in ${language}: ${page.text}`);
        assert.match(page.body, new RegExp(`<html lang="${language}">`));
      }
    }
    const german = await own.get(tandem.url(below[2]!), { headers: { 'accept-language': 'de' } });
    assert.match(german.text, /Ihre Notizen lesen/);
  });
});

onEachDatabase('the admin pages of a provider without authenticators', (database) => {
  it('say to an administrator without a phone how to come to a second factor, and go round in no circle', async () => {
    const tandem = await startWithAdmin(database, { features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), admin()] });
    const browser = createHttpBrowser({ now: tandem.clock });
    try {
      const page = await typePassword(browser, await browser.get(tandem.url('/admin')), tandem.administrator);
      assert.match(page.text, /has none to add yet/);
      assert.match((await browser.get(`${tandem.url('/admin')}?proof=ask`)).text, /has none to add yet/);
      assert.deepEqual(tandem.errors, []);
    } finally {
      browser.close();
      await tandem.close();
    }
  });
});
