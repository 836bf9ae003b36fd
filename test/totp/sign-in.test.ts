import assert from 'node:assert/strict';
import { answerOf, typePassword, type Person } from '../oidc/helpers.ts';
import { createDesktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import type { HttpBrowser } from '../support/http-browser.ts';
import { itWithOathtool, oathtool } from '../support/otp.ts';
import { asksForCode, typeCode, type App, type TotpTandem } from './app.ts';
import { signIns } from './sign-ins.ts';

const LEVEL_2 = 'urn:tandem:acr:2';

onEachDatabase('a sign-in with a code', (database) => {
  const { here, url, halfSignedIn, signIn, idToken, addPhone, approve } = signIns(database);
  let tandem: TotpTandem;
  let person: Person;
  let app: App;
  let browser: HttpBrowser;
  beforeEach(() => void ({ tandem, person, app, browser } = here));

  describe('of the account’s own rule', () => {
    it('follows the password, always, and says so in the ID token', async () => {
      const before = Math.floor(tandem.clock() / 1000);
      const page = await halfSignedIn();
      assert.match(page.title, /One more step/);
      assert.ok(!page.forms.some(({ action }) => action.endsWith('/password')));
      assert.ok(!page.forms.some(({ action }) => action.endsWith('/continue')));
      const claims = await idToken(await typeCode(browser, page, app.code()));
      assert.equal(claims['acr'], LEVEL_2);
      assert.deepEqual(claims['amr'], ['pwd', 'otp', 'mfa']);
      assert.ok((claims['auth_time'] as number) >= before + 30, 'the sign-in is as of the code');
    });

    itWithOathtool('takes the code of an independent generator', async () => {
      const page = await halfSignedIn();
      tandem.clock.advance(60_000);
      const code = await oathtool(app.secret, Math.floor(tandem.clock() / 1000));
      const claims = await idToken(await typeCode(browser, page, `${code.slice(0, 3)} ${code.slice(3)}`));
      assert.equal(claims['acr'], LEVEL_2);
    });

    it('holds for the session, and is not asked again in it', async () => {
      await signIn();
      const silent = await browser.get(url({ prompt: 'none' }));
      assert.deepEqual((await idToken(silent))['amr'], ['pwd', 'otp', 'mfa']);
    });

    it('is not asked of accounts without an authenticator', async () => {
      const other = await tandem.registerAccount();
      const claims = await idToken(await typePassword(browser, await browser.get(url()), other));
      assert.deepEqual([claims['acr'], claims['amr']], ['urn:tandem:acr:1', ['pwd']]);
    });

    it('is satisfied by a phone, be it by its presence key', async () => {
      const phone = await addPhone(false);
      const claims = await idToken(await (await approve(phone)).redeem());
      assert.deepEqual([claims['acr'], claims['amr']], ['urn:tandem:acr:1:qr', ['swk', 'user', 'mca']]);
    });

    it('is satisfied by a phone in place of the code, after the password', async () => {
      const phone = await addPhone(false);
      const desktop = createDesktop(tandem);
      const page = await typePassword(desktop.browser, await desktop.browser.get(url()), person);
      assert.ok(asksForCode(page));
      const claims = await idToken(await (await approve(phone, {}, desktop)).redeem());
      assert.deepEqual([claims['acr'], claims['amr']], ['urn:tandem:acr:1:qr', ['swk', 'user', 'mca']]);
    });

    it('shows a QR only to who has a phone to scan it with', async () => {
      assert.doesNotMatch((await halfSignedIn()).body, /data-qr/);
      await addPhone(false);
      assert.match((await browser.get(url())).body, /data-qr/);
    });

    it('cannot be passed by as voluntary', async () => {
      const page = await halfSignedIn();
      const base = page.forms.find(({ action }) => action.endsWith('/totp'))!.action.replace(/\/totp$/, '');
      const csrf = page.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
      assert.equal((await browser.post(`${base}/continue`, { csrf })).status, 409);
      assert.equal((await browser.post(`${base}/consent`, { csrf })).status, 409);
    });

    it('can be cancelled, as denied access', async () => {
      const answer = answerOf(await browser.submit(await halfSignedIn(), '/abort'));
      assert.equal(answer.get('error'), 'access_denied');
    });
  });

  describe('that is half done', () => {
    it('is an error to a silent request', async () => {
      await halfSignedIn();
      assert.equal(answerOf(await browser.get(url({ prompt: 'none' }))).get('error'), 'interaction_required');
    });

    it('yields no code, wherever its way back is visited', async () => {
      const page = await halfSignedIn();
      const uid = new URL(page.url).pathname.split('/')[2]!;
      const early = await browser.get(tandem.url(`/auth/${uid}`));
      assert.ok(asksForCode(early), `${early.url} ${early.text.slice(0, 200)}`);
      assert.ok(asksForCode(await browser.get(url())));
      const claims = await idToken(await typeCode(browser, await browser.get(early.url), app.code()));
      assert.equal(claims['acr'], LEVEL_2);
    });

    it('is no sign-in to the account pages', async () => {
      await halfSignedIn();
      for (const path of ['/account', '/account/password', '/account/devices']) {
        const page = await browser.get(tandem.url(path));
        assert.ok(asksForCode(page), `${path}: ${page.url}`);
      }
      const script = await browser.send('GET', tandem.url('/account/devices/enrolments/none/status'));
      assert.equal(script.status, 404);
      const refused = await browser.get(tandem.url('/account'));
      const [{ fields }] = refused.forms as [(typeof refused.forms)[number]];
      const csrf = fields.find(([name]) => name === 'csrf')![1];
      const post = await browser.post(tandem.url('/account/profile'), { csrf, name: 'Mallory' }, { follow: false });
      assert.equal(post.status, 303);
      assert.ok(String(post.headers.location).includes('/auth?'));
      const home = await typeCode(browser, refused, app.code());
      assert.equal(new URL(home.url).pathname, '/account');
      assert.doesNotMatch(home.body, /Mallory/);
    });

    it('changes nothing on the account pages, not by their forms either', async () => {
      await addPhone(false);
      const device = () => tandem.knex('tandem_devices').where({ account_id: person.accountId }).first();
      const { id, name } = await device();
      const page = await halfSignedIn();
      const csrf = page.forms[0]!.fields.find(([field]) => field === 'csrf')![1];
      await browser.post(tandem.url(`/account/devices/${id}/rename`), { csrf, name: 'Mallory' });
      assert.equal((await device()).name, name);
      await browser.submit(page, '/totp', { code: app.code() });
      await browser.post(tandem.url(`/account/devices/${id}/rename`), { csrf, name: 'Pocket' });
      assert.equal((await device()).name, 'Pocket');
    });

    it('does not make the browser a known one', async () => {
      const known = () => (browser.cookies.header(new URL(tandem.issuer)) ?? '').includes('tandem-known=');
      const page = await halfSignedIn();
      assert.equal(known(), false);
      await typeCode(browser, page, app.code());
      assert.equal(known(), true);
    });
  });

  describe('twice at once', () => {
    it('in two tabs takes a code in each', async () => {
      const first = await halfSignedIn();
      const second = await browser.get(url({ state: 'second' }));
      assert.ok((await idToken(await typeCode(browser, first, app.code())))['sub']);
      const claims = await idToken(await typeCode(browser, second, app.code()));
      assert.deepEqual([claims['acr'], claims['amr']], [LEVEL_2, ['pwd', 'otp', 'mfa']]);
    });

    it('by a form sent twice, is one sign-in and a clear refusal', async () => {
      const page = await halfSignedIn();
      const code = app.code();
      const answers = await Promise.all([1, 2].map(() => browser.submit(page, '/totp', { code }, { follow: false })));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 422]);
      const resumed = await browser.get(String(answers.find(({ status }) => status === 303)!.headers.location));
      assert.equal((await idToken(resumed))['acr'], LEVEL_2);
      const late = await browser.submit(page, '/totp', { code: app.code() });
      assert.equal(late.status, 410);
    });

    it('is over once somebody else has signed in', async () => {
      const page = await halfSignedIn();
      const other = await tandem.registerAccount();
      const fresh = await browser.get(url({ prompt: 'login' }));
      const switched = await typePassword(browser, fresh, other);
      const end = switched.forms.find(({ action }) => action.includes('/session/end'));
      if (end) await browser.submit(switched, '/session/end');
      const late = await typeCode(browser, page, app.code());
      assert.equal(late.status, 410, late.text);
      assert.equal(answerOf(await browser.get(url({ prompt: 'none' }))).get('error'), null);
    });

    it('does not save a password that has been changed meanwhile', async () => {
      const page = await halfSignedIn();
      const sessions = await tandem.knex('tandem_oidc').where({ model: 'Session' });
      tandem.clock.advance(2000);
      await tandem.t.accounts!.changePassword(person.accountId, { current: person.password, next: 'a quite different set of words' });
      await tandem.t.sweep();
      assert.equal((await typeCode(browser, page, app.code())).status, 410);
      // A request under way writes the session that has ended once more.
      for (const row of sessions) if (!(await tandem.knex('tandem_oidc').where({ id: row.id }).first())) await tandem.knex('tandem_oidc').insert(row);
      assert.equal(answerOf(await typeCode(browser, page, app.code())).get('error'), 'access_denied');
    });

    it('is over without its session, and uses up no code', async () => {
      const page = await halfSignedIn();
      const code = app.code();
      for (const { name } of browser.cookies.all()) if (name.startsWith('_session')) browser.cookies.clear(name);
      assert.equal((await typeCode(browser, page, code)).status, 410);
      assert.ok(answerOf(await typeCode(browser, await halfSignedIn(), code)).get('code'));
    });

    it('is over once the person has signed out', async () => {
      const page = await halfSignedIn();
      await browser.submit(await browser.get(tandem.url('/session/end')), 'op.logoutForm', { logout: 'yes' });
      assert.equal((await typeCode(browser, page, app.code())).status, 410);
    });
  });
});
