import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrowserContext, Page } from 'playwright-core';
import { createRelyingSite } from '../../src/demo/relying-site.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import type { Camera } from '../support/camera.ts';
import { DESKTOP, PHONE, type Chromium } from '../support/chromium.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { createDesktop } from '../phone/desktop.ts';
import { startTandem, TEST_CLIENTS, type TestTandem } from '../support/tandem.ts';

export const PERSON = { email: 'ada@example.com', password: 'two cups of tea before noon', name: 'Ada' };
const SECRET = 'demo-secret-demo-secret-demo-secret-demo';

/** A provider and a relying site that a person could visit. */
export interface Scene {
  readonly tandem: TestTandem;
  /** The relying site. */
  readonly site: string;
  close(): Promise<void>;
}

export async function openScene(): Promise<Scene> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const site = `http://localhost:${(server.address() as AddressInfo).port}`;
  const client = {
    client_id: 'two-cups',
    client_secret: SECRET,
    client_name: 'Two Cups',
    redirect_uris: [`${site}/callback`],
    post_logout_redirect_uris: [`${site}/signed-out`],
  };
  const tandem = await startTandem({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) }, { clients: [...Object.values(TEST_CLIENTS), client] });
  await tandem.registerAccount(PERSON);
  server.on('request', createRelyingSite({ issuer: tandem.issuer, clientId: client.client_id, clientSecret: SECRET, url: site }).callback());
  return {
    tandem,
    site,
    async close() {
      server.close();
      server.closeAllConnections();
      await tandem.close();
      await tandem.knex.destroy();
    },
  };
}

/** A desktop browser on which nobody has signed in yet. */
export async function newDesktop(chromium: Chromium, options: Parameters<Chromium['open']>[0] = {}): Promise<Page> {
  return (await chromium.open({ ...DESKTOP, ...options })).newPage();
}

/** Signs in with the password, which makes the browser known to the account, and opens the page of the phones. */
export async function signInToAccount(desktop: Page, { tandem }: Pick<Scene, 'tandem'>, path = '/account/devices/add'): Promise<void> {
  await desktop.goto(tandem.url(path));
  await desktop.getByLabel(/e-?mail/i).fill(PERSON.email);
  await desktop.getByLabel(/^password/i).fill(PERSON.password);
  await desktop.getByRole('button', { name: 'Sign in', exact: true }).click();
  await desktop.waitForURL(`**${path}`);
}

/** Puts a phone on the account, by its camera: the page's pixels are all that it gets of the enrolment. */
export async function enrolByCamera(chromium: Chromium, scene: Scene, camera: Camera, phoneContext: BrowserContext): Promise<void> {
  const desktop = await newDesktop(chromium);
  const phone = await phoneContext.newPage();
  await signInToAccount(desktop, scene);
  await desktop.getByRole('button', { name: 'Show the code' }).click();
  await scan(scene, camera, phone, desktop.locator('canvas[data-qr]'), async () => {
    await phone.getByRole('button', { name: 'Add this phone' }).click();
  });
  const code = await codeOn(phone);
  await desktop.locator('input[name=code]').fill(code);
  await desktop.getByRole('button', { name: 'Connect this phone' }).click();
  await desktop.getByRole('link', { name: 'I have saved them' }).click();
  await desktop.getByText('Your phone is connected').waitFor();
  await phone.getByRole('heading', { name: 'This phone is ready' }).waitFor();
  await phone.close();
  await desktop.context().close();
}

/** Points the phone's camera at an element until `then` has come to pass. */
export async function scan(scene: Scene, camera: Camera, phone: Page, element: ReturnType<Page['locator']>, then: () => Promise<unknown>): Promise<void> {
  const filming = camera.film(element);
  try {
    await phone.goto(scene.tandem.url('/phone'));
    await phone.getByRole('link', { name: 'Scan a code' }).click();
    await then();
  } finally {
    await filming.stop();
    camera.away();
  }
}

/** The six digits that the phone shows. */
export async function codeOn(phone: Page): Promise<string> {
  const code = phone.locator('[data-code]');
  await code.waitFor();
  return (await code.getAttribute('data-code')) ?? '';
}

/** Starts at the relying site and comes to the sign-in page with its QR. */
export async function startSignIn(desktop: Page, { site }: Pick<Scene, 'site'>): Promise<void> {
  await desktop.goto(site);
  await desktop.getByRole('link', { name: /sign in/i }).first().click();
  await qrState(desktop, 'pending');
}

/** Waits until the QR panel shows a state. */
export async function qrState(desktop: Page, state: string): Promise<void> {
  await desktop.locator(`[data-qr][data-state="${state}"]`).waitFor();
}

/** The link in the QR that is shown now, read from the page as a copier would. */
export async function linkOn(desktop: Page): Promise<string> {
  return (await desktop.locator('[data-qr]').getAttribute('data-link')) ?? '';
}

/** Opens a link on the phone, as its system camera would. */
export async function openLink(phoneContext: BrowserContext, link: string): Promise<Page> {
  const phone = await phoneContext.newPage();
  await phone.goto(link);
  return phone;
}

/** A phone's browser with nothing on it. */
export async function newPhone(chromium: Chromium, { keep = false } = {}): Promise<BrowserContext> {
  return chromium.open({ ...PHONE, keep });
}

/** Somebody else with an account. */
export async function newPerson({ tandem }: Scene, name: string): Promise<{ email: string; password: string }> {
  return tandem.registerAccount({ email: `${name.toLowerCase()}@example.com`, password: `${name} drinks tea before noon`, name });
}

/** A phone's browser that belongs to somebody, enrolled by opening the link. */
export async function phoneOf(chromium: Chromium, { tandem }: Scene, person: { email: string; password: string }): Promise<BrowserContext> {
  const computer = createDesktop(tandem);
  await computer.signIn(person);
  const { link, confirm } = await computer.addPhone();
  const context = await newPhone(chromium);
  const phone = await openLink(context, link);
  await phone.getByRole('button', { name: 'Add this phone' }).click();
  await confirm(await codeOn(phone));
  await phone.getByRole('heading', { name: 'This phone is ready' }).waitFor();
  await phone.close();
  computer.browser.close();
  return context;
}

/** A phone of somebody that signs what it is told to. */
export async function cheatingPhoneOf({ tandem }: Scene, person: { email: string; password: string }): Promise<VirtualPhone> {
  const computer = createDesktop(tandem);
  await computer.signIn(person);
  const { link, confirm } = await computer.addPhone();
  const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock });
  await confirm((await phone.enrol(link)).confirmCode);
  computer.browser.close();
  return phone;
}
