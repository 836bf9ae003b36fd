import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Locator, Page } from 'playwright-core';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import { openDatabase } from '../../src/lib/database/open.ts';
import { DESKTOP, PHONE, useChromium } from '../support/chromium.ts';
import { codeOf, wrongCodeOf } from '../support/otp.ts';
import { authorizationUrl } from '../oidc/helpers.ts';
import { CALLBACK, type TestTandem } from '../support/tandem.ts';
import { startWithTotp } from '../totp/app.ts';
import { passesAxe } from './axe.ts';

const WIDTHS = [1280, 360];

describe('an authenticator app, seen by a person', function () {
  this.timeout(180_000);
  const chromium = useChromium();
  let tandem: TestTandem;
  let person: { email: string; password: string };

  before(async () => {
    const wasm = readFileSync(createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm'));
    await prepareZXingModule({ overrides: { wasmBinary: new Uint8Array(wasm).buffer }, fireImmediately: true });
    tandem = await startWithTotp({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) });
  });
  after(async () => {
    await (tandem as TestTandem | undefined)?.close();
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
  });

  const open = async (options = DESKTOP) => (await chromium.open(options)).newPage();
  const nextCode = (secret: string) => {
    tandem.clock.advance(30_000);
    return codeOf(secret, tandem.clock);
  };

  async function signIn(page: Page, url: string) {
    await page.goto(url);
    await page.getByLabel(/e-?mail/i).fill(person.email);
    await page.getByLabel(/^password/i).fill(person.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  /** What an app reads from the pixels. */
  async function scanned(qr: Locator): Promise<URL> {
    const [found] = await readBarcodes(await qr.screenshot(), { formats: ['QRCode'] });
    assert.ok(found, 'no QR in the picture');
    return new URL(found.text);
  }

  it('is set up by its camera, asked for, renamed and removed', async () => {
    const page = await open();
    await signIn(page, tandem.url('/account/authenticators'));
    await passesAxe(page, 'no app', WIDTHS);
    await page.getByRole('link', { name: 'Add an authenticator app' }).click();
    const uri = await scanned(page.getByRole('img', { name: 'QR code for your authenticator app' }));
    assert.equal(uri.protocol, 'otpauth:');
    const secret = uri.searchParams.get('secret')!;
    await page.getByText('Scanning does not work?').click();
    assert.equal((await page.locator('[data-key]').textContent())?.replaceAll(' ', ''), secret);
    await passesAxe(page, 'seed', WIDTHS);

    await page.getByLabel('Six-digit code').fill(wrongCodeOf(secret, tandem.clock));
    await page.getByRole('button', { name: 'Turn it on' }).click();
    await page.getByText('This is not the code').waitFor();
    await passesAxe(page, 'wrong code', WIDTHS);
    assert.equal((await scanned(page.getByRole('img', { name: 'QR code for your authenticator app' }))).href, uri.href);
    await page.getByLabel('Six-digit code').fill(nextCode(secret));
    await page.getByLabel(/^Name/).fill('Work phone');
    await page.getByRole('button', { name: 'Turn it on' }).click();
    await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
    await page.getByRole('link', { name: 'Go to your authenticator apps' }).click();
    await page.getByText('Your authenticator app is set up.').waitFor();
    await page.getByRole('heading', { name: 'Work phone' }).waitFor();
    await passesAxe(page, 'one app', WIDTHS);

    await page.goto(tandem.url('/account'));
    await page.getByText('Set up: 1').waitFor();
    await passesAxe(page, 'account', WIDTHS);
    await page.getByRole('link', { name: 'Manage app' }).click();
    await page.locator('summary').click();
    await passesAxe(page, 'renaming', WIDTHS);
    await page.getByRole('link', { name: 'Remove Work phone' }).click();
    await page.getByText('your last second factor').waitFor();
    await passesAxe(page, 'removing', WIDTHS);
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.getByText('No authenticator app is set up yet.').waitFor();
  });

  it('copies the key without its gaps', async () => {
    const context = await chromium.open({ ...DESKTOP, permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    await signIn(page, tandem.url('/account/authenticators/add'));
    await page.getByText('Scanning does not work?').click();
    await page.getByRole('button', { name: 'Copy the key' }).click();
    await page.getByText('Copied').waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    assert.equal(copied, (await page.locator('[data-key]').textContent())?.replaceAll(' ', ''));
  });

  it('opens on the phone itself, which needs no QR', async () => {
    const page = await open(PHONE);
    await signIn(page, tandem.url('/account/authenticators/add'));
    const link = page.getByRole('link', { name: 'Open in an app on this device' });
    assert.match((await link.getAttribute('href')) ?? '', /^otpauth:\/\/totp\//);
    assert.ok(!(await page.getByRole('img', { name: 'QR code for your authenticator app' }).isVisible()));
    await page.getByText('The app is on another device').click();
    assert.equal((await scanned(page.getByRole('img', { name: 'QR code for your authenticator app' }))).href, new URL((await link.getAttribute('href'))!).href);
    await passesAxe(page, 'on a phone', [360]);
  });

  it('is set up on the way to a site that asks for level 2', async () => {
    const page = await open();
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:tandem:acr:2' } } });
    await signIn(page, authorizationUrl(tandem, { client_id: 'house', claims }));
    await page.getByRole('link', { name: 'Set up an app now' }).waitFor();
    await passesAxe(page, 'step up', WIDTHS);
    await page.getByRole('link', { name: 'Set up an app now' }).click();
    const secret = (await scanned(page.getByRole('img', { name: 'QR code for your authenticator app' }))).searchParams.get('secret')!;
    await passesAxe(page, 'seed on the way', WIDTHS);
    await page.getByLabel('Six-digit code').fill(nextCode(secret));
    await page.getByRole('button', { name: 'Turn it on' }).click();
    await page.getByRole('button', { name: 'Continue to House' }).waitFor();
    await passesAxe(page, 'codes on the way', WIDTHS);
    // Nothing listens at the site: that it is asked for is the end.
    const back = page.waitForRequest((request) => request.url().startsWith(CALLBACK));
    await page.getByRole('button', { name: 'Continue to House' }).click();
    assert.ok(new URL((await back).url()).searchParams.get('code'));
  });

  it('is refused with a way on', async () => {
    const page = await open();
    const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:tandem:acr:2' } } });
    await signIn(page, authorizationUrl(tandem, { client_id: 'house', claims }));
    const link = page.getByRole('link', { name: 'Set up an app now' });
    await link.waitFor();
    tandem.clock.advance(301_000);
    await link.click();
    await page.getByText('You signed in a while ago').waitFor();
    await passesAxe(page, 'stale', WIDTHS);
  });
});
