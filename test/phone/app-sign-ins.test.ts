import assert from 'node:assert/strict';
import qrcode from 'qrcode';
import { createDesktop } from './desktop.ts';
import { usePhoneApp } from './phone-app.ts';

describe('the phone web app', function () {
  this.timeout(60_000);
  const app = usePhoneApp();
  const { open, heading, press, shownCode, follow, enrol } = app;

  it('approves: shows who asks for what and from where, then the code, which the other screen takes', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, 'Sign in to Relying Party?');
    const card = page.locator('.phone-request');
    for (const words of ['localhost:1', 'ada@example.com', 'Chrome on Linux', 'see your e-mail address', /never signed in on that browser/, /You will get a code/]) {
      await card.getByText(words).waitFor();
    }
    const [code, left] = await Promise.all([/You will get a code/, /Time left/].map((words) => card.locator('.detail span', { hasText: words }).boundingBox()));
    assert(code!.y + code!.height <= left!.y, 'each on a line of its own');
    const [deny, approve] = await Promise.all(['Deny', 'Approve'].map((name) => page.getByRole('button', { name }).boundingBox()));
    assert.deepEqual([deny?.width, deny?.height, deny?.y], [approve?.width, approve?.height, approve?.y], 'both answers have the same weight');

    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    const confirmed = await waiting.confirm(await shownCode(page));
    assert.equal(confirmed.status, 200);
    assert((await waiting.redeem()).get('code'));
    await press(page, 'I have typed it');
    await heading(page, 'Approved');
    await page.getByText('Return to your computer.').waitFor();

    // On a browser that the account has used before, no code is due.
    const again = await app.elsewhere.wait({ prompt: 'login' });
    await follow(page, await again.frame());
    await page.getByText('You have signed in on that browser before.').waitFor();
    await press(page, 'Approve');
    await heading(page, 'Approved');
    assert((await again.redeem()).get('code'));
  });

  it('takes no approval by a click that was on its way before the card could be read', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    const state = async () => ((await app.tandem.knex('tandem_transactions').first('state')) as { state: string }).state;
    // The second half of a double click on the page before: it falls on the card as soon as that is there, and again when the page is shown anew.
    await page.addInitScript(`new MutationObserver(() => {
      const button = document.querySelector('[data-do="approve"]');
      if (!button || button.dataset.clicked) return;
      button.dataset.clicked = button.ariaDisabled ?? 'null';
      button.click();
    }).observe(document, { childList: true, subtree: true })`);
    await follow(page, await waiting.frame());
    await heading(page, 'Sign in to Relying Party?');
    const approve = page.getByRole('button', { name: 'Approve' });
    assert.equal(await approve.getAttribute('data-clicked'), 'true');
    const before = await approve.boundingBox();
    assert.equal(await state(), 'scanned');

    await page.locator('[data-do="approve"]:not([aria-disabled])').waitFor();
    assert.deepEqual(await approve.boundingBox(), before, 'nothing moves');
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange')), document.querySelector('[data-do="approve"]').click()`);
    assert.equal(await state(), 'scanned');
    await heading(page, 'Sign in to Relying Party?');

    await approve.click();
    await heading(page, 'Type this code on the other screen');
    assert.equal(await state(), 'approved');
  });

  it('denies', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    await follow(page, await waiting.frame());
    await press(page, 'Deny');
    await heading(page, 'Denied');
    await page.getByText('Nobody was signed in.').waitFor();
    assert.equal(await waiting.state(), 'denied');
    await page.reload();
    await heading(page, 'Sign in with this phone');
  });

  it('goes on where it was after a reload, with the request and with the code', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, 'Sign in to Relying Party?');
    await page.reload();
    await heading(page, 'Sign in to Relying Party?');
    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    const code = await shownCode(page);
    await page.reload();
    await heading(page, 'Type this code on the other screen');
    assert.equal(await shownCode(page), code);
    assert.equal((await waiting.confirm(code)).status, 200);
    await press(page, 'I have typed it');
    await page.reload();
    await heading(page, 'Sign in with this phone');
  });

  it('claims by a typed code, and says when it is wrong', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    await page.goto(app.tandem.url('/phone#enter'));
    await page.getByLabel('Code or link').fill('hello');
    await press(page, 'Continue');
    await page.getByText('That is neither a code of eight letters nor a link from here.').waitFor();
    await page.getByLabel('Code or link').fill(waiting.userCode === 'BBBB-BBBB' ? 'CCCCCCCC' : 'BBBBBBBB');
    await press(page, 'Continue');
    await page.getByText('No sign-in waits for this code.').waitFor();
    await page.getByLabel('Code or link').fill(waiting.userCode.toLowerCase());
    await press(page, 'Continue');
    await heading(page, 'Sign in to Relying Party?');
    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    assert.equal((await waiting.confirm(await shownCode(page))).status, 200);
  });

  it('asks which account, where there are several', async () => {
    const { page } = await open();
    await enrol(page);
    const grace = await app.tandem.registerAccount({ email: 'grace@example.com' });
    const other = createDesktop(app.tandem);
    await other.signIn(grace);
    await enrol(page, other);
    const waiting = await app.elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, 'Which account?');
    await press(page, 'grace@example.com');
    await page.locator('.phone-request').getByText('grace@example.com').waitFor();
    other.browser.close();

    // Where somebody is signed in already, that account alone may step up; the other choice costs nothing.
    const stepUp = await app.desktop.wait({ acr_values: 'urn:tandem:acr:1:qr' });
    await follow(page, await stepUp.frame());
    await press(page, 'grace@example.com');
    await page.getByText('The other screen asks for another account than grace@example.com.').waitFor();
    await press(page, 'ada@example.com');
    await heading(page, 'Confirm to Relying Party that it is you?');
  });

  it('tells a stale frame, a taken one and an ended one apart, each with a way on', async () => {
    const { page } = await open();
    await enrol(page);
    const problem = async (link: string, title: string) => {
      await page.goto(app.tandem.url('/phone#enter'));
      await page.getByLabel('Code or link').fill(link);
      await press(page, 'Continue');
      await heading(page, title);
      await page.getByRole('link', { name: 'Scan a code' }).waitFor();
    };
    const waiting = await app.elsewhere.wait();
    const old = await waiting.frame();
    app.tandem.clock.advance(11_000);
    await problem(old, 'The code has changed');

    const taken = await waiting.frame();
    await page.goto(app.tandem.url('/phone#enter'));
    await page.getByLabel('Code or link').fill(taken);
    await press(page, 'Continue');
    await heading(page, 'Sign in to Relying Party?');
    await problem(taken, 'Already taken');

    const next = await createDesktop(app.tandem).wait();
    const ended = await next.frame();
    await next.cancel();
    await problem(ended, 'Too late');
    await problem('https://id.example.com/q/1.EBESExQVFhcYGRobHB0eHw.7.8a7PgZNuxPmq8e-GAE2Pqw', 'From another provider');
  });

  it('still takes an opened link that grew stale while the app started', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    const frame = await waiting.frame();
    await page.goto('about:blank');
    await page.route('**/phone/transactions/claim', async (route) => {
      app.tandem.clock.advance(11_000);
      await page.unroute('**/phone/transactions/claim');
      await route.continue();
    });
    await page.goto(frame);
    await heading(page, 'Sign in to Relying Party?');
  });

  it('scans with the camera, and says so of a code that is not for it', async () => {
    const { context, page } = await open();
    await context.grantPermissions(['camera']);
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    const show = async (text: string) => app.camera.show(await qrcode.toBuffer(text, { scale: 6, color: { dark: '#000f', light: '#ffff' } }));
    await show('https://example.com/menu');
    await page.goto(app.tandem.url('/phone#scan'));
    await page.getByText('This code is not for signing in here.').waitFor();
    await show(await waiting.frame());
    await heading(page, 'Sign in to Relying Party?');
    app.camera.away();
    assert.equal(await page.locator('video').count(), 0);
  });

  it('says what to do when the camera is refused', async () => {
    const { context, page } = await open();
    await context.addInitScript(`navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))`);
    await page.reload();
    await page.getByRole('link', { name: 'Scan a code' }).click();
    await heading(page, 'The camera is not allowed');
    await page.getByRole('link', { name: 'Type a code or paste a link' }).click();
    await heading(page, 'Type the code');
  });
});
