import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import { authorizationUrl } from '../oidc/helpers.ts';
import { createDesktop } from '../phone/desktop.ts';
import { DESKTOP, useChromium } from '../support/chromium.ts';
import { CALLBACK, TEST_CLIENTS } from '../support/tandem.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import { startWithTotp, type TotpTandem } from '../totp/app.ts';
import { passesAxe } from './axe.ts';

const WIDTHS = [1280, 360];

describe('the second step of a sign-in, seen by a person', function () {
  this.timeout(180_000);
  const chromium = useChromium();
  let tandem: TotpTandem;
  let person: { accountId: string; email: string; password: string };

  before(async () => {
    const clients = [...Object.values(TEST_CLIENTS), { ...TEST_CLIENTS.house, client_id: 'bank', client_name: 'Bank', tandem_level: 2 }];
    tandem = await startWithTotp({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) }, { clients });
  });
  after(async () => {
    await (tandem as TotpTandem | undefined)?.close();
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
  });

  async function signIn(parameters: Record<string, string> = {}, options = DESKTOP): Promise<Page> {
    const page = await (await chromium.open(options)).newPage();
    await page.goto(authorizationUrl(tandem, { client_id: 'house', ...parameters }));
    await page.locator('#email').fill(person.email);
    await page.locator('#password').fill(person.password);
    await page.locator('#password-form button').click();
    return page;
  }

  /** The client's answer; nobody listens there. */
  const atClient = (page: Page) => page.waitForRequest((request) => request.url().startsWith(CALLBACK) && request.url().includes('code='));

  async function type(page: Page, code: string): Promise<void> {
    await page.locator('#totp-code').fill(code);
    await page.keyboard.press('Enter');
  }

  it('asks for the code, tells of a wrong one, and goes on by the right one', async () => {
    const app = await tandem.addApp(person.accountId);
    const page = await signIn();
    await page.getByRole('heading', { name: 'One more step' }).waitFor();
    assert.equal(await page.getByLabel('Six-digit code').getAttribute('autocomplete'), 'one-time-code');
    await passesAxe(page, 'code', WIDTHS);
    await type(page, app.wrongCode());
    await page.getByRole('alert').getByText('Tries left: 4').waitFor();
    await passesAxe(page, 'wrong code', WIDTHS);
    for (let miss = 2; miss <= 5; miss += 1) {
      await type(page, app.wrongCode());
      await page.getByRole('alert').waitFor();
    }
    await page.getByText('Too many wrong codes').waitFor();
    await passesAxe(page, 'waiting', WIDTHS);
    tandem.clock.advance(31_000);
    const back = atClient(page);
    await type(page, app.code());
    await back;
  });

  it('asks for it without scripts, and in the reader’s language', async () => {
    const app = await tandem.addApp(person.accountId);
    const page = await signIn({ ui_locales: 'de' }, { ...DESKTOP, javaScriptEnabled: false });
    await page.getByRole('heading', { name: 'Noch ein Schritt' }).waitFor();
    await page.getByLabel('Sechsstelliger Code').fill(app.code().replace(/^.../, '$& '));
    const back = atClient(page);
    await page.getByRole('button', { name: 'Weiter' }).click();
    await back;
  });

  it('puts the phone beside the code, and in its place once the codes are off', async () => {
    const desktop = createDesktop(tandem);
    await desktop.signIn(person);
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock });
    const { link, confirm } = await desktop.addPhone();
    await confirm((await phone.enrol(link)).confirmCode);
    await tandem.addApp(person.accountId);
    const page = await signIn({ client_id: 'bank' });
    await page.locator('[data-qr][data-state=pending]').waitFor();
    await passesAxe(page, 'code and phone', WIDTHS);
    await tandem.knex('tandem_totp_accounts').where({ account_id: person.accountId }).update({ misses: 100 });
    await page.reload();
    await page.getByText('takes none any more').waitFor();
    await page.locator('[data-qr][data-state=pending]').waitFor();
    assert.equal(await page.locator('#totp-code').count(), 0);
    await passesAxe(page, 'codes are off', WIDTHS);
  });

  it('says why a site needs it', async () => {
    const page = await signIn({ client_id: 'bank' });
    await page.getByRole('heading', { name: 'A second factor is needed' }).waitFor();
    await passesAxe(page, 'a site of level 2', WIDTHS);
  });
});
