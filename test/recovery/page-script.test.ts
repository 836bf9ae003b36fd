import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { DESKTOP, PHONE, useChromium } from '../support/chromium.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import { startWithTotp, type TotpTandem } from '../totp/app.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

onEachDatabase('the page of recovery codes in Chromium', (database) => {
  if (database.name !== 'sqlite') return;
  const chromium = useChromium();
  let tandem: TotpTandem;
  let axe: string;
  before(async () => {
    tandem = await startWithTotp(database);
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  });
  after(() => tandem.close());

  /** Somebody who has just typed the confirm code of a first phone. */
  async function open(options: Parameters<typeof chromium.open>[0] = {}): Promise<Page> {
    const { email, password } = await tandem.registerAccount();
    const context = await chromium.open({ ...DESKTOP, permissions: ['clipboard-read', 'clipboard-write'], ...options });
    const page = await context.newPage();
    await page.goto(tandem.url('/account/devices/add'));
    await page.getByLabel(/e-?mail/i).fill(email);
    await page.getByLabel(/^(password|passwort)/i).fill(password);
    await page.locator('form[action$="/password"] button').click();
    await page.locator('form[action$="/account/devices/add"] button').click();
    const { confirmCode } = await createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock }).enrol(await page.locator('#enrolment-link').inputValue());
    await page.locator('input[name=code]').fill(confirmCode);
    await page.locator('[data-confirm] button').click();
    await page.locator('[data-codes]').waitFor();
    return page;
  }

  const codesOn = (page: Page) => page.locator('[data-list] code').allTextContents();
  const violations = async (page: Page) => {
    await page.evaluate(axe);
    return (await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations }) => violations.map(({ id, nodes }) => id + ' ' + nodes.map(({ html }) => html).join(' ')))`)) as string[];
  };
  const photograph = async (page: Page, name: string) => {
    if (!process.env['PHOTOGRAPHS']) return;
    await mkdir(process.env['PHOTOGRAPHS'], { recursive: true });
    await page.screenshot({ path: `${process.env['PHOTOGRAPHS']}/${name}.png`, fullPage: true });
  };

  it('copies them', async () => {
    const page = await open();
    const codes = await codesOn(page);
    assert.equal(codes.length, 10);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByText('The codes are copied').waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    for (const code of codes) assert.ok(String(copied).includes(`${code}\n`));
    assert.match(String(copied), /^Recovery codes of person\d+@example.com at Tandem\n/);
  });

  it('downloads them as a text file', async () => {
    const page = await open();
    const codes = await codesOn(page);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
    assert.equal(download.suggestedFilename(), 'localhost-recovery-codes.txt');
    const text = await readFile(await download.path(), 'utf8');
    assert.deepEqual(text.trim().split('\n').slice(2), codes);
    assert.match(text, /^Recovery codes of /);
  });

  it('prints them, and nothing around them', async () => {
    const page = await open();
    await page.evaluate('globalThis.printed = 0; globalThis.print = () => { printed += 1; }');
    await page.getByRole('button', { name: 'Print' }).click();
    assert.equal(await page.evaluate('printed'), 1);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('[data-list]').isVisible(), true);
    assert.equal(await page.locator('[data-for]').isVisible(), true);
    for (const hidden of ['button', '.notice', '.actions', '.actions a']) assert.equal(await page.locator(hidden).first().isVisible(), false, hidden);
    await photograph(page, 'print');
  });

  it('does not show them when it is loaded again', async () => {
    const page = await open();
    const codes = await codesOn(page);
    await page.reload();
    await page.getByText('Your phone is connected').waitFor();
    for (const code of codes) assert.ok(!(await page.content()).includes(code));
  });

  it('does not show them to whoever goes back', async () => {
    const page = await open();
    const codes = await codesOn(page);
    await page.getByRole('link', { name: 'I have saved them' }).click();
    await page.getByText('Your phone is connected').waitFor();
    // The page before is a form's answer too, of which the browser keeps nothing.
    await page.goBack().catch((error: Error) => assert.match(error.message, /ERR_CACHE_MISS/));
    await page.waitForURL((url) => !url.href.endsWith('done=added'));
    assert.deepEqual(await codesOn(page), []);
    assert.equal(codes.length, 10);
  });

  it('is not left for another page while the form is on its way', async () => {
    const { email, password } = await tandem.registerAccount();
    const page = await (await chromium.open(DESKTOP)).newPage();
    await page.goto(tandem.url('/account/devices/add'));
    await page.getByLabel(/e-?mail/i).fill(email);
    await page.getByLabel(/^password/i).fill(password);
    await page.locator('form[action$="/password"] button').click();
    await page.getByRole('button', { name: 'Show the code' }).click();
    const { confirmCode } = await createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock }).enrol(await page.locator('#enrolment-link').inputValue());
    await page.locator('input[name=code]').fill(confirmCode);
    // The answer takes longer than the page waits between two looks at how things stand.
    await page.route('**/confirm', async (route) => {
      const response = await route.fetch();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await route.fulfill({ response });
    });
    await page.getByRole('button', { name: 'Connect this phone' }).click();
    await page.locator('[data-codes]').waitFor();
    assert.equal((await codesOn(page)).length, 10);
  });

  it('has them to be marked by hand without scripts', async () => {
    const page = await open({ javaScriptEnabled: false });
    assert.equal((await codesOn(page)).length, 10);
    assert.equal(await page.getByRole('button', { name: 'Copy' }).isVisible(), false);
    assert.equal(await page.locator('noscript p').isVisible(), true);
    await page.getByRole('link', { name: 'I have saved them' }).click();
    await page.getByText('Your phone is connected').waitFor();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, options] of [['wide', DESKTOP], ['narrow', PHONE]] as const) {
      it(`passes axe and fits, ${width} and ${colorScheme}; so do the pages around it`, async function () {
        this.timeout(60_000);
        const page = await open({ ...options, colorScheme });
        const check = async (name: string) => {
          await photograph(page, `${name}-${width}-${colorScheme}`);
          assert.deepEqual(await violations(page), [], name);
          assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, `${name} scrolls sideways`);
        };
        await check('codes');
        const [code = ''] = await codesOn(page);
        await page.goto(tandem.url('/account/recovery-codes'));
        await check('home');
        await page.goto(tandem.url('/account/recovery-codes/new'));
        await check('proof');
        const asking = new URLSearchParams({
          client_id: 'house', response_type: 'code', redirect_uri: 'http://localhost:1/cb', scope: 'openid', code_challenge: 'A'.repeat(43), code_challenge_method: 'S256',
          claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:tandem:acr:2' } } }),
        });
        await page.goto(tandem.url(`/auth?${asking}`));
        await check('step-up');
        await page.getByRole('link', { name: 'Use a recovery code' }).click();
        await page.getByLabel('Recovery code').fill('AAAA-BBBB-CCCC-DDDD');
        await page.getByRole('button', { name: 'Go on' }).click();
        await page.getByText('does not fit').waitFor();
        await check('sign-in');
        await page.getByLabel('Recovery code').fill(code.toLowerCase());
        await page.getByRole('button', { name: 'Go on' }).click();
        await page.getByRole('heading', { name: 'You are in' }).waitFor();
        await check('done');
        await page.goto(tandem.url('/account/recovery-codes'));
        await check('home-none');
      });
    }
  }
});
