import assert from 'node:assert/strict';
import { answerOf, authorizationUrl, payloadOf, pkce, tokenRequest, typePassword, type Person } from '../oidc/helpers.ts';
import { createDesktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { CALLBACK } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { asksForCode, codesOn, startWithTotp, typeCode, type App, type TotpTandem } from '../totp/app.ts';

const LEVEL_2 = 'urn:tandem:acr:2';
const DAY = 24 * 3_600_000;
const ESSENTIAL = { claims: JSON.stringify({ id_token: { acr: { essential: true, value: LEVEL_2 } } }) };

onEachDatabase('a sign-in with a recovery code', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  const { verifier, challenge } = pkce();
  before(async () => {
    tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const newBrowser = () => createHttpBrowser();
  const url = (parameters: Record<string, string> = {}) => authorizationUrl(tandem, { client_id: 'house', code_challenge: challenge, ...parameters });
  const halfSignedIn = async (browser: HttpBrowser, parameters?: Record<string, string>) => typePassword(browser, await browser.get(url(parameters)), person);
  const withCode = async (browser: HttpBrowser, app: App, parameters?: Record<string, string>) => typeCode(browser, await halfSignedIn(browser, parameters), app.code());
  const silently = async (browser: HttpBrowser) => answerOf(await browser.get(url({ prompt: 'none' })));
  const phonesOf = () => tandem.knex('tandem_devices').where({ account_id: person.accountId, state: 'active' }) as Promise<Array<{ capped_until: number | null }>>;
  const happened = async (name: never) => (await tandem.t.audit.list({ name, accountId: person.accountId })).events;

  async function idToken(page: Page) {
    const form = { grant_type: 'authorization_code', code: answerOf(page).get('code') ?? '', redirect_uri: CALLBACK, code_verifier: verifier };
    return payloadOf((await tokenRequest(tandem, 'house', form)).json['id_token']);
  }

  /** From a step up to the form, and what it answers. */
  async function typeRecoveryCode(browser: HttpBrowser, page: Page, code: string, { keep = false } = {}): Promise<Page> {
    return browser.submit(await formOf(browser, page), '/recovery', { code, ...(keep && { keep: 'yes' }) });
  }

  async function formOf(browser: HttpBrowser, page: Page): Promise<Page> {
    const link = page.links.find((href) => href.endsWith('/recovery'));
    assert.ok(link, `no way to the recovery codes: ${page.url} ${page.text.slice(0, 300)}`);
    return browser.get(link);
  }

  /** On from what says what is gone. */
  async function goOn(browser: HttpBrowser, page: Page): Promise<Page> {
    assert.match(page.text, /You are in/, `${page.status} ${page.text.slice(0, 300)}`);
    return browser.get(page.links.find((href) => href.includes('/auth/'))!);
  }

  /** A phone of the person, who is signed in as far as that takes; and the page after its confirm code. */
  async function addPhone(browser: HttpBrowser, options: { userVerifying?: boolean } = {}): Promise<{ phone: VirtualPhone; page: Page }> {
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, ...options });
    const shown = await browser.submit(await browser.get(tandem.url('/account/devices/add')), '/account/devices/add');
    const link = /data-link="([^"]+)"/.exec(shown.body)?.[1];
    assert.ok(link, `no enrolment: ${shown.url} ${shown.text.slice(0, 300)}`);
    return { phone, page: await browser.submit(shown, '/confirm', { code: (await phone.enrol(link)).confirmCode }) };
  }

  /** Signs in by phone at `rp`, with a refresh token. */
  async function tokensByPhone(phone: VirtualPhone) {
    const desktop = createDesktop(tandem);
    const waiting = await desktop.wait({ scope: 'openid offline_access', prompt: 'consent', code_challenge: challenge });
    const decided = await phone.approve(await waiting.frame());
    if (decided.confirmCode !== undefined) await waiting.confirm(decided.confirmCode);
    const code = (await waiting.redeem()).get('code') ?? '';
    const { json } = await tokenRequest(tandem, 'rp', { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier });
    assert.equal(typeof json['refresh_token'], 'string', JSON.stringify(json));
    return { desktop, refresh: () => tokenRequest(tandem, 'rp', { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']) }) };
  }

  /** Somebody with an app and a phone, signed in at a computer, with codes in the drawer. */
  async function equipped() {
    const app = await tandem.addApp(person.accountId);
    const desk = newBrowser();
    await withCode(desk, app);
    const { phone, page } = await addPhone(desk);
    const codes = codesOn(page);
    assert.equal(codes.length, 10, page.text);
    return { app, desk, phone, codes };
  }

  it('ends all that may be in other hands, and signs in at level 2', async () => {
    const { desk, phone, codes } = await equipped();
    const theirs = await tokensByPhone(phone);
    assert.ok((await silently(desk)).get('code'));
    assert.equal((await phone.status()).state, 'active');

    const browser = newBrowser();
    const half = await halfSignedIn(browser);
    assert.ok(asksForCode(half));
    const form = await formOf(browser, half);
    assert.match(form.text, /keep them/);
    assert.ok(!form.forms.some(({ fields }) => fields.some(([name]) => name === 'keep')), 'off unless it is ticked');
    const end = await browser.submit(form, '/recovery', { code: codes[0]!.toLowerCase().replaceAll('-', ' ') });
    assert.match(end.text, /your password alone protects your account/);
    const claims = await idToken(await goOn(browser, end));
    assert.equal(claims['acr'], LEVEL_2);
    assert.deepEqual(claims['amr'], ['pwd', 'otp', 'mfa']);

    await tandem.t.sweep();
    assert.equal((await silently(desk)).get('error'), 'login_required');
    assert.equal((await silently(theirs.desktop.browser)).get('error'), 'login_required');
    assert.equal((await theirs.refresh()).json['error'], 'invalid_grant');
    assert.ok((await silently(browser)).get('code'), 'the session goes on');
    assert.equal((await phone.status()).state, 'revoked');
    const waiting = await createDesktop(tandem).wait();
    await assert.rejects(phone.approve(await waiting.frame()), { code: 'device_revoked' });

    const elsewhere = newBrowser();
    const claimsNow = await idToken(await halfSignedIn(elsewhere));
    assert.equal(claimsNow['acr'], 'urn:tandem:acr:1', 'nothing is left that could be asked for');
    const revoked = await happened('device.revoked' as never);
    assert.deepEqual(revoked.map(({ data }) => data), [{ name: 'Virtual phone', reason: 'lost', by: 'recovery', proven: true }]);
    const [used] = await happened('recovery.used' as never);
    assert.equal(used?.data['kept'], false);
    assert.equal(used?.data['left'], 0);
    assert.equal(typeof used?.data['sessionUid'], 'string');
    assert.ok(!JSON.stringify((await tandem.t.audit.list({ accountId: person.accountId }, { limit: 500 })).events).includes(codes[1]!));
  });

  it('lets a phone be added at once, which counts in full, and brings new codes', async () => {
    const { codes } = await equipped();
    const browser = newBrowser();
    await goOn(browser, await typeRecoveryCode(browser, await halfSignedIn(browser), codes[0]!));
    const { page } = await addPhone(browser, { userVerifying: true });
    const fresh = codesOn(page);
    assert.equal(fresh.length, 10);
    assert.deepEqual((await phonesOf()).map(({ capped_until: until }) => until), [null]);

    const next = newBrowser();
    const stepUp = await halfSignedIn(next, ESSENTIAL);
    const missed = await typeRecoveryCode(next, stepUp, codes[1]!);
    assert.equal(missed.status, 422);
    assert.match(missed.text, /does not fit/);
    const claims = await idToken(await next.submit(missed, '/recovery', { code: fresh[0]!, keep: 'yes' }));
    assert.equal(claims['acr'], LEVEL_2);
  });

  it('leaves everything where the person still has it', async () => {
    const { app, desk, phone, codes } = await equipped();
    const browser = newBrowser();
    const back = await typeRecoveryCode(browser, await halfSignedIn(browser), codes[0]!, { keep: true });
    assert.equal((await idToken(back))['acr'], LEVEL_2);
    await tandem.t.sweep();
    assert.ok((await silently(desk)).get('code'));
    assert.equal((await phone.status()).state, 'active');
    const again = newBrowser();
    assert.equal((await idToken(await withCode(again, app)))['acr'], LEVEL_2);
    const third = newBrowser();
    assert.equal((await typeRecoveryCode(third, await halfSignedIn(third), codes[0]!)).status, 422, 'a code is good once');
  });

  it('is offered where a phone is all there is, once level 2 is asked for', async () => {
    const desk = newBrowser();
    await halfSignedIn(desk);
    const codes = codesOn((await addPhone(desk)).page);
    const browser = newBrowser();
    const page = await halfSignedIn(browser, ESSENTIAL);
    assert.match(page.text, /Use a recovery code/);
    const claims = await idToken(await goOn(browser, await typeRecoveryCode(browser, page, codes[3]!)));
    assert.deepEqual([claims['acr'], claims['amr']], [LEVEL_2, ['pwd', 'otp', 'mfa']]);
    assert.deepEqual(await phonesOf(), []);
    assert.ok(answerOf(await browser.get(url({ prompt: 'none', ...ESSENTIAL }))).get('code'), 'the session is of level 2');
  });

  it('keeps the phone that has just signed in, whose owner has lost the app', async () => {
    const { phone, codes } = await equipped();
    const { desktop: { browser } } = await tokensByPhone(phone);
    const form = await formOf(browser, await browser.get(url(ESSENTIAL)));
    assert.match(form.text, /I still have my authenticator app/);
    const claims = await idToken(await browser.submit(form, '/recovery', { code: codes[0]! }));
    assert.equal(claims['acr'], LEVEL_2);
    assert.deepEqual(claims['amr'], ['swk', 'user', 'mca', 'otp', 'mfa']);
    await tandem.t.sweep();
    assert.ok((await silently(browser)).get('code'));
    assert.equal((await phone.status()).state, 'active');
    assert.ok(!asksForCode(await halfSignedIn(newBrowser())), 'the app is gone');
    assert.equal(Number((await tandem.knex('tandem_recovery_codes').where({ account_id: person.accountId, used_at: null }).count({ n: '*' }))[0]!['n']), 9);
  });

  it('shows that a loss reported by password alone was the owner’s', async () => {
    const desk = newBrowser();
    await halfSignedIn(desk);
    const codes = codesOn((await addPhone(desk, { userVerifying: true })).page);
    tandem.clock.advance(2 * DAY);
    const browser = newBrowser();
    await halfSignedIn(browser);
    const list = await browser.get(tandem.url('/account/devices'));
    await browser.submit(await browser.get(list.links.find((href) => href.endsWith('/remove'))!), 'This phone is lost');

    const { page } = await addPhone(browser);
    assert.deepEqual(codesOn(page), [], 'whoever knows the password alone gets no codes');
    const [capped] = await phonesOf();
    assert.ok(Number(capped?.capped_until) > tandem.clock() + 6 * DAY);

    const stepUp = await browser.get(url(ESSENTIAL));
    const back = await typeRecoveryCode(browser, stepUp, codes[0]!, { keep: true });
    assert.equal((await idToken(back))['acr'], LEVEL_2);
    assert.deepEqual((await phonesOf()).map(({ capped_until: until }) => until), [null]);
    assert.equal((await tandem.knex('tandem_devices').where({ revoked_reason: 'lost-unproven', account_id: person.accountId })).length, 0);
  });

  it('takes ten tries an hour, beside which the app still works', async () => {
    const { app, codes } = await equipped();
    const browser = newBrowser();
    let page = await formOf(browser, await halfSignedIn(browser));
    for (let tries = 0; tries < 10; tries += 1) {
      page = await browser.submit(page, '/recovery', { code: 'AAAA-BBBB-CCCC-DDDD' });
      assert.equal(page.status, 422);
    }
    page = await browser.submit(page, '/recovery', { code: codes[0]! });
    assert.equal(page.status, 429);
    assert.ok(Number(page.headers['retry-after']) > 60);
    assert.match(page.text, /Too many attempts/);
    const json = await browser.submit(page, '/recovery', { code: codes[0]! }, { headers: { accept: 'application/json' } });
    assert.equal(json.json()['error'], 'rate_limited');
    assert.equal((await idToken(await withCode(newBrowser(), app)))['acr'], LEVEL_2);
  });

  it('takes a code from our own form alone', async () => {
    const { codes } = await equipped();
    const browser = newBrowser();
    const form = await formOf(browser, await halfSignedIn(browser));
    const code = codes[0]!;
    assert.equal((await browser.submit(form, '/recovery', { code, csrf: 'x' })).status, 403);
    assert.equal((await browser.submit(form, '/recovery', { code }, { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } })).status, 403);
    assert.equal((await browser.submit(form, '/recovery', { code, keep: 'no' })).status, 400);
    assert.equal((await browser.submit(form, '/recovery', { code: 'x'.repeat(101) })).status, 400);
    assert.ok(answerOf(await browser.submit(form, '/recovery', { code, keep: 'yes' })).get('code'));
  });

  it('is there only in a step up of an account that has codes', async () => {
    const browser = newBrowser();
    const page = await browser.get(url());
    const path = `${new URL(page.url).pathname}/recovery`;
    assert.equal((await browser.get(tandem.url(path))).url, page.url, 'nobody is signed in');
    const csrf = page.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    assert.equal((await browser.post(tandem.url(path), { csrf, code: 'x' })).status, 409);
    await tandem.addApp(person.accountId);
    const half = await typePassword(browser, page, person);
    assert.ok(!half.links.some((href) => href.endsWith('/recovery')), 'without codes there is no way to them');
    assert.equal((await browser.get(`${half.url}/recovery`)).url, half.url);
    const half2 = half.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    assert.equal((await browser.post(`${half.url}/recovery`, { csrf: half2, code: 'AAAA-BBBB-CCCC-DDDD' })).status, 422);
  });

  it('speaks the reader’s language', async () => {
    await equipped();
    for (const [language, words] of Object.entries({ de: /Wiederherstellungscode/, fr: /Code de secours/, nl: /Herstelcode/ })) {
      const browser = createHttpBrowser({ headers: { 'accept-language': language } });
      const form = await formOf(browser, await halfSignedIn(browser));
      assert.match(form.text, words);
    }
  });
});
