import assert from 'node:assert/strict';
import { accounts, admin, totp } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import type { HttpBrowser, Page } from '../support/http-browser.ts';
import { COMMAND_LINE, NOTES, startWithAdmin, textOfId, withAdmin, type AdminTandem } from './pages-harness.ts';

const LIST = '/admin/resource-servers';
const TOKENS = '/admin/registration-tokens';

onEachDatabase('the admin pages of resource servers and registration tokens', (database) => {
  let tandem: AdminTandem;
  let browser: HttpBrowser;
  withAdmin(database, (started) => void ({ tandem, browser } = started));

  const at = (path: string) => browser.get(tandem.url(path));
  const resources = () => tandem.t.admin!.resources;
  const pathOf = (page: Page) => new URL(page.url).pathname;
  const formWith = (page: Page, action: string, value?: string) => page.forms.find((form) => form.action.endsWith(action) && (value === undefined || form.fields.some(([, each]) => each === value)));
  const send = (page: Page, action: string, value?: string) => {
    const form = formWith(page, action, value) ?? assert.fail(`no form ${action}: ${page.text}`);
    return browser.post(form.action, Object.fromEntries(form.fields));
  };

  describe('a resource server', () => {
    it('is added, given scopes, changed and deleted', async () => {
      const made = await browser.submit(await at(`${LIST}/new`), '/new', { identifier: 'https://api.shop.example', name: 'Shop', format: 'jwt', algorithm: 'ES256', ttl: '' });
      assert.match(made.text, /Now give it scopes/, made.text);
      const path = pathOf(made);
      const words = { words_en: 'See your orders', words_de: 'Ihre Bestellungen sehen' };
      const scoped = await browser.submit(await at(`${path}/scopes`), '/scopes', { scope_name: 'orders:read', ...words, scope_level: '2' });
      assert.match(scoped.text, /The scope is saved/, scoped.text);
      const { scopes, format, ttl } = await resources().get('https://api.shop.example');
      assert.deepEqual({ scopes, format, ttl }, { scopes: [{ name: 'orders:read', description: { en: 'See your orders', de: 'Ihre Bestellungen sehen' }, level: 2 }], format: 'jwt', ttl: 300 });

      await browser.submit(await at(`${path}/scopes?scope=orders:read`), '/scopes', { words_en: 'Look at your orders', words_de: '', scope_level: '1' });
      assert.deepEqual((await resources().get('https://api.shop.example')).scopes, [{ name: 'orders:read', description: { en: 'Look at your orders' }, level: 1 }]);
      await browser.submit(await at(`${path}/settings`), '/settings', { name: 'The shop', format: 'opaque', ttl: '600' });
      const changed = await resources().get('https://api.shop.example');
      assert.deepEqual([changed.name, changed.format, changed.ttl, changed.audience], ['The shop', 'opaque', 600, 'https://api.shop.example']);

      const bare = await send(await at(path), '/scopes/remove', 'orders:read');
      assert.match(bare.text, /The scope is removed/);
      const gone = await send(bare, '/delete');
      assert.match(gone.text, /The resource server is deleted/);
      assert.equal((await at(path)).status, 404);
    });

    it('says who uses it, and stays while somebody does', async () => {
      await tandem.t.admin!.clients.create({ client_name: 'Its user', redirect_uris: ['https://a.example/cb'], tandem_resources: { [NOTES]: ['notes:read'] } }, COMMAND_LINE);
      const { id } = await resources().get(NOTES);
      const page = await at(`${LIST}/${id}`);
      assert.match(page.text, /Its user/);
      assert.ok(!formWith(page, '/delete'));
      assert.ok(!formWith(page, '/scopes/remove', 'notes:read'));
      const form = formWith(page, '/scopes/remove', 'notes:write')!;
      const refused = await browser.post(form.action, { ...Object.fromEntries(form.fields), name: 'notes:read' });
      assert.equal(refused.status, 409);
      const csrf = Object.fromEntries(form.fields)['csrf']!;
      assert.equal((await browser.post(tandem.url(`${LIST}/${id}/delete`), { csrf })).status, 409);
      assert.equal((await resources().get(NOTES)).scopes.length, 2);
    });

    it('of the provider itself is shown, and not changed', async () => {
      const own = (await resources().list()).find(({ origin }) => origin === 'built-in')!;
      const page = await at(`${LIST}/${encodeURIComponent(own.id)}`);
      assert.match(page.text, /Part of the provider/);
      assert.ok(!formWith(page, '/delete'));
      const { csrf } = Object.fromEntries((await at(`${LIST}/new`)).forms[0]!.fields);
      const scope = { csrf: csrf!, scope_name: 'mine', words_en: 'Mine', words_de: '', words_fr: '', words_nl: '', scope_level: '1', before: '' };
      const refused = await browser.post(tandem.url(`${LIST}/${encodeURIComponent(own.id)}/scopes`), scope);
      assert.equal(refused.status, 409);
    });

    it('is not made of what is wrong', async () => {
      const before = (await resources().list()).length;
      for (const fields of [{ identifier: 'shop' }, { identifier: `${tandem.issuer}/api/x` }, { identifier: 'https://x.example', ttl: 'long' }, { identifier: 'https://x.example', ttl: '1' }, { identifier: 'https://x.example#y' }]) {
        const page = await browser.submit(await at(`${LIST}/new`), '/new', fields);
        assert.equal(page.status, 400, `${JSON.stringify(fields)} ${page.text}`);
        assert.match(page.body, /aria-invalid="true"/);
        assert.ok(page.body.includes(`value="${fields.identifier}"`));
      }
      assert.equal((await browser.submit(await at(`${LIST}/new`), '/new', { identifier: NOTES })).status, 409);
      const { id } = await resources().get(NOTES);
      for (const fields of [{ scope_name: 'two words', words_en: 'X' }, { scope_name: 'x', words_en: '' }, { scope_name: 'x', words_en: 'a\u202eb' }, { scope_name: 'notes:read', words_en: 'Taken' }]) {
        assert.equal((await browser.submit(await at(`${LIST}/${id}/scopes`), '/scopes', fields)).status, 400, JSON.stringify(fields));
      }
      assert.equal((await resources().list()).length, before);
      assert.equal((await resources().get(NOTES)).scopes.find(({ name }) => name === 'notes:read')!.description['en'], 'Read your notes');
    });
  });

  describe('a registration token', () => {
    it('is shown once, and makes one client within its policy', async () => {
      const form = await at(`${TOKENS}/new`);
      const box = /name="(grant:[^"]*:notes:read)"/.exec(form.body)![1]!;
      const made = await browser.submit(form, '/new', { label: 'Corner Bakery', redirect_hosts: '*.shop.example', [box]: 'on' });
      assert.equal(made.status, 201, made.text);
      const value = textOfId(made, 'secret');
      const register = (uri: string) =>
        fetch(tandem.url('/reg'), { method: 'POST', headers: { authorization: `Bearer ${value}`, 'content-type': 'application/json' }, body: JSON.stringify({ client_name: 'Bakery', redirect_uris: [uri] }) });
      assert.equal((await register('https://www.other.example/cb')).status, 400);
      const registered = await register('https://www.shop.example/cb');
      assert.equal(registered.status, 201);
      const { client_id: id } = (await registered.json()) as { client_id: string };
      assert.deepEqual((await tandem.t.admin!.clients.get(id)).metadata['tandem_resources'], { [NOTES]: ['notes:read'] });
      assert.equal((await register('https://www.shop.example/cb')).status, 401);
      const list = await at(TOKENS);
      assert.ok(!list.body.includes(value));
      assert.match(list.text, /Corner Bakery used/);
      assert.match((await browser.get(list.links.find((link) => link.endsWith(`/admin/clients/${id}`))!)).text, /registered itself/);
    });

    it('is revoked', async () => {
      const made = await browser.submit(await at(`${TOKENS}/new`), '/new', { label: 'Nobody' });
      const value = textOfId(made, 'secret');
      const { tokens } = await tandem.t.admin!.registrationTokens.list();
      const revoked = await send(await at(TOKENS), `/${tokens[0]!.id}/revoke`);
      assert.match(revoked.text, /The token is revoked/);
      assert.equal((await fetch(tandem.url('/reg'), { method: 'POST', headers: { authorization: `Bearer ${value}`, 'content-type': 'application/json' }, body: '{}' })).status, 401);
      assert.equal((await browser.submit(await at(`${TOKENS}/new`), '/new', { life: 'for ever', label: 'x\u202e' })).status, 400);
      const wrong = await browser.submit(await at(`${TOKENS}/new`), '/new', { redirect_hosts: 'https://shop.example/' });
      assert.match(wrong.body, /<textarea id="field-redirect_hosts"[^>]* aria-invalid="true"/);
    });
  });

  it('the overview tells what was changed lately, and by whom', async () => {
    await browser.submit(await at(`${TOKENS}/new`), '/new', { label: 'For the overview' });
    const page = await at('/admin');
    assert.match(page.text, /Registration token made · For the overview/);
    assert.match(page.text, new RegExp(`by ${tandem.administrator.email}`));
  });
});

onEachDatabase('the admin pages of a provider without registration', (database) => {
  it('say nothing of registration tokens', async () => {
    const tandem = await startWithAdmin(database, { features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), totp(), admin({ registration: false })] });
    const browser = await tandem.signedIn();
    try {
      assert.doesNotMatch((await browser.get(tandem.url('/admin'))).text, /Registration tokens/);
      assert.equal((await browser.get(tandem.url(TOKENS))).status, 404);
      assert.deepEqual(tandem.errors, []);
    } finally {
      browser.close();
      await tandem.close();
    }
  });
});
