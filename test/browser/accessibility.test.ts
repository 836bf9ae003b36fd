import { DESKTOP, useChromium } from '../support/chromium.ts';
import { passesAxe as passes } from './axe.ts';
import { codeOn, linkOn, newPerson, newPhone, openLink, openScene, phoneOf, qrState, signInToAccount, startSignIn, type Scene } from './scene.ts';

describe('every page passes axe at WCAG 2.2 AA, wide and narrow, light and dark', function () {
  this.timeout(180_000);
  const chromium = useChromium();
  let scene: Scene;

  before(async () => {
    scene = await openScene();
  });
  after(async () => {
    await (scene as Scene | undefined)?.close();
  });

  const open = async () => (await chromium.open(DESKTOP)).newPage();

  it('the account: sign-in, registration, profile, password, phones', async () => {
    const page = await open();
    await page.goto(scene.tandem.url('/account'));
    await qrState(page, 'pending');
    await passes(page, 'sign-in');
    await page.getByRole('link', { name: /create|register/i }).click();
    await passes(page, 'registration');
    await signInToAccount(page, scene, '/account');
    await passes(page, 'account');
    for (const path of ['/account/password', '/account/devices', '/account/devices/add']) {
      await page.goto(scene.tandem.url(path));
      await passes(page, path);
    }
    await page.getByRole('button', { name: 'Show the code' }).click();
    await page.locator('canvas[data-qr]').waitFor();
    await passes(page, 'enrolment');
  });

  it('a QR sign-in on both screens, state by state', async () => {
    const phones = await phoneOf(chromium, scene, await newPerson(scene, 'Axel'));
    const desktop = await open();
    await startSignIn(desktop, scene);
    await passes(desktop, 'pending');
    const phone = await openLink(phones, await linkOn(desktop));
    await phone.getByRole('heading', { name: 'Sign in to Two Cups?' }).waitFor();
    await passes(phone, 'request');
    await qrState(desktop, 'scanned');
    await passes(desktop, 'scanned');
    await phone.getByRole('button', { name: 'Approve' }).click();
    await codeOn(phone);
    await passes(phone, 'code');
    await qrState(desktop, 'approved');
    await passes(desktop, 'approved');
    await desktop.getByLabel('Code on your phone').fill('000000');
    await desktop.getByRole('button', { name: 'Confirm' }).click();
    await desktop.locator('[data-problem]:visible').waitFor();
    await passes(desktop, 'wrong code');
    await desktop.locator('[data-qr]').getByRole('button', { name: 'Cancel' }).click();
    await qrState(desktop, 'cancelled');
    await passes(desktop, 'cancelled');
    await desktop.locator('[data-qr]').getByRole('button', { name: 'Try again' }).click();
    await qrState(desktop, 'pending');
    await phone.goto('about:blank');
    await phone.goto(await linkOn(desktop));
    await phone.getByRole('button', { name: 'Deny' }).click();
    await phone.getByRole('heading', { name: 'Denied' }).waitFor();
    await passes(phone, 'denied');
  });

  it('the phone app: welcome, home, typing a code, scanning, problems', async () => {
    const fresh = await openLink(await newPhone(chromium), scene.tandem.url('/phone'));
    await fresh.getByRole('heading', { name: 'Set up this phone' }).waitFor();
    await passes(fresh, 'welcome');
    await fresh.getByRole('link', { name: 'Type a code or paste a link' }).click();
    await fresh.getByLabel('Code or link').waitFor();
    await passes(fresh, 'typing');
    await fresh.goto(scene.tandem.url('/phone#scan'));
    await fresh.getByRole('heading', { name: 'Scan the code' }).waitFor();
    await passes(fresh, 'scanning');
    const phone = await openLink(await phoneOf(chromium, scene, await newPerson(scene, 'Alex')), scene.tandem.url('/phone'));
    await phone.getByRole('heading', { name: 'Sign in with this phone' }).waitFor();
    await passes(phone, 'home');
  });

  it('the pages around: errors, stale links, links on a desktop, consent, sign-out', async () => {
    const page = await open();
    for (const path of ['/interaction/none', '/auth?client_id=unknown', '/q/1.AAAAAAAAAAAAAAAAAAAAAA.0.AAAAAAAAAAAAAAAAAAAAAA', `/e/1.${'A'.repeat(43)}`, '/session/end']) {
      await page.goto(scene.tandem.url(path));
      await passes(page, path);
    }
    const person = await newPerson(scene, 'Alix');
    await startSignIn(page, scene);
    const stranger = await open();
    await stranger.goto(await linkOn(page));
    await passes(stranger, 'a link on a desktop');
    await page.getByLabel(/e-?mail/i).fill(person.email);
    await page.getByLabel(/^password/i).fill(person.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: 'Allow' }).waitFor();
    await passes(page, 'consent');
    await page.getByRole('button', { name: 'Allow' }).click();
    await passes(page, 'the relying site');
  });
});
