import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import { PHONE, useChromium } from '../support/chromium.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { createDesktop, type Desktop } from './desktop.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('the phone web app whose storage vanished', function () {
  this.timeout(60_000);
  const chromium = useChromium();
  let tandem: TestTandem;
  let desktop: Desktop;
  let elsewhere: Desktop;

  before(async () => {
    tandem = await startTandem({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) });
    desktop = createDesktop(tandem);
    elsewhere = createDesktop(tandem);
    await desktop.signIn(await tandem.registerAccount({ email: 'ada@example.com' }));
  });
  after(async () => {
    assert.deepEqual(tandem.errors, []);
    desktop.browser.close();
    elsewhere.browser.close();
    await tandem.close();
  });

  const heading = (page: Page, text: string | RegExp) => page.getByRole('heading', { level: 1, name: text }).waitFor();
  const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click();
  const shownCode = async (page: Page) => (await page.locator('[data-code]').getAttribute('data-code')) ?? '';

  async function open() {
    const context = await chromium.open({ ...PHONE });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    await page.goto(tandem.url('/phone'));
    return { context, page };
  }

  it('is set up again by its passkey, and approves as before', async () => {
    const { context, page } = await open();
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    await page.reload();
    const { link, confirm } = await desktop.addPhone();
    await page.goto('about:blank');
    await page.goto(link);
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    await confirm(await shownCode(page));
    await heading(page, 'This phone is ready');

    await page.goto('about:blank');
    await cdp.send('Storage.clearDataForOrigin', { origin: new URL(tandem.issuer).origin, storageTypes: 'indexeddb' });
    await page.goto(tandem.url('/phone'));
    await heading(page, 'Set up this phone');

    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
    await press(page, 'This phone was set up before');
    await heading(page, 'This phone was not recognised');
    await page.evaluate(AXE);
    assert.deepEqual(await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))'), []);
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
    await press(page, 'Try again');
    await heading(page, 'This phone is ready');
    await page.getByText('ada@example.com').waitFor();
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByText(/checks that it is you/).waitFor();

    const waiting = await elsewhere.wait();
    await page.goto('about:blank');
    await page.goto(await waiting.frame());
    await heading(page, 'Sign in to Relying Party?');
    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    await waiting.confirm(await shownCode(page));
    assert((await waiting.redeem()).get('code'));
    const [row] = await tandem.knex('tandem_events').where({ name: 'device.rekeyed' });
    assert.ok(row, 'the audit log has it');
  });

  it('offers no way back to a browser that cannot have a passkey', async () => {
    const { page } = await open();
    await heading(page, 'Set up this phone');
    assert.equal(await page.getByRole('button', { name: 'This phone was set up before' }).count(), 0);
  });
});
