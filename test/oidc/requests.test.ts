import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { CALLBACK, startTandem, type TestTandem } from '../support/tandem.ts';
import { answerOf, authorizationUrl, payloadOf, signedInBrowser, signInAndConsent, startWithPerson, tokenRequest, tokensByCode, typePassword, type Person } from './helpers.ts';

onEachDatabase('authorization requests', (database) => {
  let tandem: TestTandem;
  let person: Person;
  startWithPerson(database, (started, registered) => {
    tandem = started;
    person = registered;
  });

  const ask = (parameters: Record<string, string | undefined>) => createHttpBrowser().get(authorizationUrl(tandem, parameters));

  describe('PKCE', () => {
    for (const clientId of ['rp', 'spa', 'house']) {
      it(`is required of ${clientId}`, async () => {
        const answer = answerOf(await ask({ client_id: clientId, code_challenge: undefined, code_challenge_method: undefined }));
        assert.equal(answer.get('error'), 'invalid_request');
      });
    }

    it('is refused in plain', async () => {
      assert.equal(answerOf(await ask({ code_challenge_method: 'plain' })).get('error'), 'invalid_request');
      assert.equal(answerOf(await ask({ code_challenge_method: undefined })).get('error'), 'invalid_request');
    });

    it('refuses another verifier, and burns the code', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await signInAndConsent(browser, await browser.get(authorizationUrl(tandem)), person);
      const form = { grant_type: 'authorization_code', code: answerOf(page).get('code')!, redirect_uri: CALLBACK, code_verifier: 'x'.repeat(43) };
      assert.equal((await tokenRequest(tandem, 'rp', form)).json['error'], 'invalid_grant');
    });
  });

  describe('redirect URIs', () => {
    for (const uri of [
      undefined,
      'http://localhost:1/cb/',
      'http://localhost:1/cb?x=1',
      'http://localhost:1/CB',
      'http://localhost:1/cb%2f..',
      'http://localhost:1/x/../cb',
      'http://localhost:1/cb#fragment',
      'http://localhost:1\\@evil.example/cb',
      'http://localhost:1@evil.example/cb',
      'https://evil.example/cb',
      '//localhost:1/cb',
      'javascript:alert(1)',
    ]) {
      it(`stay here rather than go to ${uri}`, async () => {
        const page = await ask({ redirect_uri: uri });
        assert.equal(page.status, 400);
        assert.ok(page.url.startsWith(tandem.issuer));
      });
    }
  });

  describe('response types', () => {
    for (const responseType of ['id_token', 'code id_token', 'token', 'id_token token']) {
      it(`refuse ${responseType}`, async () => {
        const page = await ask({ response_type: responseType, nonce: 'n' });
        const [, answer = ''] = page.url.split(/[?#]/);
        assert.equal(new URLSearchParams(answer).get('error'), 'unsupported_response_type');
      });
    }
  });

  it('are no trouble from an address of any length that a proxy is said to have told', async () => {
    tandem.provider.proxy = true;
    try {
      const browser = createHttpBrowser({ headers: { 'x-forwarded-for': 'unknown'.repeat(40) } });
      assert.equal((await typePassword(browser, await browser.get(authorizationUrl(tandem)), person)).status, 200);
    } finally {
      tandem.provider.proxy = false;
    }
  });

  describe('consent', () => {
    it('is asked by a third party once, naming what it gets', async () => {
      const browser = createHttpBrowser();
      const page = await typePassword(browser, await browser.get(authorizationUrl(tandem, { scope: 'openid email' })), person);
      assert.match(page.text, /Relying Party asks for access/);
      assert.match(page.text, /see your e-mail address/);
      assert.match(page.text, /localhost:1/);
      answerOf(await browser.submit(page, '/consent'));
      assert.ok(answerOf(await browser.get(authorizationUrl(tandem, { scope: 'openid email' }))).get('code'));
      const more = await browser.get(authorizationUrl(tandem, { scope: 'openid email profile' }));
      assert.match(more.text, /see your name/);
    });

    it('names also what single claims ask for', async () => {
      const browser = await signedInBrowser(tandem, await tandem.registerAccount());
      const claims = JSON.stringify({ userinfo: { email: null, nickname: { essential: true }, 'Free cake! <b>': null }, id_token: { acr: null } });
      const page = await browser.get(authorizationUrl(tandem, { scope: 'openid', claims }));
      assert.match(page.text, /see your e-mail address/);
      assert.match(page.text, /see your name/);
      assert.doesNotMatch(page.text, /cake/);
    });

    it('names every scope and claim of the host’s own, and nothing that nobody grants', async () => {
      const configuration = { scopes: ['notes:read'], claims: { address: ['address'], 'tax#id': null } };
      const own = await startTandem(database, { configuration });
      try {
        const someone = await own.registerAccount();
        const junk = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`junk${index}`, null]));
        const claims = JSON.stringify({ userinfo: { ...junk, 'tax#id': null } });
        const asked = { scope: 'openid notes:read address cake', claims };
        const browser = createHttpBrowser();
        const { text } = await typePassword(browser, await browser.get(authorizationUrl(own, asked)), someone);
        for (const shown of [/notes:read/, /address/, /tax#id/]) assert.match(text, shown);
        for (const unknown of [/junk/, /cake/]) assert.doesNotMatch(text, unknown);
      } finally {
        await own.close();
      }
    });

    it('is not asked by a site of the house', async () => {
      const browser = createHttpBrowser();
      const page = await typePassword(browser, await browser.get(authorizationUrl(tandem, { client_id: 'house' })), person);
      assert.ok(answerOf(page).get('code'));
    });

    it('is asked again with prompt=consent', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'consent' }));
      assert.match(page.text, /House asks for access/);
    });

    it('that is denied ends at the client', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await browser.get(authorizationUrl(tandem));
      assert.equal(answerOf(await browser.submit(page, '/abort')).get('error'), 'access_denied');
    });

    it('needs the form of this browser', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await browser.get(authorizationUrl(tandem));
      const action = page.forms.find((form) => form.action.endsWith('/consent'))!.action;
      assert.equal((await browser.post(action, {})).status, 403);
      assert.equal((await browser.post(action, { csrf: 'forged' })).status, 403);
      assert.equal((await browser.submit(page, '/consent', {}, { headers: { origin: 'https://evil.example' } })).status, 403);
      assert.equal((await browser.submit(page, '/consent', {}, { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403);
    });

    it('cannot be given where none is due', async () => {
      const browser = createHttpBrowser();
      const page = await browser.get(authorizationUrl(tandem));
      const csrf = page.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
      assert.equal((await browser.post(`${page.url}/consent`, { csrf })).status, 409);
    });
  });

  describe('interactions', () => {
    it('belong to their browser', async () => {
      const page = await ask({});
      const stolen = await createHttpBrowser().get(page.url);
      assert.equal(stolen.status, 410);
      assert.ok(stolen.forms.every(({ action }) => !action.includes('/password')));
    });

    it('belong to their page', async () => {
      const browser = createHttpBrowser();
      const [one, other] = [await browser.get(authorizationUrl(tandem)), await browser.get(authorizationUrl(tandem))];
      assert.notEqual(one.url, other.url);
      assert.equal((await browser.get(one.url)).status, 200);
      assert.equal((await browser.get(tandem.url('/interaction/nothing'))).status, 410);
    });

    it('speak the language that the client asks for', async () => {
      assert.match((await ask({ ui_locales: 'nl' })).text, /Inloggen/);
    });
  });

  describe('prompt=none', () => {
    it('says login_required to nobody, consent_required to somebody, and gives a code afterwards', async () => {
      const browser = createHttpBrowser();
      assert.equal(answerOf(await browser.get(authorizationUrl(tandem, { prompt: 'none' }))).get('error'), 'login_required');
      await signInAndConsent(browser, await browser.get(authorizationUrl(tandem, { client_id: 'house' })), person);
      assert.equal(answerOf(await browser.get(authorizationUrl(tandem, { prompt: 'none' }))).get('error'), 'consent_required');
      await signInAndConsent(browser, await browser.get(authorizationUrl(tandem)), person);
      assert.ok(answerOf(await browser.get(authorizationUrl(tandem, { prompt: 'none' }))).get('code'));
    });
  });

  describe('max_age', () => {
    it('asks again for an old sign-in, and says when it was', async () => {
      const browser = await signedInBrowser(tandem, person);
      const fresh = await tokensByCode(tandem, browser, person, { client_id: 'house', max_age: '3600' });
      assert.equal(typeof payloadOf(fresh.json['id_token'])['auth_time'], 'number');
      await new Promise((resolve) => setTimeout(resolve, 2100));
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house', max_age: '1' }));
      assert.ok(page.forms.some(({ action }) => action.endsWith('/password')));
      const stranger = await tandem.registerAccount();
      assert.match((await typePassword(browser, page, stranger)).text, /another account/i);
    });
  });

  describe('acr', () => {
    const essential = (...values: unknown[]) => JSON.stringify({ id_token: { acr: { essential: true, values } } });

    it('carries the value asked for that is satisfied', async () => {
      const browser = createHttpBrowser();
      const { json } = await tokensByCode(tandem, browser, person, { client_id: 'house', claims: essential('urn:tandem:acr:1') });
      assert.equal(payloadOf(json['id_token'])['acr'], 'urn:tandem:acr:1');
    });

    it('that is essential and unmet is said at once with prompt=none', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none', claims: essential('urn:tandem:acr:2') }));
      assert.equal(answerOf(page).get('error'), 'unmet_authentication_requirements');
    });

    it('that is essential is asked for, without the password that cannot give it', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house', claims: essential('urn:tandem:acr:2') }));
      assert.match(page.text, /stronger sign-in/);
      assert.ok(page.forms.every(({ action }) => !action.endsWith('/password') && !action.endsWith('/continue')));
      const csrf = page.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
      const posted = await browser.post(`${page.url}/continue`, { csrf });
      assert.equal(posted.status, 409);
      assert.equal(answerOf(await browser.submit(page, '/abort')).get('error'), 'unmet_authentication_requirements');
    });

    it('that no way can give is unmet', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house', claims: essential('urn:example:gold') }));
      assert.equal(answerOf(page).get('error'), 'unmet_authentication_requirements');
    });

    it('that is voluntary can be done without, and is not asked for with prompt=none', async () => {
      const browser = await signedInBrowser(tandem, person);
      const silent = await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none', acr_values: 'urn:tandem:acr:2' }));
      assert.ok(answerOf(silent).get('code'));
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house', acr_values: 'urn:tandem:acr:2' }));
      assert.match(page.text, /stronger sign-in/);
      assert.ok(answerOf(await browser.submit(page, '/continue')).get('code'));
    });

    for (const acr of [{ essential: true, values: 'urn:tandem:acr:2' }, { essential: true, values: [1] }, { essential: true, values: [] }, { essential: 'yes', values: ['a'] }, { value: 2, essential: true }, 'urn:tandem:acr:2', ['urn:tandem:acr:2']]) {
      it(`refuses ${JSON.stringify(acr)}`, async () => {
        const answer = answerOf(await ask({ claims: JSON.stringify({ id_token: { acr } }) }));
        assert.equal(answer.get('error'), 'invalid_request');
      });
    }
  });

  describe('a session', () => {
    it('whose account is gone asks for another sign-in', async () => {
      const goner = await tandem.registerAccount();
      const browser = await signedInBrowser(tandem, goner);
      await tandem.knex('tandem_accounts').where({ id: goner.accountId }).delete();
      assert.equal(answerOf(await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none' }))).get('error'), 'login_required');
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house' }));
      const switched = await typePassword(browser, page, person);
      // The library signs the old account out by a page that submits itself.
      assert.ok(answerOf(await browser.submit(switched, 0)).get('code'));
    });

    it('changes its id when somebody signs in', async () => {
      const browser = createHttpBrowser();
      const page = await browser.get(authorizationUrl(tandem, { client_id: 'house' }));
      const before = browser.cookies.header(new URL(tandem.issuer));
      answerOf(await typePassword(browser, page, person));
      const id = (header: string | undefined) => /_session=([^;]+)/.exec(header ?? '')?.[1];
      const first = id(browser.cookies.header(new URL(tandem.issuer)));
      assert.ok(first && first !== id(before));
      const again = await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'login' }));
      answerOf(await typePassword(browser, again, person));
      assert.notEqual(id(browser.cookies.header(new URL(tandem.issuer))), first);
    });
  });
});
