import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import { authorizationUrl } from '../oidc/helpers.ts';
import { DESKTOP, useChromium } from '../support/chromium.ts';
import { codeOf } from '../support/otp.ts';
import { startWithTotp, type TotpTandem } from '../totp/app.ts';

/** Presses a form's button twice, and sends nothing: whether each press would have been held back. */
const PRESSED_TWICE = `(() => {
  const held = [];
  addEventListener('submit', (event) => { held.push(event.defaultPrevented); event.preventDefault(); });
  const form = document.querySelector('form[data-once]');
  form.noValidate = true;
  for (const _ of [1, 2]) form.requestSubmit();
  return held;
})()`;

describe('a button that is pressed twice', function () {
  this.timeout(180_000);
  const chromium = useChromium();
  let tandem: TotpTandem;
  let person: { accountId: string; email: string; password: string };

  before(async () => {
    tandem = await startWithTotp({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) });
  });
  after(async () => {
    await (tandem as TotpTandem | undefined)?.close();
  });

  async function signIn(url: string): Promise<Page> {
    const page = await (await chromium.open(DESKTOP)).newPage();
    await page.goto(url);
    await page.locator('#email').fill(person.email);
    await page.locator('#password').fill(person.password);
    await page.locator('#password-form button').click();
    return page;
  }

  async function sendsOnce(page: Page, name: string) {
    await page.locator('form[data-once]', { hasText: name }).waitFor({ state: 'attached' });
    assert.deepEqual(await page.evaluate(PRESSED_TWICE), [false, true], name);
    await page.reload();
  }

  it('sends once what is answered once', async () => {
    person = await tandem.registerAccount();
    const page = await signIn(tandem.url('/account/devices/add'));
    await page.getByRole('button', { name: 'Show the code' }).click();
    await page.locator('#enrolment-link').waitFor();
    await sendsOnce(page, 'Connect this phone');
    await page.goto(tandem.url('/account/authenticators/add'));
    await sendsOnce(page, 'Turn it on');
    await page.locator('#code').fill(codeOf((await page.locator('[data-key]').textContent())!.replaceAll(' ', ''), tandem.clock));
    await page.getByRole('button', { name: 'Turn it on' }).click();
    await page.locator('[data-codes]').waitFor();
    await page.goto(tandem.url('/account/recovery-codes/new'));
    await sendsOnce(page, 'Show new codes');

    const elsewhere = await signIn(authorizationUrl(tandem, { client_id: 'house' }));
    await elsewhere.locator('#totp-code').waitFor();
    assert.equal(await elsewhere.evaluate('document.activeElement.id'), 'totp-code');
    await sendsOnce(elsewhere, 'Continue');
    await elsewhere.getByRole('link', { name: 'Use a recovery code' }).click();
    await sendsOnce(elsewhere, 'Go on');
  });
});
