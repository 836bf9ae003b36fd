import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import type { TestDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { CALLBACK, startTandem, type TestTandem } from '../support/tandem.ts';

export interface Person {
  readonly accountId: string;
  readonly email: string;
  readonly password: string;
}

/** Runs one server for the suite, with an account in it, and fails each test that it reports errors in. */
export function startWithPerson(database: TestDatabase, ready: (tandem: TestTandem, person: Person) => void): void {
  let tandem: TestTandem;
  before(async () => {
    tandem = await startTandem(database);
    ready(tandem, await tandem.registerAccount());
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));
}

/** A PKCE pair (RFC 7636 §4). */
export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** An authorization request of the test client `rp`, changed by `parameters`; undefined takes one away. */
export function authorizationUrl(tandem: TestTandem, parameters: Record<string, string | undefined> = {}): string {
  const all = {
    client_id: 'rp',
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid',
    state: 'state',
    code_challenge: pkce().challenge,
    code_challenge_method: 'S256',
    ...parameters,
  };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return tandem.url(`/auth?${new URLSearchParams(given).toString()}`);
}

/** Types e-mail and password where the page asks, and allows where it asks for consent. */
export async function signInAndConsent(browser: HttpBrowser, page: Page, person: Person): Promise<Page> {
  let current = page;
  if (current.forms.some(({ action }) => action.endsWith('/password'))) current = await typePassword(browser, current, person);
  if (current.forms.some(({ action }) => action.endsWith('/consent'))) current = await browser.submit(current, '/consent');
  return current;
}

export function typePassword(browser: HttpBrowser, page: Page, { email, password }: Person): Promise<Page> {
  return browser.submit(page, '/password', { email, password });
}

/** What the client got at its redirect URI. */
export function answerOf(page: Page): URLSearchParams {
  assert.ok(page.url.startsWith(CALLBACK), `not back at the client: ${page.url} ${page.status} ${page.text.slice(0, 300)}`);
  return new URL(page.url).searchParams;
}

/** A browser in which the person is signed in. */
export async function signedInBrowser(tandem: TestTandem, person: Person): Promise<HttpBrowser> {
  const browser = createHttpBrowser();
  const page = await signInAndConsent(browser, await browser.get(authorizationUrl(tandem, { client_id: 'house' })), person);
  assert.ok(answerOf(page).get('code'));
  return browser;
}

/** A whole code flow of `client`, by hand. */
export async function tokensByCode(
  tandem: TestTandem,
  browser: HttpBrowser,
  person: Person,
  parameters: Record<string, string | undefined> = {},
): Promise<{ status: number; json: Record<string, unknown> }> {
  const { verifier, challenge } = pkce();
  const clientId = parameters['client_id'] ?? 'rp';
  const page = await browser.get(authorizationUrl(tandem, { code_challenge: challenge, ...parameters }));
  const code = answerOf(await signInAndConsent(browser, page, person)).get('code');
  assert.ok(code, 'no code');
  const { resource } = parameters;
  return tokenRequest(tandem, clientId, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier, ...(resource && { resource }) });
}

/** A request to the token endpoint, or to another one that authenticates clients the same way. */
export async function tokenRequest(tandem: TestTandem, clientId: string, form: Record<string, string>, path = '/token') {
  const secret = (tandem.clients as Record<string, { client_secret?: string }>)[clientId]?.client_secret;
  const headers: Record<string, string> = secret ? { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` } : {};
  const body = new URLSearchParams(secret ? form : { ...form, client_id: clientId });
  const response = await fetch(tandem.url(path), { method: 'POST', headers, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: (text ? JSON.parse(text) : {}) as Record<string, unknown> };
}

export function payloadOf(jwt: unknown): Record<string, unknown> {
  assert.equal(typeof jwt, 'string');
  return JSON.parse(Buffer.from((jwt as string).split('.')[1]!, 'base64url').toString('utf8')) as Record<string, unknown>;
}
