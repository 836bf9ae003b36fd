import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { openDatabase } from '../../src/lib/database/open.ts';
import qrcode from 'qrcode';
import { createCamera } from '../support/camera.ts';
import { PHONE, useChromium } from '../support/chromium.ts';
import { CALLBACK, startTandem, type TestTandem } from '../support/tandem.ts';
import { createDesktop, type Desktop } from './desktop.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const memory = { open: () => Promise.resolve(openDatabase('sqlite::memory:')) };

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
  const camera = createCamera();
  const chromium = useChromium({ camera: () => camera.file });
  after(() => camera.close());
  let tandem: TestTandem;
  /** Where the account is signed in. */
  let desktop: Desktop;
  /** Another browser, where somebody wants to sign in. */
  let elsewhere: Desktop;
  let person: { email: string; password: string };

  beforeEach(async () => {
    tandem = await startTandem(memory);
    person = await tandem.registerAccount({ email: 'ada@example.com', name: 'Ada' });
    desktop = createDesktop(tandem);
    elsewhere = createDesktop(tandem);
    await desktop.signIn(person);
  });
  afterEach(async () => {
    assert.deepEqual(tandem.errors, []);
    desktop.browser.close();
    elsewhere.browser.close();
    await tandem.close();
  });

  async function open(options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; page: Page }> {
    const context = await chromium.open({ ...PHONE, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    await page.goto(tandem.url('/phone'));
    return { context, page };
  }

  const heading = (page: Page, text: string | RegExp) => page.getByRole('heading', { level: 1, name: text }).waitFor();
  const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click();
  const shownCode = async (page: Page) => (await page.locator('[data-code]').getAttribute('data-code')) ?? '';

  /** A fragment alone does not reload a page that is open. */
  async function follow(page: Page, link: string) {
    await page.goto('about:blank');
    await page.goto(link);
  }

  async function enrol(page: Page, from = desktop): Promise<void> {
    const { link, confirm } = await from.addPhone();
    await follow(page, link);
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    await confirm(await shownCode(page));
    await heading(page, 'This phone is ready');
  }

  it('says how to set it up, while it has no account', async () => {
    const { page } = await open();
    await heading(page, 'Set up this phone');
    assert.equal(await page.title(), 'Phone · Tandem');
    const waiting = await elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, 'This phone is not set up yet');
    await page.getByRole('link', { name: 'How to set it up' }).click();
    await heading(page, 'Set up this phone');
  });

  it('enrols by link: names the account, shows the code, and is ready once that is typed', async () => {
    const { page } = await open();
    const { link, confirm } = await desktop.addPhone();
    await follow(page, link);
    await heading(page, 'Add this phone to ada@example.com?');
    assert.equal(await page.locator('h1').innerHTML(), 'Add this phone to ada<wbr>@example<wbr>.com?');
    await page.getByLabel('Name of this phone').fill('Ada’s Pixel');
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    const code = await shownCode(page);
    assert.match(code, /^\d{6}$/);
    assert.match((await confirm(code)).text, /Your recovery codes/);
    assert.match((await desktop.browser.get(tandem.url('/account/devices'))).text, /Ada’s Pixel/);
    await heading(page, 'This phone is ready');
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByText('ada@example.com').waitFor();
    await page.getByText('Ada’s Pixel · approves ordinary sign-ins').waitFor();
  });

  it('approves: shows who asks for what and from where, then the code, which the other screen takes', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await elsewhere.wait();
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
    const again = await elsewhere.wait({ prompt: 'login' });
    await follow(page, await again.frame());
    await page.getByText('You have signed in on that browser before.').waitFor();
    await press(page, 'Approve');
    await heading(page, 'Approved');
    assert((await again.redeem()).get('code'));
  });

  it('takes no approval by a click that was on its way before the card could be read', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await elsewhere.wait();
    const state = async () => ((await tandem.knex('tandem_transactions').first('state')) as { state: string }).state;
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
    const waiting = await elsewhere.wait();
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
    const waiting = await elsewhere.wait();
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

  it('claims by a typed code, and says when it is wrong', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await elsewhere.wait();
    await page.goto(tandem.url('/phone#enter'));
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
    const grace = await tandem.registerAccount({ email: 'grace@example.com' });
    const other = createDesktop(tandem);
    await other.signIn(grace);
    await enrol(page, other);
    const waiting = await elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, 'Which account?');
    await press(page, 'grace@example.com');
    await page.locator('.phone-request').getByText('grace@example.com').waitFor();
    other.browser.close();

    // Where somebody is signed in already, that account alone may step up; the other choice costs nothing.
    const stepUp = await desktop.wait({ acr_values: 'urn:tandem:acr:1:qr' });
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
      await page.goto(tandem.url('/phone#enter'));
      await page.getByLabel('Code or link').fill(link);
      await press(page, 'Continue');
      await heading(page, title);
      await page.getByRole('link', { name: 'Scan a code' }).waitFor();
    };
    const waiting = await elsewhere.wait();
    const old = await waiting.frame();
    tandem.clock.advance(11_000);
    await problem(old, 'The code has changed');

    const taken = await waiting.frame();
    await page.goto(tandem.url('/phone#enter'));
    await page.getByLabel('Code or link').fill(taken);
    await press(page, 'Continue');
    await heading(page, 'Sign in to Relying Party?');
    await problem(taken, 'Already taken');

    const next = await createDesktop(tandem).wait();
    const ended = await next.frame();
    await next.cancel();
    await problem(ended, 'Too late');
    await problem('https://id.example.com/q/1.EBESExQVFhcYGRobHB0eHw.7.8a7PgZNuxPmq8e-GAE2Pqw', 'From another provider');
  });

  it('still takes an opened link that grew stale while the app started', async () => {
    const { page } = await open();
    await enrol(page);
    const waiting = await elsewhere.wait();
    const frame = await waiting.frame();
    await page.goto('about:blank');
    await page.route('**/phone/transactions/claim', async (route) => {
      tandem.clock.advance(11_000);
      await page.unroute('**/phone/transactions/claim');
      await route.continue();
    });
    await page.goto(frame);
    await heading(page, 'Sign in to Relying Party?');
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
    assert.equal((await tandem.knex('tandem_devices').select('state'))[0].state, 'revoked');
  });

  it('drops an account whose phone was revoked elsewhere', async () => {
    const { page } = await open();
    await enrol(page);
    const list = await desktop.browser.get(tandem.url('/account/devices'));
    const removal = list.links.find((link) => link.endsWith('/remove')) ?? '';
    await desktop.browser.submit(await desktop.browser.get(removal), '/remove', { reason: 'lost' });
    await page.goto(tandem.url('/phone'));
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
    await tandem.knex('tandem_devices').update({ capped_until: null });

    const waiting = await elsewhere.wait({ acr_values: 'urn:tandem:acr:2' });
    await follow(page, await waiting.frame());
    await page.getByText('Your phone will check that it is you.').waitFor();
    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    await waiting.confirm(await shownCode(page));
    assert((await waiting.redeem()).get('code'));
  });

  it('says plainly what a phone that cannot verify its user cannot approve', async () => {
    const { page } = await open();
    const { link, confirm } = await desktop.addPhone();
    await follow(page, link);
    await page.getByText(/This browser cannot check that it is you/).waitFor();
    await press(page, 'Add this phone');
    await heading(page, 'Type this code on your computer');
    await confirm(await shownCode(page));
    await heading(page, 'This phone is ready');
    const waiting = await elsewhere.wait({ acr_values: 'urn:tandem:acr:2' });
    await follow(page, await waiting.frame());
    await page.getByText(/You can only deny/).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0);
    await press(page, 'Deny');
    await heading(page, 'Denied');
  });

  it('scans with the camera, and says so of a code that is not for it', async () => {
    const { context, page } = await open();
    await context.grantPermissions(['camera']);
    await enrol(page);
    const waiting = await elsewhere.wait();
    const show = async (text: string) => camera.show(await qrcode.toBuffer(text, { scale: 6, color: { dark: '#000f', light: '#ffff' } }));
    await show('https://example.com/menu');
    await page.goto(tandem.url('/phone#scan'));
    await page.getByText('This code is not for signing in here.').waitFor();
    await show(await waiting.frame());
    await heading(page, 'Sign in to Relying Party?');
    camera.away();
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

  it('opens without a connection, and says so', async () => {
    const { context, page } = await open();
    await enrol(page);
    await page.evaluate('navigator.serviceWorker.ready.then(() => undefined)');
    await context.setOffline(true);
    await page.goto(tandem.url('/phone'));
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
      const { link, confirm } = await desktop.addPhone();
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
      await page.goto(tandem.url('/phone#scan'));
      await heading(page, 'Scan the code');
      await check('scan');
      await page.getByRole('link', { name: 'Type a code or paste a link' }).click();
      await press(page, 'Continue');
      await page.getByText(/neither a code/).waitFor();
      await check('enter');
      const waiting = await elsewhere.wait();
      await follow(page, await waiting.frame());
      await heading(page, 'Sign in to Relying Party?');
      await check('request');
      await press(page, 'Approve');
      await heading(page, 'Type this code on the other screen');
      await check('code');
      await press(page, 'I have typed it');
      await check('approved');
      await follow(page, tandem.url('/phone#nonsense'));
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
    const policyOf = async (path: string) => (await fetch(tandem.url(path))).headers.get('content-security-policy') ?? '';
    const policy = await policyOf('/phone');
    assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'(;|$)/);
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'/);
    assert.doesNotMatch(await policyOf('/nowhere'), /wasm/);
  });

  it('shows a client’s name as the text that it is', async () => {
    const name = '<img src=x onerror="document.title=1"> {account} ${1}';
    await tandem.close();
    const client = { client_id: 'rp', client_name: name, redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' as const };
    tandem = await startTandem(memory, { clients: [client, tandem.clients.house] });
    [desktop, elsewhere] = [createDesktop(tandem), createDesktop(tandem)];
    await desktop.signIn(await tandem.registerAccount());
    const { page } = await open();
    await enrol(page);
    const waiting = await elsewhere.wait();
    await follow(page, await waiting.frame());
    await heading(page, `Sign in to ${name}?`);
    assert.equal(await page.locator('main img[src=x]').count(), 0);
  });

  it('lives on an origin of its own', async () => {
    await tandem.close();
    const own = await proxy(() => tandem.issuer);
    tandem = await startTandem(memory, { tandem: { phone: { origin: own.origin } } });
    [desktop, elsewhere] = [createDesktop(tandem), createDesktop(tandem)];
    await desktop.signIn(await tandem.registerAccount());
    const { page } = await open();
    await enrol(page);
    assert.equal(new URL(page.url()).origin, own.origin);
    const waiting = await elsewhere.wait();
    await follow(page, await waiting.frame());
    await press(page, 'Approve');
    await heading(page, 'Type this code on the other screen');
    assert.equal((await waiting.confirm(await shownCode(page))).status, 200);
    own.close();
  });

  it('can be installed', async () => {
    const { page } = await open();
    const href = (await page.locator('link[rel=manifest]').getAttribute('href')) ?? '';
    const response = await fetch(new URL(href, tandem.issuer), { headers: { 'accept-language': 'fr' } });
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
