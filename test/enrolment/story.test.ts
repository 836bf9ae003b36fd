import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRelyingSite } from '../../src/demo/relying-site.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import { codeOn, newDesktop, newPhone, qrState, scan, startSignIn } from '../browser/scene.ts';
import { createCamera } from '../support/camera.ts';
import { useChromium } from '../support/chromium.ts';
import { startEnrolment, type EnrolmentHarness } from './harness.ts';
import { createRegistrationSite } from './site.ts';

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

const SECRET = 'two-cups-secret-two-cups-secret-two-cups';

describe('a registration at a shop, in Chromium', function () {
  this.timeout(90_000);
  const camera = createCamera();
  const chromium = useChromium({ camera: () => camera.file });
  const servers: Server[] = [];
  let t: EnrolmentHarness;

  after(async () => {
    camera.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await (t as EnrolmentHarness | undefined)?.close();
  });

  it('goes from the token to a sign-in by QR at another site', async () => {
    const cups = createServer();
    const site = await listening(cups);
    const other = { client_id: 'two-cups', client_secret: SECRET, client_name: 'Two Cups', redirect_uris: [`${site}/callback`], post_logout_redirect_uris: [`${site}/signed-out`] };
    t = await startEnrolment({ open: () => Promise.resolve(openDatabase('sqlite::memory:')) }, { more: () => [other] });
    const scene = { tandem: t, site, close: async () => undefined };
    const shop = createRegistrationSite({ issuer: t.issuer, clientId: 'shop', clientSecret: 'shop-secret-'.repeat(6) });
    const shopUrl = await listening(shop.server);
    servers.push(cups, shop.server);
    cups.on('request', createRelyingSite({ issuer: t.issuer, clientId: 'two-cups', clientSecret: SECRET, url: site }).callback());

    const desktop = await newDesktop(chromium);
    const phones = await newPhone(chromium, { keep: true });
    const phone = await phones.newPage();
    await desktop.goto(shopUrl);
    await desktop.getByLabel('E-mail').fill('ada@example.com');
    await desktop.getByLabel('Name').fill('Ada');
    await desktop.getByRole('button', { name: 'Join' }).click();
    await scan(scene, camera, phone, desktop.getByAltText('QR code'), async () => {
      await phone.getByRole('button', { name: 'Add this phone' }).waitFor();
    });
    assert.match(await phone.locator('main').innerText(), /ada@example\.com/);
    await phone.getByRole('button', { name: 'Add this phone' }).click();
    const code = await codeOn(phone);

    const field = desktop.getByLabel('Code');
    await field.waitFor();
    await field.fill(code === '000000' ? '000001' : '000000');
    await desktop.getByRole('button', { name: 'Connect' }).click();
    await desktop.getByRole('alert').waitFor();
    await field.fill(code);
    await desktop.waitForTimeout(1100);
    await desktop.getByRole('button', { name: 'Connect' }).click();
    // Asked within a second, the shop is told to slow down, and shows what it knew.
    for (let tries = 0; tries < 5 && !(await desktop.getByRole('heading', { name: 'Welcome' }).isVisible()); tries += 1) {
      await desktop.waitForTimeout(1100);
      await desktop.reload();
    }
    await desktop.getByText('Your phone is connected').waitFor();
    await phone.getByRole('heading', { name: 'This phone is ready' }).waitFor();
    assert.deepEqual(shop.states(), [['pending', 'scanned', 'enrolled']]);

    await startSignIn(desktop, scene);
    await scan(scene, camera, phone, desktop.locator('svg[data-code]'), async () => {
      await phone.getByRole('heading', { name: 'Sign in to Two Cups?' }).waitFor();
    });
    await qrState(desktop, 'scanned');
    await phone.getByRole('button', { name: 'Approve' }).click();
    await desktop.getByLabel('Code on your phone').fill(await codeOn(phone));
    await desktop.getByRole('button', { name: 'Confirm' }).click();
    // The first page of the provider's that she sees: here are her recovery codes.
    await desktop.getByRole('link', { name: 'I have saved them' }).click();
    await desktop.getByRole('heading', { name: 'Hello Ada' }).waitFor();
    const { idToken } = (await (await desktop.request.get(`${site}/me`)).json()) as { idToken: Record<string, unknown> };
    assert.equal(idToken['acr'], 'urn:tandem:acr:1:qr');
    assert.deepEqual(t.errors, []);
  });
});
