import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { CALLBACK, startTandem } from '../support/tandem.ts';
import { createDesktop } from './desktop.ts';
import { memory, usePhoneApp } from './phone-app.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A second origin in front of the same server, as a host would put one for the phone app alone. */
async function proxy(issuer: () => string): Promise<{ origin: string; close(): void }> {
  const server = createServer((req, res) => {
    if (!/^\/(phone|assets)\b/.test(req.url ?? '') || req.method !== 'GET') return void res.writeHead(404).end();
    get(issuer() + req.url, { headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, close: () => (server.close(), server.closeAllConnections()) };
}

describe('the phone web app', function () {
  this.timeout(60_000);
  const app = usePhoneApp();
  const { open, heading, press, shownCode, follow, enrol } = app;

  it('opens without a connection, and says so', async () => {
    const { context, page } = await open();
    await enrol(page);
    await page.evaluate('navigator.serviceWorker.ready.then(() => undefined)');
    await context.setOffline(true);
    await page.goto(app.tandem.url('/phone'));
    await page.getByText('You are offline.').waitFor();
    await page.getByText('ada@example.com').waitFor();
    await context.setOffline(false);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`passes axe on every screen and fits 360 pixels, in the ${colorScheme}`, async () => {
      const { page } = await open({ colorScheme });
      const check = async (screen: string) => {
        await page.evaluate(AXE);
        const violations = await page.evaluate(`axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
          .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`);
        assert.deepEqual(violations, [], screen);
        assert(Number(await page.evaluate('document.documentElement.scrollWidth')) <= 360, `${screen} is wider than the phone`);
      };
      await heading(page, 'Set up this phone');
      await check('welcome');
      const { link, confirm } = await app.desktop.addPhone();
      await follow(page, link);
      await heading(page, /^Add this phone/);
      await check('enrol');
      await press(page, 'Add this phone');
      await heading(page, 'Type this code on your computer');
      await check('enrolment code');
      await confirm(await shownCode(page));
      await heading(page, 'This phone is ready');
      await check('ready');
      await page.getByRole('link', { name: 'Done' }).click();
      await heading(page, 'Sign in with this phone');
      await check('home');
      await press(page, 'Remove ada@example.com');
      await check('remove');
      await page.goto(app.tandem.url('/phone#scan'));
      await heading(page, 'Scan the code');
      await check('scan');
      await page.getByRole('link', { name: 'Type a code or paste a link' }).click();
      await press(page, 'Continue');
      await page.getByText(/neither a code/).waitFor();
      await check('enter');
      const waiting = await app.elsewhere.wait();
      await follow(page, await waiting.frame());
      await heading(page, 'Sign in to Relying Party?');
      await check('request');
      await press(page, 'Approve');
      await heading(page, 'Type this code on the other screen');
      await check('code');
      await press(page, 'I have typed it');
      await check('approved');
      await follow(page, app.tandem.url('/phone#nonsense'));
      await heading(page, 'This is not a sign-in link');
      await check('problem');
    });
  }

  it('speaks the reader’s language', async () => {
    for (const [locale, title] of Object.entries({ de: 'Dieses Telefon einrichten', fr: 'Configurer ce téléphone', nl: 'Deze telefoon instellen' })) {
      const { page } = await open({ locale });
      await heading(page, title);
    }
  });

  it('runs no script but its own, and WebAssembly on this page alone', async () => {
    const policyOf = async (path: string) => (await fetch(app.tandem.url(path))).headers.get('content-security-policy') ?? '';
    const policy = await policyOf('/phone');
    assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'(;|$)/);
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'/);
    assert.doesNotMatch(await policyOf('/nowhere'), /wasm/);
  });

  it('shows a client’s name as the text that it is', async () => {
    const name = '<img src=x onerror="document.title=1"> {account} ${1}';
    await app.tandem.close();
    const client = { client_id: 'rp', client_name: name, redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' as const };
    app.tandem = await startTandem(memory, { clients: [client, app.tandem.clients.house] });
    [app.desktop, app.elsewhere] = [createDesktop(app.tandem), createDesktop(app.tandem)];
    await app.desktop.signIn(await app.tandem.registerAccount());
    const { page } = await open();
    await enrol(page);
    const waiting = await app.elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, `Sign in to ${name}?`);
    assert.equal(await page.locator('main img[src=x]').count(), 0);
  });

  it('lives on an origin of its own', async () => {
    await app.tandem.close();
    const own = await proxy(() => app.tandem.issuer);
    app.tandem = await startTandem(memory, { tandem: { phone: { origin: own.origin } } });
    [app.desktop, app.elsewhere] = [createDesktop(app.tandem), createDesktop(app.tandem)];
    await app.desktop.signIn(await app.tandem.registerAccount());
    const { page } = await open();
    await enrol(page);
    assert.equal(new URL(page.url()).origin, own.origin);
    const waiting = await app.elsewhere.wait();
    await follow(page, await waiting.frame());
    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    assert.equal((await waiting.confirm(await shownCode(page))).status, 200);
    own.close();
  });

  it('can be installed', async () => {
    const { page } = await open();
    const href = (await page.locator('link[rel=manifest]').getAttribute('href')) ?? '';
    const response = await fetch(new URL(href, app.tandem.issuer), { headers: { 'accept-language': 'fr' } });
    assert.match(response.headers.get('content-type') ?? '', /^application\/manifest\+json/);
    const manifest = (await response.json()) as { lang: string; start_url: string; icons: Array<{ src: string; sizes: string }> };
    assert.deepEqual([manifest.lang, manifest.start_url], ['fr', '/phone']);
    for (const { src, sizes } of manifest.icons) {
      const size = await page.evaluate(
        `fetch(${JSON.stringify(src)}).then((icon) => icon.blob()).then((blob) => createImageBitmap(blob)).then(({ width, height }) => width + 'x' + height)`,
      );
      assert.equal(size, sizes);
    }
  });
});
