import assert from 'node:assert/strict';
import { usePhoneApp } from './phone-app.ts';

describe('the phone web app', function () {
  this.timeout(60_000);
  const app = usePhoneApp();
  const { open, heading, press, shownCode, follow, enrol } = app;

  it('says how to set it up, while it has no account', async () => {
    const { page } = await open();
    await heading(page, 'Set up this phone');
    assert.equal(await page.title(), 'Phone · Tandem');
    const waiting = await app.elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, 'This phone is not set up yet');
    await page.getByRole('link', { name: 'How to set it up' }).click();
    await heading(page, 'Set up this phone');
  });

  it('enrols by link: names the account, shows the code, and is ready once that is typed', async () => {
    const { page } = await open();
    const { link, confirm } = await app.desktop.addPhone();
    await follow(page, link);
    await heading(page, 'Add this phone to ada@example.com?');
    assert.equal(await page.locator('h1').innerHTML(), 'Add this phone to ada<wbr>@example<wbr>.com?');
    await page.getByLabel('Name of this phone').fill('Ada’s Pixel');
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    const code = await shownCode(page);
    assert.match(code, /^\d{6}$/);
    assert.match((await confirm(code)).text, /Your recovery codes/);
    assert.match((await app.desktop.browser.get(app.tandem.url('/account/devices'))).text, /Ada’s Pixel/);
    await heading(page, 'This phone is ready');
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByText('ada@example.com').waitFor();
    await page.getByText('Ada’s Pixel · approves ordinary sign-ins').waitFor();
  });

  it('keeps keys that cannot be read', async () => {
    const { page } = await open();
    await enrol(page);
    const key = await page.evaluate(`(async () => {
      const ended = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
      const database = await ended(indexedDB.open('tandem-phone'));
      const [{ key: { handle } }] = await ended(database.transaction('accounts').objectStore('accounts').getAll());
      const exported = await crypto.subtle.exportKey('jwk', handle).then(() => true, () => false);
      return { type: handle.type, extractable: handle.extractable, exported };
    })()`);
    assert.deepEqual(key, { type: 'private', extractable: false, exported: false });
  });

  it('removes an account, here and in its list of devices', async () => {
    const { page } = await open();
    await enrol(page);
    await page.getByRole('link', { name: 'Done' }).click();
    await press(page, 'Remove ada@example.com');
    await heading(page, 'Remove ada@example.com from this phone?');
    await press(page, /^Remove$/);
    await heading(page, 'Removed');
    await page.getByRole('link', { name: 'Done' }).click();
    await heading(page, 'Set up this phone');
    assert.equal((await app.tandem.knex('tandem_devices').select('state'))[0].state, 'revoked');
  });

  it('drops an account whose phone was revoked elsewhere', async () => {
    const { page } = await open();
    await enrol(page);
    const list = await app.desktop.browser.get(app.tandem.url('/account/devices'));
    const removal = list.links.find((link) => link.endsWith('/remove')) ?? '';
    await app.desktop.browser.submit(await app.desktop.browser.get(removal), '/remove', { reason: 'lost' });
    await page.goto(app.tandem.url('/phone'));
    await heading(page, 'Set up this phone');
  });

  it('verifies the user by WebAuthn where the phone can, and approves level 2 with it', async () => {
    const { context, page } = await open();
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    await enrol(page);
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByText(/checks that it is you/).waitFor();
    // A first device counts as level 1 for a day.
    await app.tandem.knex('tandem_devices').update({ capped_until: null });

    const waiting = await app.elsewhere.wait({ acr_values: 'urn:tandem:acr:2' });
    await follow(page, await waiting.frame());
    await page.getByText('Your phone will check that it is you.').waitFor();
    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    await waiting.confirm(await shownCode(page));
    assert((await waiting.redeem()).get('code'));
  });

  it('says plainly what a phone that cannot verify its user cannot approve', async () => {
    const { page } = await open();
    const { link, confirm } = await app.desktop.addPhone();
    await follow(page, link);
    await page.getByText(/This browser cannot check that it is you/).waitFor();
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    await confirm(await shownCode(page));
    await heading(page, 'This phone is ready');
    const waiting = await app.elsewhere.wait({ acr_values: 'urn:tandem:acr:2' });
    await follow(page, await waiting.frame());
    await page.getByText(/You can only deny/).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0);
    await press(page, 'Deny');
    await heading(page, 'Denied');
  });
});
