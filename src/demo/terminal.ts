import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import qrcode from 'qrcode';
import { createPhone, parseLink } from '../phone/index.ts';
import type { EnrolmentLink, SignInLink } from '../phone/index.ts';
import { attribute, createBrowser } from './browser.ts';
import type { Browser, Page } from './browser.ts';

/*
 * `npm run demo`: a whole sign-in in the terminal. Provider and relying site are the programs that `npm start` runs; the two
 * browsers and the phone are played here, and speak to them over HTTP alone.
 */
const EMAIL = 'ada@example.com';
const PASSWORD = 'difference engine no. 2';

let steps = 0;
function step(title: string, ...details: string[]) {
  steps += 1;
  console.log(`\n${bold(`${steps}. ${title}`)}`);
  for (const detail of details) console.log(indent(detail));
}

async function main() {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-demo-'));
  const server = await startServer(folder);
  try {
    await play(server);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function play({ issuer, relyingSite }: { issuer: string; relyingSite: string }) {
  step('A provider and a relying site start', `provider       ${issuer}`, `relying site   ${relyingSite}`,
    'They are two programs; the site knows of the provider its name, and a client id and secret.');

  const home = createBrowser('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0');
  await signUp(home, issuer);
  step('Ada makes an account', `${EMAIL}, with a password, in her browser at home`);

  const phone = createPhone({});
  const link = await enrol(home, issuer, phone);
  step('Her phone becomes a device of the account',
    'Her account page shows a QR with a single-use ticket; the phone makes a key pair, and only the public half leaves it.',
    `ticket   ${shorten(link)}`, 'She has typed the code that the phone shows into the page: the device is active.');

  const cafe = createBrowser('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36');
  const page = await cafe.open(`${relyingSite}/sign-in`);
  const uid = /\/interaction\/([\w-]+)/.exec(page.url)?.[1];
  if (!uid) throw new Error(`the sign-in page was expected, not ${page.url} (${page.status})`);
  const shown = await cafe.ask(page, `/interaction/${uid}/qr/start`);
  const frame = String(shown['frame']);
  step('In a café, on a computer that has never seen her, she asks the relying site to sign her in',
    'The site sends the browser to the provider (code flow, PKCE, state, nonce), whose page shows a QR that changes every five seconds:',
    await drawQr(frame), frame);

  const [account] = await phone.accounts();
  if (!account) throw new Error('the phone has no account');
  const claimed = await phone.claim(account, parseLink(frame) as SignInLink);
  const { client, scopes, browser } = claimed.request;
  step('The phone scans it, and shows who asks for what, and from where',
    `site      ${client.name} (${client.redirect_host ?? ''})`,
    `wants     ${scopes.map(({ description }) => description).join('; ')}`,
    `browser   ${browser.family} on ${browser.os}${browser.known ? '' : ', where you have not signed in before'}`);

  const decided = await phone.decide(claimed, 'approve');
  step('Ada approves', 'The phone signs its decision together with the hash of what it showed: what she saw is what she signed.');

  if (decided.confirmCode) {
    await cafe.ask(page, `/interaction/${uid}/qr/confirm`, { code: decided.confirmCode });
    step('She types the phone’s code into the page', `code   ${decided.confirmCode}`,
      'The browser is new to her account, so the code proves that the phone and the browser are with the same person.');
  }

  await redeem(cafe, page, uid);
  const me = JSON.parse((await cafe.open(`${relyingSite}/me`)).text) as { idToken?: Record<string, unknown>; userInfo?: Record<string, unknown> };
  if (!me.idToken) throw new Error('the relying site has signed nobody in');
  step(`The relying site greets ${String(me.userInfo?.['name'])}`,
    'It has redeemed the code, verified the ID token’s signature and asked UserInfo. The ID token’s claims:',
    JSON.stringify(me.idToken, null, 2));
  console.log(`\nThe same with your own phone: ${bold('npm start')}\n`);
}

async function signUp(browser: Browser, issuer: string) {
  const form = await browser.open(`${issuer}/account/register`);
  const done = await browser.submit(form, '/account/register', { email: EMAIL, name: 'Ada', password: PASSWORD });
  if (done.status !== 200) throw new Error(`signing up answered ${done.status} at ${done.url}`);
}

/** Adds the phone on the account's page; returns the link of its QR. */
async function enrol(browser: Browser, issuer: string, phone: ReturnType<typeof createPhone>): Promise<string> {
  const add = await signedIn(browser, await browser.open(`${issuer}/account/devices/add`));
  const page = await browser.submit(add, '/account/devices/add');
  const link = attribute(/<[^>]*\sdata-link="[^>]*>/.exec(page.text)?.[0] ?? '', 'data-link');
  if (!link) throw new Error(`no enrolment link on ${page.url} (${page.status})`);
  const offer = await phone.offer(parseLink(link) as EnrolmentLink);
  const { account, confirmCode } = await phone.enrol(offer, { name: 'Ada’s phone', platform: 'Terminal' });
  await browser.submit(page, '/confirm', { code: confirmCode });
  const { state } = await phone.status(account);
  if (state !== 'active') throw new Error(`the device is ${state}`);
  return link;
}

/** The page that was wanted, after the sign-in that it asked for, if it did. */
async function signedIn(browser: Browser, page: Page): Promise<Page> {
  return page.url.includes('/interaction/') ? browser.submit(page, '/password', { email: EMAIL, password: PASSWORD }) : page;
}

async function redeem(browser: Browser, page: Page, uid: string) {
  const csrf = attribute(/<input[^>]*name="csrf"[^>]*>/.exec(page.text)?.[0] ?? '', 'value') ?? '';
  const form = `<form action="/interaction/${uid}/redeem"><input type="hidden" name="csrf" value="${csrf}"></form>`;
  await browser.submit({ ...page, text: form }, '/redeem');
}

/** Starts provider and relying site on free ports, with a database that goes with the demonstration. */
async function startServer(folder: string) {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const child = fork(new URL(`../server/main${extension}`, import.meta.url), ['start'], {
    env: { PATH: process.env['PATH'], DATABASE_URL: `sqlite:${join(folder, 'tandem.sqlite')}`, PORT: '0', DEMO: 'true', DEMO_PORT: '0', LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const started = once(child, 'message').then(([message]) => message as { issuer: string; demo: { url: string } });
  const ready = await Promise.race([started, exited.then(() => undefined)]);
  if (!ready) throw new Error('the provider did not start');
  return {
    issuer: ready.issuer,
    relyingSite: ready.demo.url,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

/** In colours where they are shown, so that the modules are dark on light whatever the terminal's theme. */
const drawQr = (text: string) => process.stdout.isTTY
  ? qrcode.toString(text, { type: 'terminal', small: true, errorCorrectionLevel: 'L' })
  : qrcode.toString(text, { type: 'utf8', errorCorrectionLevel: 'L' });
const bold = (text: string) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
const indent = (text: string) => text.trimEnd().split('\n').map((line) => `   ${line}`).join('\n');
const shorten = (link: string) => `${link.slice(0, -36)}…`;

try {
  await main();
} catch (error) {
  console.error(`\nThe demonstration failed: ${(error as Error).stack}`);
  process.exitCode = 1;
}
