import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launchChromium, PHONE } from '../support/chromium.ts';
import { codeOn, linkOn, openScene, PERSON, signInToAccount, startSignIn } from './scene.ts';

/*
 * Takes the picture of the two screens in the README: `node --import tsx test/browser/picture.ts`. Both are real, with a sign-in
 * under way; a third page only lays them side by side.
 */
const scene = await openScene();
const browser = await launchChromium();
const dimensions = { width: 1060, height: 640 };

async function person(options: object) {
  const context = await browser.newContext({ locale: 'en', deviceScaleFactor: 1, colorScheme: 'light', ...options });
  return context.newPage();
}

try {
  const account = await person({ viewport: dimensions });
  const phone = await person({ ...PHONE, viewport: { width: 360, height: 640 }, deviceScaleFactor: 1 });
  await signInToAccount(account, scene);
  await account.getByRole('button', { name: 'Show the code' }).click();
  await phone.goto(await account.locator('#enrolment-link').inputValue());
  await phone.getByRole('button', { name: 'Add this phone' }).click();
  await account.locator('input[name=code]').fill(await codeOn(phone));
  await account.getByRole('button', { name: 'Connect this phone' }).click();
  await phone.getByRole('heading', { name: 'This phone is ready' }).waitFor();

  const desktop = await person({ viewport: dimensions });
  await startSignIn(desktop, scene);
  await desktop.getByLabel(/e-?mail/i).fill(PERSON.email);
  const left = await desktop.screenshot();
  await phone.goto(await linkOn(desktop));
  await phone.getByRole('heading', { name: 'Sign in to Two Cups?' }).waitFor();
  const right = await phone.screenshot();

  const album = await person({ viewport: { width: 1060 + 360 + 60, height: 680 } });
  const image = (png: Buffer, width: number) =>
    `<img src="data:image/png;base64,${png.toString('base64')}" width="${width}" height="640" style="border-radius:14px;box-shadow:0 1px 8px #0004">`;
  await album.setContent(`<body style="margin:0;padding:20px;display:flex;gap:20px;background:#e9e7e2">${image(left, 1060)}${image(right, 360)}</body>`);
  await writeFile(fileURLToPath(new URL('../../.github/two-screens.png', import.meta.url)), await album.screenshot());
} finally {
  await browser.close();
  await scene.close();
}
