import assert from 'node:assert/strict';
import { answerOf, typePassword, type Person } from '../oidc/helpers.ts';
import { createDesktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser } from '../support/http-browser.ts';
import { asksForCode, typeCode, type App, type TotpTandem } from './app.ts';
import { signIns } from './sign-ins.ts';

const LEVEL_2 = 'urn:tandem:acr:2';
const essential = (...values: string[]) => JSON.stringify({ id_token: { acr: { essential: true, values } } });

onEachDatabase('a sign-in whose code is not taken', (database) => {
  const { here, url, halfSignedIn, idToken, addPhone, approve } = signIns(database);
  let tandem: TotpTandem;
  let person: Person;
  let app: App;
  let browser: HttpBrowser;
  beforeEach(() => void ({ tandem, person, app, browser } = here));

  describe('refuses', () => {
    it('a wrong code, on the page that asks, with the tries that are left', async () => {
      const page = await typeCode(browser, await halfSignedIn(), app.wrongCode());
      assert.equal(page.status, 422);
      assert.match(page.text, /Tries left: 4\./);
      assert.match(page.body, /aria-invalid="true"/);
      assert.equal((await idToken(await typeCode(browser, page, app.code())))['acr'], LEVEL_2);
    });

    it('what is no code', async () => {
      const page = await typeCode(browser, await halfSignedIn(), 'abc');
      assert.equal(page.status, 422);
      assert.match(page.text, /six digits/);
      const again = await typeCode(browser, page, app.wrongCode());
      assert.match(again.text, /Tries left: 4\./, 'it was no try');
    });

    it('a code of another account', async () => {
      const other = await tandem.addApp((await tandem.registerAccount()).accountId);
      const page = await typeCode(browser, await halfSignedIn(), other.code());
      assert.equal(page.status, 422);
    });

    it('a code that was used', async () => {
      const page = await halfSignedIn();
      const code = app.code();
      await typeCode(browser, page, code);
      const second = createHttpBrowser({ now: tandem.clock });
      const half = await typePassword(second, await second.get(url()), person);
      assert.equal((await typeCode(second, half, code)).status, 422);
    });

    it('a form that is not of its page', async () => {
      const page = await halfSignedIn();
      const { action } = page.forms.find((form) => form.action.endsWith('/totp'))!;
      const code = app.code();
      assert.equal((await browser.post(action, { csrf: 'forged', code })).status, 403);
      assert.equal((await browser.post(action, { code })).status, 403);
      const { fields } = page.forms.find((form) => form.action.endsWith('/totp'))!;
      const csrf = fields.find(([name]) => name === 'csrf')![1];
      assert.equal((await browser.post(action, { csrf, code }, { headers: { origin: 'https://evil.example' } })).status, 403);
      assert.equal((await createHttpBrowser().post(action, { csrf, code })).status, 403);
      assert.ok(answerOf(await browser.post(action, { csrf, code })).get('code'));
    });

    it('a code before the password', async () => {
      const page = await browser.get(url());
      const [{ action, fields }] = page.forms as [(typeof page.forms)[number]];
      const csrf = fields.find(([name]) => name === 'csrf')![1];
      assert.equal((await browser.post(action.replace(/[^/]+$/, 'totp'), { csrf, code: app.code() })).status, 409);
    });

    it('too many wrong codes, for a while, and says for how long', async () => {
      let page = await halfSignedIn();
      for (let miss = 1; miss <= 5; miss += 1) page = await typeCode(browser, page, app.wrongCode());
      assert.equal(page.status, 422);
      assert.match(page.text, /Too many wrong codes\. You can try the next one in \d+ s\./);
      assert.equal(page.headers['retry-after'], '30');
      tandem.clock.advance(10_000);
      const right = await typeCode(browser, page, app.wrongCode());
      assert.equal(right.status, 429);
      const shown = await browser.get(page.url.replace(/\/totp$/, ''));
      assert.match(shown.text, /in (19|20) s\./);
      assert.equal((await idToken(await typeCode(browser, shown, app.code())))['acr'], LEVEL_2);
    });

    it('every code of a factor that is off, and names the way on', async () => {
      await switchOff(person.accountId);
      const page = await halfSignedIn();
      assert.equal(page.status, 200);
      assert.ok(!asksForCode(page));
      assert.match(page.text, /takes none any more.*phone or a recovery code/);
      const base = page.url.replace(/\/$/, '');
      const csrf = page.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
      const post = await browser.post(`${base}/totp`, { csrf, code: app.code() });
      assert.equal(post.status, 423);
      assert.match(post.text, /takes none any more/);
    });
  });

  /** As after a hundred misses in a row. */
  async function switchOff(accountId: string) {
    await tandem.knex('tandem_totp_accounts').where({ account_id: accountId }).update({ misses: 100 });
  }
  async function block(accountId: string) {
    await tandem.knex('tandem_totp_accounts').where({ account_id: accountId }).update({ misses: 20, next_try_at: tandem.clock() + 3_600_000 });
  }

  for (const [title, stop] of [['off', switchOff], ['blocked', block]] as const) {
    describe(`by phone, while codes are ${title},`, () => {
      it('goes on with the presence key, at 1:qr', async () => {
        const phone = await addPhone(false);
        await stop(person.accountId);
        assert.equal((await idToken(await (await approve(phone)).redeem()))['acr'], 'urn:tandem:acr:1:qr');
      });

      it('goes on with the user-verifying key, at 2:qr, also after the password', async () => {
        const phone = await addPhone(true);
        await stop(person.accountId);
        assert.equal((await idToken(await (await approve(phone, { claims: essential(LEVEL_2) })).redeem()))['acr'], LEVEL_2);
        const desktop = createDesktop(tandem);
        await typePassword(desktop.browser, await desktop.browser.get(url()), person);
        const claims = await idToken(await (await approve(phone, { claims: essential('urn:tandem:acr:2:qr') }, desktop)).redeem());
        assert.deepEqual([claims['acr'], claims['amr']], ['urn:tandem:acr:2:qr', ['swk', 'user', 'mca', 'mfa']]);
      });
    });
  }
});
