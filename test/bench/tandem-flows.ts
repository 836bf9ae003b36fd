import { createPhone, parseLink, type Claimed, type Phone } from '../../src/phone/index.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { authorize, expectStatus, finish, form, type Begun } from './flows.ts';
import { createClient, type Answer } from './load.ts';
import { personOf } from './servers/clients.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** Somebody with an account, a phone, and a browser on which the account has signed in. */
export interface Person {
  readonly phone: Phone;
  /** The cookie by which a browser is known to the account. */
  readonly knownCookie: string;
}

/** A phone as the app has it, whose calls go out over the load's connections. `at` is another process that answers for the issuer. */
function phoneOf(issuer: string, at: string): Phone {
  const client = createClient();
  return createPhone({
    async fetch(url, { headers, body }) {
      const answer = await client.request('POST', url.replace(issuer, at), { headers, body });
      return { status: answer.status, headers: { get: (name) => (answer.headers[name.toLowerCase()] as string | undefined) ?? null }, text: () => Promise.resolve(answer.body) };
    },
  });
}

/** Takes the transaction of a frame. */
export async function claim({ phone }: Person, frame: string): Promise<Claimed> {
  const [account] = await phone.accounts();
  const link = parseLink(frame);
  if (!account || link.kind !== 'sign-in') throw new Error(`nothing to claim with ${frame}`);
  return phone.claim(account, link);
}

/** Signs the first of the server's people in, and enrols a phone on the account's pages. */
export async function settle(issuer: string, at = issuer): Promise<Person> {
  const browser = createHttpBrowser();
  const phone = phoneOf(issuer, at);
  try {
    let page = await browser.submit(await browser.get(`${issuer}/account/devices/add`), '/password', personOf(0));
    page = await browser.submit(page, '/account/devices/add');
    const shown = /https?:\/\/[^\s"<>]+\/e\/1\.[\w-]{43}/.exec(page.body)?.[0];
    const link = shown === undefined ? undefined : parseLink(shown);
    if (link?.kind !== 'enrolment') throw new Error(`no enrolment link at ${page.url}: ${page.text.slice(0, 300)}`);
    const { confirmCode } = await phone.enrol(await phone.offer(link), { name: 'Bench', platform: 'Node.js' });
    page = await browser.submit(page, '/confirm', { code: confirmCode });
    // The phone asks whether it is active, as the app does.
    for (const account of await phone.accounts()) await phone.status(account);
    const knownCookie = browser.cookies.all().find(({ name }) => name === 'tandem-known')?.value;
    if (!knownCookie) throw new Error(`the browser is not known after signing in: ${page.text.slice(0, 300)}`);
    return { phone, knownCookie };
  } finally {
    browser.close();
  }
}

/** A sign-in page that shows a QR code. */
export interface ShownQr extends Begun {
  readonly csrf: string;
  readonly frame: string;
}

/** Opens the sign-in page and starts its QR, as its script does. */
export async function showQr(issuer: string, { knownCookie }: { knownCookie?: string } = {}): Promise<ShownQr> {
  const begun = await authorize(issuer, 'openid email', knownCookie === undefined ? {} : { 'tandem-known': knownCookie });
  const page = expectStatus(await begun.client.request('GET', begun.interaction), 200, 'the sign-in page');
  const csrf = /name="csrf"[^>]*value="([^"]+)"/.exec(page.body)?.[1] ?? /data-csrf="([^"]+)"/.exec(page.body)?.[1] ?? '';
  const headers = { ...FORM, accept: 'application/json', origin: issuer };
  const started = await begun.client.request('POST', `${begun.interaction}/qr/start`, { headers, body: form({ csrf }) });
  const { frame } = JSON.parse(expectStatus(started, 200, 'the start of the QR').body) as { frame: string };
  return { ...begun, csrf, frame };
}

/** Authorize, page, claim, decision, redeem, token, in a browser that is fresh but known to the account. */
export async function qrSignIn(issuer: string, person: Person): Promise<void> {
  const shown = await showQr(issuer, person);
  const { state } = await person.phone.decide(await claim(person, shown.frame), 'approve');
  if (state !== 'confirmed') throw new Error(`the approval left the transaction ${state}`);
  const headers = { ...FORM, origin: issuer };
  const redeemed = await shown.client.request('POST', `${shown.interaction}/redeem`, { headers, body: form({ csrf: shown.csrf }) });
  await finish(issuer, shown, redeemed);
}

/** The same with a password, and the consent that the client needs. */
export async function passwordSignIn(issuer: string, person: number): Promise<void> {
  const { begun, proven } = await typePassword(issuer, person);
  await finish(issuer, begun, proven);
}

/** With a password, and a code of an authenticator app. */
export async function codeSignIn(issuer: string, person: number, code: string): Promise<void> {
  const { begun, proven } = await typePassword(issuer, person);
  const resumed = expectStatus(await begun.client.request('GET', new URL(expectStatus(proven, 303, 'the password').headers.location!, issuer).href), 303, 'the way on');
  const interaction = new URL(resumed.headers.location!, issuer).href;
  const page = expectStatus(await begun.client.request('GET', interaction), 200, 'the page that asks for a code');
  await finish(issuer, begun, await post(begun, `${interaction}/totp`, page, { code }));
}

async function typePassword(issuer: string, person: number) {
  const begun = await authorize(issuer);
  const page = expectStatus(await begun.client.request('GET', begun.interaction), 200, 'the sign-in page');
  return { begun, proven: await post(begun, `${begun.interaction}/password`, page, personOf(person)) };
}

/** Sends a form of `page`. */
function post({ client }: Begun, url: string, page: Answer, fields: Record<string, string>): Promise<Answer> {
  const csrf = /name="csrf"[^>]*value="([^"]+)"/.exec(page.body)?.[1] ?? '';
  return client.request('POST', url, { headers: { ...FORM, origin: new URL(url).origin }, body: form({ csrf, ...fields }) });
}
