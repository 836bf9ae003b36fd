import assert from 'node:assert/strict';
import { createHttpBrowser, type Page } from '../support/http-browser.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { answerOf, authorizationUrl, signedInBrowser, signInAndConsent, tokensByCode, typePassword } from '../oidc/helpers.ts';

const NEXT = 'another fine sentence';
const fieldOf = (page: Page, form: string, name: string) => page.forms.find(({ id }) => id === form)?.fields.find(([each]) => each === name)?.[1];

onEachDatabase('the pages of accounts', (database) => {
  let tandem: TestTandem;
  before(async () => {
    tandem = await startTandem(database);
  });
  after(() => tandem.close());

  const signInPage = async (browser = createHttpBrowser()) => ({ browser, page: await browser.get(authorizationUrl(tandem)) });

  it('sign in with a password', async () => {
    const person = await tandem.registerAccount();
    const { browser, page } = await signInPage();
    assert.equal(page.status, 200);
    assert.ok(answerOf(await signInAndConsent(browser, page, person)).get('code'));
  });

  it('tell a wrong password and an unknown address by the same page', async () => {
    const person = await tandem.registerAccount();
    const { browser, page } = await signInPage();
    const [known, unknown] = [
      await browser.submit(page, 'password-form', { email: person.email, password: 'wrong password' }),
      await browser.submit(page, 'password-form', { email: person.email.replace('person', 'nobody'), password: 'wrong password' }),
    ];
    assert.equal(known.status, 401);
    assert.equal(unknown.status, 401);
    assert.match(known.text, /The e-mail address or the password is wrong/);
    assert.equal(fieldOf(known, 'password-form', 'email'), person.email, 'the address is kept');
    assert.equal(fieldOf(known, 'password-form', 'password'), '', 'the password is not');
    assert.equal(known.body.replaceAll(person.email, ''), unknown.body.replaceAll(person.email.replace('person', 'nobody'), ''));
    assert.ok(answerOf(await signInAndConsent(browser, known, person)).get('code'), 'and the page still works');
  });

  it('say when there were too many attempts, and for how long', async () => {
    const person = await tandem.registerAccount();
    const { browser, page } = await signInPage();
    let answer = page;
    for (let n = 0; n < 11; n += 1) answer = await browser.submit(page, 'password-form', { email: person.email, password: 'wrong password' });
    assert.equal(answer.status, 429);
    assert.ok(Number(answer.headers['retry-after']) > 0);
    assert.match(answer.text, /Too many attempts\. Try again in 15 min/);
  });

  it('carry hostile text as text', async () => {
    const { browser, page } = await signInPage();
    const email = '"><script>alert(1)</script>@example.com';
    const answer = await browser.submit(page, 'password-form', { email, password: 'x' });
    assert.equal(fieldOf(answer, 'password-form', 'email'), email);
    assert.ok(!answer.body.includes('<script>alert'));
    const hinted = await createHttpBrowser().get(authorizationUrl(tandem, { login_hint: email }));
    assert.equal(fieldOf(hinted, 'password-form', 'email'), email);
    assert.ok(!hinted.body.includes('<script>alert'));
  });

  it('refuse a sign-in from another site, without a token, and with the token of another browser', async () => {
    const person = await tandem.registerAccount();
    const { browser, page } = await signInPage();
    const other = await signInPage();
    const fields = { email: person.email, password: person.password };
    const token = fieldOf(other.page, 'password-form', 'csrf')!;
    const action = page.forms.find(({ id }) => id === 'password-form')!.action;
    for (const answer of [
      await browser.submit(page, 'password-form', fields, { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } }),
      await browser.submit(page, 'password-form', { ...fields, csrf: token }),
      await browser.post(action, fields),
    ]) {
      assert.equal(answer.status, 403);
      assert.match(answer.text, /This form can no longer be sent/);
    }
  });

  it('refuse the interaction of another browser', async () => {
    const person = await tandem.registerAccount();
    const [mine, theirs] = [await signInPage(), await signInPage()];
    const theirAction = theirs.page.forms.find(({ id }) => id === 'password-form')!.action;
    const csrf = fieldOf(mine.page, 'password-form', 'csrf')!;
    const answer = await mine.browser.post(theirAction, { csrf, email: person.email, password: person.password });
    assert.ok(answer.status === 404 || answer.status === 410, String(answer.status));
    assert.ok(!answer.visited.some((url) => url.includes('code=')));
  });

  it('register from a sign-in, and go on to the client signed in', async () => {
    const { browser, page } = await signInPage();
    const form = await browser.get(page.links.find((link) => link.includes('/account/register?uid='))!);
    assert.match(form.url, /\/interaction\/[\w-]+\/register$/);
    assert.match(form.text, /Relying Party/);
    const weak = await browser.submit(form, 'register-form', { email: 'new@example.com', name: 'New', password: 'Password123!' });
    assert.equal(weak.status, 422);
    assert.match(weak.text, /easily guessed/);
    assert.equal(fieldOf(weak, 'register-form', 'email'), 'new@example.com');
    assert.equal(fieldOf(weak, 'register-form', 'password'), '');
    const done = await browser.submit(weak, 'register-form', { password: NEXT });
    const landed = await signInAndConsent(browser, done, { accountId: '', email: 'new@example.com', password: NEXT });
    assert.ok(answerOf(landed).get('code'));
    assert.ok((await browser.get(tandem.url('/account'))).text.includes('new@example.com'));
  });

  it('say plainly that an address is taken, and keep its account as it is', async () => {
    const person = await tandem.registerAccount();
    const browser = createHttpBrowser();
    const form = await browser.get(tandem.url('/account/register'));
    const answer = await browser.submit(form, 'register-form', { email: person.email.toUpperCase(), password: NEXT });
    assert.equal(answer.status, 422);
    assert.match(answer.text, /cannot be used for a new account/);
    await tandem.t.accounts!.verifyPassword(person.email, person.password);
  });

  it('help password managers', async () => {
    const { page, browser } = await signInPage();
    assert.match(page.body, /autocomplete="username"[\s\S]*autocomplete="current-password"/);
    const form = await browser.get(tandem.url('/account/register'));
    assert.match(form.body, /autocomplete="username"[\s\S]*autocomplete="new-password"/);
  });

  it('show the account to whoever is signed in, and sign in whoever is not', async () => {
    const person = await tandem.registerAccount({ name: 'Ada' });
    const stranger = await createHttpBrowser().get(tandem.url('/account'));
    assert.match(stranger.url, /\/interaction\//);
    const browser = await signedInBrowser(tandem, person);
    const home = await browser.get(tandem.url('/account'));
    assert.ok(home.text.includes(person.email));
    const renamed = await browser.submit(home, 'profile-form', { name: '<b>Ada</b>' });
    assert.equal(fieldOf(renamed, 'profile-form', 'name'), '<b>Ada</b>');
    assert.match(renamed.text, /Your name has been saved/);
    const refused = await browser.submit(renamed, 'profile-form', { name: 'x'.repeat(101) });
    assert.equal(refused.status, 400);
    assert.match(refused.text, /at most 100/);
  });

  it('change the password only soon after a sign-in, and with the current one', async () => {
    const person = await tandem.registerAccount();
    const browser = await signedInBrowser(tandem, person);
    const form = await browser.get(tandem.url('/account/password'));
    const wrong = await browser.submit(form, 'change-password-form', { current: 'wrong password', password: NEXT });
    assert.equal(wrong.status, 401);
    assert.match(wrong.text, /not your current password/);
    const done = await browser.submit(wrong, 'change-password-form', { current: person.password, password: NEXT });
    assert.match(done.text, /Your password has been changed/);
    await assert.rejects(tandem.t.accounts!.verifyPassword(person.email, person.password));
    await tandem.t.accounts!.verifyPassword(person.email, NEXT);
  });

  it('sign out at the provider by one click, which ends what the session gave', async () => {
    const person = await tandem.registerAccount();
    const browser = await signedInBrowser(tandem, person);
    const { json: tokens } = await tokensByCode(tandem, browser, person);
    const userInfo = () => fetch(tandem.url('/me'), { headers: { authorization: `Bearer ${String(tokens['access_token'])}` } });
    assert.equal((await userInfo()).status, 200);
    const home = await browser.get(tandem.url('/account'));
    const session = () => /_session=([^;]*)/.exec(browser.cookies.header(new URL(tandem.issuer)) ?? '')?.[1];
    assert.ok(session());
    const out = await browser.submit(home, 'sign-out-form');
    assert.match(out.text, /You are signed out/);
    assert.ok(!session());
    assert.equal((await userInfo()).status, 401);
    const told = await tandem.t.audit.list({ accountId: person.accountId });
    assert.equal(JSON.stringify(told).match(/account\.signed_out/g)?.length, 1);
    assert.match((await browser.get(tandem.url('/account'))).url, /\/interaction\//);
    assert.match((await browser.submit(home, 'sign-out-form')).text, /You are signed out/, 'a second click on an old page ends there too');
  });

  it('sign nobody out for another site, or without the token of the page', async () => {
    const person = await tandem.registerAccount();
    const browser = await signedInBrowser(tandem, person);
    const home = await browser.get(tandem.url('/account'));
    const csrf = fieldOf(home, 'sign-out-form', 'csrf')!;
    const attempts = [
      await browser.submit(home, 'sign-out-form', {}, { headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' } }),
      await browser.submit(home, 'sign-out-form', { csrf: 'forged', xsrf: 'forged' }),
      await browser.post(tandem.url('/account/sign-out'), { csrf, logout: 'yes' }),
      await browser.post(tandem.url('/session/end/confirm'), { xsrf: csrf, logout: 'yes' }),
      await browser.post(tandem.url('/session/end/confirm'), { xsrf: '', logout: 'yes' }),
    ];
    for (const [index, { status }] of attempts.entries()) assert.ok(status >= 400 && status < 500, `${index}: ${status}`);
    assert.equal((await browser.get(tandem.url('/account'))).url, tandem.url('/account'));
  });

  it('remember on the browser who has signed in, and keep them in when a stranger guesses', async () => {
    const person = await tandem.registerAccount();
    const browser = await signedInBrowser(tandem, person);
    for (let n = 0; n < 11; n += 1) await tandem.t.accounts!.verifyPassword(person.email, 'wrong password').catch(() => {});
    const again = await browser.get(authorizationUrl(tandem, { prompt: 'login' }));
    const signedIn = await typePassword(browser, again, person);
    assert.notEqual(signedIn.status, 429);
    const stranger = await signInPage();
    assert.equal((await typePassword(stranger.browser, stranger.page, person)).status, 429);
  });

  it('let a familiar browser try no more often, whatever it says its name is', async () => {
    const person = await tandem.registerAccount();
    const browser = await signedInBrowser(tandem, person);
    const known = (browser.cookies.header(new URL(tandem.issuer)) ?? '').split('; ').find((each) => each.startsWith('tandem-known='))!;
    const statuses: number[] = [];
    for (let n = 0; n < 12; n += 1) {
      const { browser: stranger, page } = await signInPage();
      stranger.cookies.store(new URL(tandem.issuer), [`${known}; Path=/`]);
      statuses.push((await typePassword(stranger, page, { ...person, password: `wrong password ${n}` })).status);
    }
    assert.deepEqual(statuses.slice(-2), [429, 429]);
  });

  it('let the owner change the password while a stranger guesses it', async () => {
    const person = await tandem.registerAccount();
    const browser = await signedInBrowser(tandem, person);
    for (let n = 0; n < 11; n += 1) await tandem.t.accounts!.verifyPassword(person.email, 'wrong password').catch(() => {});
    const form = await browser.get(tandem.url('/account/password'));
    const done = await browser.submit(form, 'change-password-form', { current: person.password, password: NEXT });
    assert.match(done.url, /done=password/);
  });

  it('ask for a new sign-in before the password is changed, once the last is five minutes old', async () => {
    const person = await tandem.registerAccount();
    const browser = await signedInBrowser(tandem, person);
    const form = await browser.get(tandem.url('/account/password'));
    assert.match(form.url, /\/account\/password$/);
    tandem.clock.advance(6 * 60_000);
    assert.match((await browser.get(tandem.url('/account/password'))).url, /\/interaction\//);
    const posted = await browser.submit(form, 'change-password-form', { current: person.password, password: NEXT });
    assert.match(posted.url, /\/interaction\//);
    await tandem.t.accounts!.verifyPassword(person.email, person.password);
  });
});
