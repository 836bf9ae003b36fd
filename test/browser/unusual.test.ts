import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRelyingSite } from '../../src/demo/relying-site.ts';
import { useChromium } from '../support/chromium.ts';
import { run, temporaryFolder, type Program } from '../server/program.ts';
import { codeOn, linkOn, newDesktop, newPerson, newPhone, openLink, openScene, PERSON, phoneOf, qrState, startSignIn } from './scene.ts';

describe('signing in by QR where not all is as usual, in Chromium', function () {
  this.timeout(120_000);
  const chromium = useChromium();
  const folder = temporaryFolder();

  it('works in a browser without scripts', async () => {
    const scene = await openScene();
    try {
      const phones = await phoneOf(chromium, scene, await newPerson(scene, 'Plain'));
      const desktop = await newDesktop(chromium, { javaScriptEnabled: false });
      await desktop.goto(scene.site);
      await desktop.getByRole('link', { name: /sign in/i }).first().click();
      await desktop.getByRole('button', { name: 'Show the QR code' }).click();
      await desktop.getByRole('img', { name: 'QR code to sign in' }).waitFor();
      const link = await desktop.getByRole('link', { name: 'Open the app in this browser' }).getAttribute('href');
      const phone = await openLink(phones, link!);
      await phone.getByRole('button', { name: 'Approve' }).click();
      const code = await codeOn(phone);
      // The page looks for itself, by a meta refresh.
      await desktop.getByLabel('Code on your phone').fill(code);
      await desktop.getByRole('button', { name: 'Confirm' }).click();
      await desktop.getByRole('heading', { name: 'Hello Plain' }).waitFor();
    } finally {
      await scene.close();
    }
  });

  it('goes on where it was when the server is killed in the middle and started again', async () => {
    const port = await freePort();
    const issuer = `http://localhost:${port}`;
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const site = `http://localhost:${(server.address() as AddressInfo).port}`;
    const client = { client_id: 'two-cups', client_secret: 'demo-secret-demo-secret-demo-secret-demo', client_name: 'Two Cups', redirect_uris: [`${site}/callback`] };
    server.on('request', createRelyingSite({ issuer, clientId: client.client_id, clientSecret: client.client_secret, url: site }).callback());
    await writeFile(folder.path('clients.json'), JSON.stringify([client]));
    const env = { PORT: String(port), DATABASE_URL: folder.url('restart.sqlite'), CLIENTS_FILE: folder.path('clients.json'), DEMO: 'false', LOG_LEVEL: 'silent' };
    let program: Program = run(['start'], env);
    try {
      await program.ready();
      const phones = await newPhone(chromium);
      const account = await newDesktop(chromium);
      await account.goto(`${issuer}/account/devices/add`);
      await account.getByRole('link', { name: /create|register/i }).click();
      await account.getByLabel(/^e-?mail/i).fill(PERSON.email);
      await account.getByLabel(/^name/i).fill(PERSON.name);
      await account.getByLabel(/^password/i).fill(PERSON.password);
      await account.locator('form').getByRole('button').first().click();
      await account.getByRole('button', { name: 'Show the code' }).click();
      const enrolling = await openLink(phones, await account.locator('#enrolment-link').inputValue());
      await enrolling.getByRole('button', { name: 'Add this phone' }).click();
      await account.locator('input[name=code]').fill(await codeOn(enrolling));
      await account.getByRole('button', { name: 'Connect this phone' }).click();
      await account.getByRole('link', { name: 'I have saved them' }).click();
      await account.getByText('Your phone is connected').waitFor();

      const desktop = await newDesktop(chromium);
      await startSignIn(desktop, { site });
      const phone = await openLink(phones, await linkOn(desktop));
      await phone.getByRole('heading', { name: 'Sign in to Two Cups?' }).waitFor();
      await qrState(desktop, 'scanned');
      program.kill('SIGKILL');
      await program.ended();
      program = run(['start'], env);
      await program.ready();

      await phone.getByRole('button', { name: 'Approve' }).click();
      await desktop.getByLabel('Code on your phone').fill(await codeOn(phone));
      await desktop.getByRole('button', { name: 'Confirm' }).click();
      await desktop.getByRole('heading', { name: 'Hello Ada' }).waitFor();
      assert.equal(desktop.url(), `${site}/`);
    } finally {
      program.kill('SIGKILL');
      await program.ended();
      server.close();
      server.closeAllConnections();
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
