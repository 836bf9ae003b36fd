import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import { NOTES, startWithAdmin, type AdminTandem } from '../admin/pages-harness.ts';
import { DESKTOP, useChromium } from '../support/chromium.ts';
import { passesAxe } from './axe.ts';

const WIDTHS = [1280, 360];

describe('the admin pages, seen by a person', function () {
  this.timeout(180_000);
  const chromium = useChromium();
  let tandem: AdminTandem;

  before(async () => {
    tandem = await startWithAdmin({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) });
  });
  after(async () => {
    await (tandem as AdminTandem | undefined)?.close();
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));

  async function open(path: string, options = {}): Promise<Page> {
    const page = await (await chromium.open({ ...DESKTOP, ...options })).newPage();
    const { email, password, app } = tandem.administrator;
    await page.goto(tandem.url(path));
    await page.locator('input[name=email]').fill(email);
    await page.locator('input[name=password]').fill(password);
    await page.locator('form[action$="/password"] button').click();
    await page.locator('form[action$="/totp"] input[name=code]').fill(app.code());
    await page.locator('form[action$="/totp"] button').first().click();
    await page.waitForURL(`**${path}`);
    return page;
  }

  it('guide from a new client to its secret, its snippets, a rotation and its end', async () => {
    const page = await open('/admin', { permissions: ['clipboard-read', 'clipboard-write'] });
    const clipboard = () => page.evaluate('navigator.clipboard.readText()');
    await passesAxe(page, 'overview', WIDTHS);
    await page.getByRole('link', { name: 'Register a client' }).click();
    await passesAxe(page, 'kinds', WIDTHS);
    await page.getByRole('link', { name: 'Website with a server' }).click();
    await page.getByLabel('Name').fill('Corner Bakery');
    await page.getByLabel('Redirect addresses').fill('nowhere');
    await page.getByText('Notes', { exact: true }).click();
    await page.getByLabel('notes:read').check();
    await passesAxe(page, 'a new website', WIDTHS);
    await page.getByRole('button', { name: 'Register the client' }).click();
    await page.getByRole('alert').waitFor();
    await passesAxe(page, 'a website that is not accepted', WIDTHS);
    assert.ok(await page.getByLabel('notes:read').isChecked(), 'what was ticked is still ticked');

    await page.getByLabel('Redirect addresses').fill('https://shop.example/callback');
    await page.getByRole('button', { name: 'Register the client' }).click();
    await page.getByRole('heading', { name: 'Corner Bakery is registered' }).waitFor();
    await passesAxe(page, 'a secret', WIDTHS);
    const secret = (await page.locator('#secret').textContent())!;
    await page.getByRole('button', { name: 'Copy Client secret' }).click();
    await page.getByText('Copied.').waitFor();
    assert.equal(await clipboard(), secret);
    await page.getByRole('button', { name: 'Copy Settings (.env)' }).click();
    await page.waitForFunction(`navigator.clipboard.readText().then((text) => text.includes('ISSUER='))`);
    assert.ok(String(await clipboard()).includes(`CLIENT_SECRET=${secret}\n`));

    // Loading it again sends no form again, and shows no secret.
    await page.reload();
    await page.getByRole('heading', { name: 'Corner Bakery', exact: true }).waitFor();
    assert.ok(!(await page.content()).includes(secret));
    assert.equal((await tandem.t.admin!.clients.list({ search: 'Corner Bakery' })).clients.length, 1);
    await passesAxe(page, 'a client', WIDTHS);
    for (const tab of ['Settings', 'Access', 'Secrets and keys', 'Connect']) {
      await page.getByRole('navigation', { name: 'Corner Bakery' }).getByRole('link', { name: tab, exact: true }).click();
      await page.evaluate(`document.querySelectorAll('details').forEach((each) => (each.open = true))`);
      await passesAxe(page, tab, WIDTHS);
    }

    await page.getByRole('link', { name: 'Secrets and keys', exact: true }).click();
    await page.getByRole('button', { name: 'Make a new secret' }).click();
    await page.getByText('The secret before it ends in a day.').waitFor();
    await passesAxe(page, 'a rotation', WIDTHS);
    await page.getByRole('link', { name: 'I have saved it' }).click();
    await page.getByText('There are two secrets.').waitFor();
    await page.getByRole('link', { name: 'Overview' }).last().click();
    await page.getByRole('link', { name: 'Delete the client' }).click();
    await passesAxe(page, 'an end', WIDTHS);
    await page.getByRole('button', { name: 'Delete the client' }).click();
    await page.getByText('The client is deleted.').waitFor();
  });

  it('hand out a private key as a file, once', async () => {
    const page = await open('/admin/clients/new?kind=key');
    await page.getByLabel('Name').fill('Coffee machine');
    await passesAxe(page, 'a new machine', WIDTHS);
    await page.getByRole('button', { name: 'Register the client' }).click();
    await passesAxe(page, 'a private key', WIDTHS);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download as a file' }).click()]);
    assert.match(download.suggestedFilename(), /\.private\.jwk\.json$/);
    const key = JSON.parse(await readFile(await download.path(), 'utf8')) as { kid: string; d: string };
    const { clients } = await tandem.t.admin!.clients.list({ search: 'Coffee machine' });
    assert.deepEqual(clients[0]!.keys.map(({ kid }) => kid), [key.kid]);
    assert.ok(key.d);
  });

  it('show resource servers, scopes and registration tokens', async () => {
    const page = await open('/admin/resource-servers');
    await passesAxe(page, 'resource servers', WIDTHS);
    await page.getByRole('link', { name: 'Notes' }).click();
    await page.getByText(NOTES).first().waitFor();
    await passesAxe(page, 'a resource server', WIDTHS);
    await page.getByRole('link', { name: 'Add a scope' }).click();
    await passesAxe(page, 'a scope', WIDTHS);
    await page.goto(tandem.url('/admin/resource-servers/new'));
    await passesAxe(page, 'a new resource server', WIDTHS);
    await page.getByRole('link', { name: 'Registration tokens' }).click();
    await page.getByRole('link', { name: 'A new registration token' }).click();
    await passesAxe(page, 'a new token', WIDTHS);
    await page.getByLabel('For whom').fill('Corner Bakery');
    await page.getByRole('button', { name: 'Make the token' }).click();
    await passesAxe(page, 'a token', WIDTHS);
    await page.getByRole('link', { name: 'I have saved it' }).click();
    await page.locator('.title', { hasText: 'Corner Bakery' }).waitFor();
    await passesAxe(page, 'tokens', WIDTHS);
  });

  it('do all of it without scripts', async () => {
    const page = await open('/admin/clients/new?kind=service', { javaScriptEnabled: false });
    await page.getByLabel('Name').fill('Scriptless');
    await page.getByText('Notes', { exact: true }).click();
    await page.getByLabel('notes:read').check();
    await page.getByRole('button', { name: 'Register the client' }).click();
    assert.ok(await page.locator('#secret').isVisible());
    assert.equal(await page.getByRole('button', { name: /^Copy/ }).count(), 0, 'no button that does nothing');
    await page.getByRole('link', { name: 'I have saved it' }).click();
    await page.getByRole('link', { name: 'Secrets and keys', exact: true }).click();
    await page.locator('summary', { hasText: 'Remove' }).first().click();
    await page.getByRole('button', { name: 'Remove now' }).click();
    await page.getByText('The secret is removed.').waitFor();
  });
});
