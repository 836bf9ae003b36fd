import assert from 'node:assert/strict';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import { PHONE, useChromium } from '../support/chromium.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { createDesktop, type Desktop } from './desktop.ts';

describe('the phone web app', function () {
  this.timeout(60_000);
  const chromium = useChromium();
  let tandem: TestTandem;
  let desktop: Desktop;
  let person: { email: string; password: string };

  beforeEach(async () => {
    tandem = await startTandem({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) });
    person = await tandem.registerAccount({ email: 'ada@example.com', name: 'Ada' });
    desktop = createDesktop(tandem);
    await desktop.signIn(person);
  });
  afterEach(async () => {
    assert.deepEqual(tandem.errors, []);
    desktop.browser.close();
    await tandem.close();
  });

  async function open(options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; page: Page }> {
    const context = await chromium.open({ ...PHONE, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    await page.goto(tandem.url('/phone'));
    return { context, page };
  }

  const heading = (page: Page, text: string | RegExp) => page.getByRole('heading', { level: 1, name: text }).waitFor();
  const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click();
  const shownCode = async (page: Page) => (await page.locator('[data-code]').getAttribute('data-code')) ?? '';

  /** A fragment alone does not reload a page that is open. */
  async function follow(page: Page, link: string) {
    await page.goto('about:blank');
    await page.goto(link);
  }

  async function enrol(page: Page, from = desktop): Promise<void> {
    const { link, confirm } = await from.addPhone();
    await follow(page, link);
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    await confirm(await shownCode(page));
    await heading(page, 'This phone is ready');
  }

  it('says how to set it up, while it has no account', async () => {
    const { page } = await open();
    await heading(page, 'Set up this phone');
    const waiting = await desktop.wait();
    await follow(page, await waiting.frame());
    await heading(page, 'This phone is not set up yet');
    await page.getByRole('link', { name: 'How to set it up' }).click();
    await heading(page, 'Set up this phone');
  });

  it('enrols by link: names the account, shows the code, and is ready once that is typed', async () => {
    const { page } = await open();
    const { link, confirm } = await desktop.addPhone();
    await follow(page, link);
    await heading(page, 'Add this phone to ada@example.com?');
    await page.getByLabel('Name of this phone').fill('Ada’s Pixel');
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    const code = await shownCode(page);
    assert.match(code, /^\d{6}$/);
    const done = await confirm(code);
    assert.match(done.text, /Ada’s Pixel/);
    await heading(page, 'This phone is ready');
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByText('ada@example.com').waitFor();
    await page.getByText('Ada’s Pixel · approves ordinary sign-ins').waitFor();
  });
});
