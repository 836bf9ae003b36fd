import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import { DESKTOP, useChromium } from '../support/chromium.ts';
import { CALLBACK, startTandem, type TestTandem } from '../support/tandem.ts';
import { authorizationUrl } from '../oidc/helpers.ts';
import { createDesktop } from '../phone/desktop.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('the passkey button in Chromium', function () {
  this.timeout(60_000);
  const chromium = useChromium();
  let t: TestTandem;

  before(async () => {
    t = await startTandem({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) });
  });
  after(async () => {
    assert.deepEqual(t.errors, []);
    await t.close();
  });

  /** A browser that has a passkey, and the page of the phone app on which it was made. */
  async function withPasskey(context: BrowserContext): Promise<{ page: Page; cdp: CDPSession; authenticatorId: string }> {
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    const desktop = createDesktop(t);
    await desktop.signIn(await t.registerAccount());
    const { link, confirm } = await desktop.addPhone();
    await page.goto(t.url(`/phone#${encodeURIComponent(link)}`));
    await page.getByRole('button', { name: 'Add this phone' }).click();
    await confirm((await page.locator('[data-code]').getAttribute('data-code')) ?? '');
    await page.getByRole('heading', { name: 'This phone is ready' }).waitFor();
    desktop.browser.close();
    return { page, cdp, authenticatorId };
  }

  const button = (page: Page) => page.getByRole('button', { name: 'Use a passkey' });

  async function accessible(page: Page) {
    await page.evaluate(AXE);
    const violations = (await page.evaluate(`axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
      .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))`)) as string[];
    assert.deepEqual(violations, []);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0);
  }

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`says what failed, then signs in, asks for consent, and goes back to the site, in the ${colorScheme}`, async () => {
      const context = await chromium.open({ ...DESKTOP, colorScheme, bypassCSP: true });
      const { page, cdp, authenticatorId } = await withPasskey(context);
      await page.goto(authorizationUrl(t));
      await page.locator('[data-qr][data-state="pending"]').waitFor();
      await accessible(page);

      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
      await button(page).focus();
      await page.keyboard.press('Enter');
      await page.getByText('No passkey was used.').waitFor();
      await accessible(page);
      assert.equal(await page.evaluate('document.activeElement.textContent'), 'Use a passkey');

      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
      await button(page).click();
      const back = page.waitForRequest((sent) => sent.url().startsWith(CALLBACK));
      await page.getByRole('button', { name: /Allow/ }).click();
      assert.ok(new URL((await back).url()).searchParams.get('code'));
    });
  }

  it('says so of a phone that was removed, and of one too new for what is asked', async () => {
    const { page } = await withPasskey(await chromium.open(DESKTOP));
    await page.goto(authorizationUrl(t, { acr_values: 'urn:tandem:acr:2' }));
    await button(page).click();
    await page.getByText('a new phone counts for that only after a day').waitFor();
    await t.knex('tandem_devices').update({ state: 'revoked' });
    await button(page).click();
    await page.getByText('This passkey’s phone was removed').waitFor();
  });

  it('is there only where the browser knows passkeys, and in each language', async () => {
    const context = await chromium.open(DESKTOP);
    await context.addInitScript('delete window.PublicKeyCredential');
    const page = await context.newPage();
    await page.goto(authorizationUrl(t));
    await page.locator('[data-qr][data-state="pending"]').waitFor();
    assert.equal(await button(page).count(), 0);
    const words = { de: 'Passkey verwenden', fr: 'Utiliser une clé d’accès', nl: 'Een passkey gebruiken' };
    for (const [locale, name] of Object.entries(words)) {
      const reader = await (await chromium.open({ ...DESKTOP, locale })).newPage();
      await reader.goto(authorizationUrl(t));
      await reader.getByRole('button', { name }).waitFor();
    }
  });
});
