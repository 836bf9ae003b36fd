import assert from 'node:assert/strict';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import { createCamera } from '../support/camera.ts';
import { PHONE, useChromium } from '../support/chromium.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { createDesktop, type Desktop } from './desktop.ts';

export const memory = { open: () => Promise.resolve(openDatabase('sqlite::memory:')) };

/** What each test begins with; a test may put others in their place. */
interface Begun {
  tandem: TestTandem;
  /** Where the account is signed in. */
  desktop: Desktop;
  /** Another browser, where somebody wants to sign in. */
  elsewhere: Desktop;
}

/** A server with one account, two desktop browsers and a phone's browser, for each test of the suite that calls this. */
export function usePhoneApp() {
  const camera = createCamera();
  const chromium = useChromium({ camera: () => camera.file });
  after(() => camera.close());
  const app = {} as Begun;

  beforeEach(async () => {
    app.tandem = await startTandem(memory);
    const person = await app.tandem.registerAccount({ email: 'ada@example.com', name: 'Ada' });
    app.desktop = createDesktop(app.tandem);
    app.elsewhere = createDesktop(app.tandem);
    await app.desktop.signIn(person);
  });
  afterEach(async () => {
    assert.deepEqual(app.tandem.errors, []);
    app.desktop.browser.close();
    app.elsewhere.browser.close();
    await app.tandem.close();
  });

  async function open(options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; page: Page }> {
    const context = await chromium.open({ ...PHONE, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    await page.goto(app.tandem.url('/phone'));
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

  async function enrol(page: Page, from = app.desktop): Promise<void> {
    const { link, confirm } = await from.addPhone();
    await follow(page, link);
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    await confirm(await shownCode(page));
    await heading(page, 'This phone is ready');
  }

  return Object.assign(app, { camera, open, heading, press, shownCode, follow, enrol });
}
