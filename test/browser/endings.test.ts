import assert from 'node:assert/strict';
import type { BrowserContext, Page } from 'playwright-core';
import { useChromium } from '../support/chromium.ts';
import { cheatingPhoneOf, codeOn, linkOn, newDesktop, newPerson, openLink, openScene, phoneOf, qrState, startSignIn, type Scene } from './scene.ts';

const LIFETIME = 121_000;

describe('what a person sees when a QR sign-in goes another way, in Chromium', function () {
  this.timeout(90_000);
  const chromium = useChromium();
  let scene: Scene;
  let people = 0;
  let phones: BrowserContext;
  let person: { email: string; password: string };
  let desktop: Page;

  before(async () => {
    scene = await openScene();
  });
  after(async () => {
    await (scene as Scene | undefined)?.close();
  });
  beforeEach(async () => {
    person = await newPerson(scene, `Person${(people += 1)}`);
    phones = await phoneOf(chromium, scene, person);
    desktop = await newDesktop(chromium);
    await startSignIn(desktop, scene);
  });

  const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name }).waitFor();
  const greeted = () => desktop.getByRole('heading', { name: /^Hello/ }).waitFor();

  /** The panel shows these words, and a screen reader is told as well. */
  async function says(words: string) {
    await desktop.locator('[data-qr] [data-when]:visible').getByText(words).waitFor();
    await desktop.locator('[data-live], [role=alert]').getByText(words).first().waitFor({ state: 'attached' });
  }

  /** The phone opens the QR's link and stands before the request. */
  async function claim(): Promise<Page> {
    const phone = await openLink(phones, await linkOn(desktop));
    await heading(phone, 'Sign in to Two Cups?');
    await qrState(desktop, 'scanned');
    return phone;
  }

  async function type(code: string) {
    await desktop.getByLabel('Code on your phone').fill(code);
    await desktop.getByRole('button', { name: 'Confirm' }).click();
  }

  /** Approves what the page shows now, types the code, and is greeted: there was a way on. */
  async function signInAfterAll() {
    const phone = await claim();
    await phone.getByRole('button', { name: 'Approve' }).click();
    await type(await codeOn(phone));
    await greeted();
  }

  async function tryAgain() {
    await desktop.locator('[data-qr]').getByRole('button', { name: 'Try again' }).click();
    await qrState(desktop, 'pending');
  }

  it('denied: both screens say so, and the site signs nobody in', async () => {
    const phone = await claim();
    await phone.getByRole('button', { name: 'Deny' }).click();
    await heading(phone, 'Denied');
    await says('Denied on your phone');
    await desktop.getByRole('button', { name: 'Cancel and return to Two Cups' }).click();
    await heading(desktop, 'You are not signed in');
    assert.equal((await desktop.request.get(`${scene.site}/me`)).status(), 401);
  });

  it('denied by mistake: the same page starts anew', async () => {
    const phone = await claim();
    await phone.getByRole('button', { name: 'Deny' }).click();
    await qrState(desktop, 'denied');
    await tryAgain();
    await signInAfterAll();
  });

  it('expired while nobody scanned: renewed in place, and after ten minutes at a click', async () => {
    const first = await linkOn(desktop);
    const transaction = (link: string) => link.split('/q/1.')[1]?.split('.')[0];
    scene.tandem.clock.advance(LIFETIME);
    await desktop.locator(`[data-qr][data-state=pending]:not([data-link*="${transaction(first)}"])`).waitFor();
    const gone = await openLink(phones, first);
    await heading(gone, /out of date|has been used/);

    scene.tandem.clock.advance(10 * 60_000);
    await qrState(desktop, 'expired');
    await says('This code has expired');
    await tryAgain();
    await signInAfterAll();
  });

  it('expired while the phone showed the request: both say so, and there is a way on', async () => {
    await phones.clock.install();
    const phone = await claim();
    scene.tandem.clock.advance(LIFETIME);
    await says('That took too long');
    await phone.clock.fastForward(LIFETIME);
    await heading(phone, 'Too late');
    await phone.clock.resume();
    await tryAgain();
    await signInAfterAll();
  });

  it('cancelled on the computer: the phone that comes after is told', async () => {
    const phone = await claim();
    await desktop.locator('[data-qr]').getByRole('button', { name: 'Cancel' }).click();
    await says('You have cancelled this sign-in.');
    await phone.getByRole('button', { name: 'Approve' }).click();
    await heading(phone, /Too late|Nothing waits here/);
    await tryAgain();
    await signInAfterAll();
  });

  it('a wrong confirm code three times ends it', async () => {
    const phone = await claim();
    await phone.getByRole('button', { name: 'Approve' }).click();
    const right = await codeOn(phone);
    const wrong = right === '000000' ? '000001' : '000000';
    await type(wrong);
    await says('This is not the code that your phone shows. Look again.');
    await type(wrong);
    await says('You have one more try.');
    await type(wrong);
    await says('The code was wrong three times');
    assert.equal(await desktop.getByLabel('Code on your phone').isVisible(), false);
    await tryAgain();
    await signInAfterAll();
  });

  it('a second phone comes too late', async () => {
    const link = await linkOn(desktop);
    const phone = await claim();
    const other = await openLink(await phoneOf(chromium, scene, await newPerson(scene, 'Second')), link);
    await heading(other, /has been used|Already taken/);
    await phone.getByRole('button', { name: 'Approve' }).click();
    await type(await codeOn(phone));
    await greeted();
  });

  it('a phone that is revoked while it shows the request can approve nothing', async () => {
    const phone = await claim();
    const account = await newDesktop(chromium);
    await account.goto(scene.tandem.url('/account/devices'));
    await account.getByLabel(/e-?mail/i).fill(person.email);
    await account.getByLabel(/^password/i).fill(person.password);
    await account.getByRole('button', { name: 'Sign in', exact: true }).click();
    await account.getByRole('link', { name: 'Remove' }).click();
    await account.getByRole('button', { name: 'This phone is lost' }).click();
    await account.getByText('The phone is locked out').waitFor();

    await says('That phone can no longer sign in');
    await phone.getByRole('button', { name: 'Approve' }).click();
    await heading(phone, 'This phone was removed');
    await tryAgain();
    await phone.goto(await linkOn(desktop));
    await heading(phone, /This phone (is not set up yet|was removed)/);
    await qrState(desktop, 'pending');
  });

  it('a forged signature changes nothing on the screen, and the right phone still signs in', async () => {
    const cheat = await cheatingPhoneOf(scene, await newPerson(scene, `Forger${people}`));
    cheat.tamper = { key: cheat.strangeKey() };
    await assert.rejects(cheat.claim(await linkOn(desktop)), { code: 'invalid_signature' });
    await qrState(desktop, 'pending');

    cheat.tamper = {};
    const claimed = await cheat.claim(await linkOn(desktop));
    await qrState(desktop, 'scanned');
    cheat.tamper = { key: cheat.strangeKey() };
    await assert.rejects(cheat.decide(claimed, 'approve'), { code: 'invalid_signature' });
    await qrState(desktop, 'scanned');
    await desktop.locator('[data-qr]').getByRole('button', { name: 'Cancel' }).click();
    await tryAgain();
    await signInAfterAll();
  });

  it('a stale frame is refused with a way on, and the next one is taken', async () => {
    const photographed = await linkOn(desktop);
    scene.tandem.clock.advance(11_000);
    await desktop.locator(`[data-qr]:not([data-link="${photographed}"])`).waitFor();
    await heading(await openLink(phones, photographed), 'This QR code is out of date');
    await qrState(desktop, 'pending');
    await signInAfterAll();
  });

  it('another browser that knows the interaction and the transaction sees and gets nothing', async () => {
    const uid = /\/interaction\/([\w-]+)/.exec(desktop.url())?.[1];
    assert(uid);
    const thief = await newDesktop(chromium);
    await startSignIn(thief, scene);
    const phone = await claim();
    await phone.getByRole('button', { name: 'Approve' }).click();
    const code = await codeOn(phone);

    const csrf = await thief.locator('input[name=csrf]').first().inputValue();
    async function ask(path: string, form?: Record<string, string>): Promise<string> {
      const headers = { accept: 'application/json', origin: scene.tandem.issuer };
      const url = scene.tandem.url(`/interaction/${path}`);
      const answer = form ? await thief.request.post(url, { headers, form: { csrf, ...form }, maxRedirects: 0 }) : await thief.request.get(url, { headers });
      return `${answer.status()} ${(JSON.parse(await answer.text()) as { error?: string }).error}`;
    }
    const all = (id: string) =>
      Promise.all([ask(`${id}/qr/status`), ask(`${id}/qr/events`), ask(`${id}/qr/confirm`, { code }), ask(`${id}/qr/cancel`, {}), ask(`${id}/redeem`, {})]);
    const answers = { victims: await all(uid), unknown: await all('A'.repeat(uid.length)) };
    assert.deepEqual(answers.victims, answers.unknown);
    for (const answer of answers.victims) assert.match(answer, /^(404|410) /);
    await thief.goto(desktop.url());
    assert.equal(await thief.locator('[data-qr]').count(), 0);

    await type(code);
    await greeted();
  });
});
