import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { PHONE, useChromium } from '../support/chromium.ts';
import { CALLBACK } from '../support/tandem.ts';
import { startQr, type QrHarness } from './harness.ts';

describe('the QR panel in Chromium', function () {
  this.timeout(60_000);
  const chromium = useChromium();
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  let t: QrHarness;
  before(async () => {
    t = await startQr({ name: 'sqlite', url: () => Promise.resolve('sqlite::memory:') });
  });
  after(() => t.close());

  const request = () => {
    const query = { client_id: 'spa', response_type: 'code', redirect_uri: CALLBACK, scope: 'openid', code_challenge: 'a'.repeat(43), code_challenge_method: 'S256' };
    return `${t.issuer}/auth?${new URLSearchParams(query).toString()}`;
  };
  const link = async (page: Page) => (await page.locator('[data-qr]').getAttribute('data-link')) ?? '';

  /** In this state nothing is wider than the window, and axe finds nothing. */
  async function fine(page: Page, state: string) {
    await page.locator(`[data-qr][data-state="${state}"]`).waitFor();
    assert.equal(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0, state);
    await page.evaluate(axe);
    const { violations } = (await page.evaluate('axe.run()')) as { violations: Array<{ id: string; nodes: Array<{ html: string }> }> };
    assert.deepEqual(violations.map(({ id, nodes }) => `${state}: ${id} ${nodes[0]?.html}`), []);
  }

  it('shows every state accessibly at 360 px in the dark, says it, and has a way on by keyboard', async () => {
    const { phone } = await t.person();
    const context = await chromium.open({ viewport: { width: 360, height: 740 }, colorScheme: 'dark', bypassCSP: true });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    const said = () => page.locator('[data-live]').innerText();
    await page.goto(request());
    await fine(page, 'pending');
    assert.match(await said(), /QR code is shown/);
    const cancels = page.getByRole('button', { name: /cancel/i });
    assert.deepEqual(await cancels.allInnerTexts(), ['Cancel and return to Single Page']);

    const claimed = await phone.claim(await link(page));
    await fine(page, 'scanned');
    assert.equal(await cancels.count(), 2);
    assert.match(await said(), /Approve or deny/);
    const { confirmCode } = await phone.decide(claimed, 'approve');
    await fine(page, 'approved');
    await page.keyboard.type(confirmCode === '000000' ? '000001' : '000000');
    await page.keyboard.press('Enter');
    await page.getByText('not the code').waitFor();
    await fine(page, 'approved');
    await page.locator('[data-qr] [data-cancel]').focus();
    await page.keyboard.press('Enter');
    await fine(page, 'cancelled');
    assert.equal(await page.evaluate('document.activeElement.hasAttribute("data-again")'), true);
    await page.keyboard.press('Enter');
    await fine(page, 'pending');

    await phone.deny(await link(page));
    await fine(page, 'denied');
    assert.match(await said(), /Denied on your phone/);
    await page.locator('[data-again]').click();
    await fine(page, 'pending');

    const second = await phone.approve(await link(page));
    await page.locator('[data-qr][data-state="approved"]').waitFor();
    assert.equal(await page.locator('#qr-confirm-problem').isVisible(), false);
    await page.keyboard.type(second.confirmCode!);
    const redeemed = page.waitForRequest((sent) => sent.url().startsWith(CALLBACK));
    await page.keyboard.press('Enter');
    assert.match((await redeemed).url(), /[?&]code=/);
    assert.deepEqual(problems, []);
    await context.close();
  });

  it('renews its QR in place, turns its frames, and waits for a click after ten minutes', async () => {
    const context = await chromium.open();
    const page = await context.newPage();
    await page.goto(request());
    await page.locator('[data-qr][data-state="pending"]').waitFor();
    const changed = async (advance: number) => {
      const before = await link(page);
      const tx = before.split('.').at(-3);
      t.clock.advance(advance);
      await page.locator(`[data-qr]:not([data-link="${before}"])`).waitFor();
      return (await link(page)).split('.').at(-3) !== tx;
    };
    assert.equal(await changed(5_000), false);
    for (let minutes = 2; minutes < 10; minutes += 2) assert.equal(await changed(120_000), true);
    t.clock.advance(120_000);
    await page.locator('[data-qr][data-state="expired"]').waitFor();
    await page.locator('[data-again]').click();
    await page.locator('[data-qr][data-state="pending"]').waitFor();
    await context.close();
  });

  it('falls back to asking where streams do not get through', async () => {
    const { phone } = await t.person();
    const context = await chromium.open();
    const page = await context.newPage();
    await page.route('**/qr/events', (route) => route.abort());
    await page.goto(request());
    await page.locator('[data-qr][data-state="pending"]').waitFor();
    await phone.claim(await link(page));
    await page.locator('[data-qr][data-state="scanned"]').waitFor({ timeout: 20_000 });
    await context.close();
  });

  it('offers the app in place of the QR on a phone', async () => {
    const context = await chromium.open(PHONE);
    const page = await context.newPage();
    await page.goto(request());
    await page.locator('[data-qr][data-state="pending"]').waitFor();
    const app = page.getByRole('link', { name: 'Open in the app' });
    assert.equal(await app.getAttribute('href'), await link(page));
    assert.match(await page.locator('[data-live]').innerText(), /You are on your phone/);
    const folded = ['[data-code]', '.qr-ring', '[data-user-code]'];
    for (const part of folded) assert.equal(await page.locator(part).isVisible(), false, part);
    await page.locator('[data-qr] summary').click();
    for (const part of folded) assert.equal(await page.locator(part).isVisible(), true, part);
    await context.close();
  });
});
