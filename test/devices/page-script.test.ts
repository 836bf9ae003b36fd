import assert from 'node:assert/strict';
import { useChromium } from '../support/chromium.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startDevices } from './harness.ts';
import type { DevicesHarness } from './harness.ts';

onEachDatabase('the enrolment page in Chromium', (database) => {
  if (database.name !== 'sqlite') return;
  const chromium = useChromium();
  let t: DevicesHarness;
  before(async () => {
    t = await startDevices(database);
  });
  after(() => t.close());

  async function open(account: string, options: Parameters<typeof chromium.open>[0] = {}) {
    const context = await chromium.open({ ...options, extraHTTPHeaders: { 'x-account': account, 'x-acr': 'urn:tandem:acr:1' } });
    const page = await context.newPage();
    await page.goto(`${t.issuer}/account/devices/add`);
    await page.getByRole('button', { name: 'Show the code' }).click();
    const link = await page.getByLabel('Or open this link on the phone').inputValue();
    return { page, link };
  }

  it('draws the QR, follows the phone, and takes the code', async () => {
    const { page, link } = await open('chris');
    const qr = page.getByRole('img', { name: 'QR code to add a phone' });
    await qr.waitFor();
    assert.ok((await qr.boundingBox())!.width > 200);
    await page.getByText(/Valid for another 4:5\d/).waitFor();
    assert.equal(await page.getByLabel('Digits on the phone').isVisible(), false);

    const { confirmCode } = await t.phone().enrol(link, { name: 'Green phone' });
    await page.getByText('Green phone').waitFor();
    assert.equal(await qr.isVisible(), false);
    const field = page.getByLabel('Digits on the phone');
    await field.waitFor();
    assert.equal(await field.evaluate((input) => input === input.ownerDocument.activeElement), true, 'the field has the focus');

    await field.fill('1');
    await field.press('Enter');
    await page.getByText('Tries left: 2').waitFor();
    await page.getByLabel('Digits on the phone').fill(confirmCode);
    await page.getByRole('button', { name: 'Connect this phone' }).click();
    await page.getByText('Your phone is connected').waitFor();
  });

  it('says that the time is up, with a way on', async () => {
    const { page } = await open('dana');
    t.advance(5 * 60_000 + 1);
    await page.getByText('The time is up').waitFor();
    assert.equal(await page.getByLabel('Or open this link on the phone').isVisible(), false);
    await page.getByRole('link', { name: 'Start again' }).click();
    await page.getByRole('button', { name: 'Show the code' }).waitFor();
  });

  it('shows code, link and form without scripts', async () => {
    const { page, link } = await open('eli', { javaScriptEnabled: false });
    assert.ok((await page.locator('noscript svg').boundingBox())!.width > 200);
    const { confirmCode } = await t.phone().enrol(link);
    await page.getByLabel('Digits on the phone').fill(confirmCode);
    await page.getByRole('button', { name: 'Connect this phone' }).click();
    await page.getByText('Your phone is connected').waitFor();
  });
});
