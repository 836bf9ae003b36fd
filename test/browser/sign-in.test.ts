import assert from 'node:assert/strict';
import type { BrowserContext } from 'playwright-core';
import { createCamera } from '../support/camera.ts';
import { useChromium } from '../support/chromium.ts';
import { codeOn, enrolByCamera, linkOn, newDesktop, newPhone, openScene, PERSON, qrState, scan, startSignIn, type Scene } from './scene.ts';

describe('signing in at a relying site with a phone, in Chromium', function () {
  this.timeout(90_000);
  const camera = createCamera();
  const chromium = useChromium({ camera: () => camera.file });
  let scene: Scene;
  /** A phone that was enrolled by scanning. */
  let phones: BrowserContext;

  before(async () => {
    scene = await openScene();
    phones = await newPhone(chromium, { keep: true });
    await enrolByCamera(chromium, scene, camera, phones);
  });
  after(async () => {
    camera.close();
    await (scene as Scene | undefined)?.close();
  });

  it('scans the pixels of the page, reads who asks, approves, types the code, and is greeted by the site', async () => {
    const desktop = await newDesktop(chromium);
    const phone = await phones.newPage();
    await startSignIn(desktop, scene);
    await scan(scene, camera, phone, desktop.locator('svg[data-code]'), async () => {
      await phone.getByRole('heading', { name: 'Sign in to Two Cups?' }).waitFor();
    });
    await qrState(desktop, 'scanned');
    const card = await phone.locator('main').innerText();
    assert.match(card, /ada@example\.com/);
    assert.match(card, /localhost/);
    assert.match(card, /Chrome/);

    await phone.getByRole('button', { name: 'Approve' }).click();
    const code = await codeOn(phone);
    assert.match(code, /^\d{6}$/);
    await desktop.getByLabel('Code on your phone').fill(code);
    await desktop.getByRole('button', { name: 'Confirm' }).click();
    await desktop.waitForURL(`${scene.site}/`);
    await desktop.getByRole('heading', { name: `Hello ${PERSON.name}` }).waitFor();
    const { idToken } = (await (await desktop.request.get(`${scene.site}/me`)).json()) as { idToken: Record<string, unknown> };
    assert.equal(idToken['acr'], 'urn:tandem:acr:1:qr');
    assert.deepEqual(idToken['amr'], ['swk', 'user', 'mca']);
    assert.notEqual(idToken['sub'], PERSON.email);
    await phone.close();
  });

  it('asks for no code on a browser that the account knows', async () => {
    const desktop = await newDesktop(chromium);
    const phone = await phones.newPage();
    await startSignIn(desktop, scene);
    await phone.goto(await linkOn(desktop));
    await phone.getByRole('button', { name: 'Approve' }).click();
    await desktop.getByLabel('Code on your phone').fill(await codeOn(phone));
    await desktop.getByRole('button', { name: 'Confirm' }).click();
    await desktop.getByRole('heading', { name: 'Hello Ada' }).waitFor();

    await desktop.getByRole('button', { name: /sign out/i }).click();
    await desktop.getByRole('button', { name: /yes/i }).click();
    await startSignIn(desktop, scene);
    await phone.goto('about:blank');
    await phone.goto(await linkOn(desktop));
    await phone.getByRole('button', { name: 'Approve' }).click();
    await desktop.getByRole('heading', { name: 'Hello Ada' }).waitFor();
    await phone.close();
  });
});
