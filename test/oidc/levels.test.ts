import assert from 'node:assert/strict';
import type { ClientMetadata } from 'oidc-provider';
import { createDesktop, enrolPhone, type Desktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { API, CALLBACK, TEST_CLIENTS } from '../support/tandem.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { asksForCode, startWithTotp, typeCode, type TotpTandem } from '../totp/app.ts';
import { answerOf, authorizationUrl, payloadOf, pkce, signInAndConsent, tokenRequest, typePassword, type Person } from './helpers.ts';

const [ONE, TWO, TWO_QR] = ['urn:tandem:acr:1', 'urn:tandem:acr:2', 'urn:tandem:acr:2:qr'];
const essential = (...values: string[]) => JSON.stringify({ id_token: { acr: { essential: true, values } } });

const BANK: ClientMetadata = { ...TEST_CLIENTS.house, client_id: 'bank', client_name: 'Bank', tandem_level: 2 };
const OTHER_API = 'https://other.example.com';
const RESOURCES = {
  [API]: { scopes: { read: 'read your notes', write: { description: 'change your notes', level: 2 } } },
  [OTHER_API]: { scopes: { read: 'read your mail' } },
} as const;
const CLIENTS = [...Object.values(TEST_CLIENTS), BANK, { ...TEST_CLIENTS.house, client_id: 'notes', tandem_resources: { [API]: ['read', 'write'], [OTHER_API]: ['read'] } }];

onEachDatabase('a level', (database) => {
  const { verifier, challenge } = pkce();
  let tandem: TotpTandem;
  let person: Person;
  let browser: HttpBrowser;

  before(async () => {
    tandem = await startWithTotp(database, { clients: CLIENTS, tandem: { resources: RESOURCES } });
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
    browser = createHttpBrowser({ now: tandem.clock });
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const url = (parameters: Record<string, string> = {}) => authorizationUrl(tandem, { client_id: 'house', code_challenge: challenge, ...parameters });

  async function idToken(answer: URLSearchParams, clientId = 'house') {
    const form = { grant_type: 'authorization_code', code: answer.get('code') ?? '', redirect_uri: CALLBACK, code_verifier: verifier };
    const headers = { authorization: `Basic ${Buffer.from(`${clientId}:${TEST_CLIENTS.house.client_secret}`).toString('base64')}` };
    const response = await fetch(tandem.url('/token'), { method: 'POST', headers, body: new URLSearchParams(form) });
    return payloadOf(((await response.json()) as Record<string, unknown>)['id_token']);
  }

  /** A phone of an account that has no authenticator yet. */
  async function firstPhone(userVerifying: boolean): Promise<VirtualPhone> {
    const desktop = createDesktop(tandem);
    await desktop.signIn(person);
    return enrolPhone(tandem, desktop, { userVerifying });
  }

  /** Approves what the desktop shows; ends with the page that follows. */
  async function approve(desktop: Desktop, phone: VirtualPhone, parameters: Record<string, string> = {}): Promise<Page> {
    const page = await desktop.browser.get(url(parameters));
    const base = /data-base="([^"]+)"/.exec(page.body)?.[1];
    const csrf = page.forms.flatMap(({ fields }) => fields).find(([name]) => name === 'csrf')?.[1];
    assert.ok(base && csrf, `no QR panel: ${page.url} ${page.text.slice(0, 300)}`);
    const post = (path: string, fields: Record<string, string> = {}) => desktop.browser.post(`${base}${path}`, { csrf, ...fields }, { headers: { accept: 'application/json' } });
    const { frame } = (await post('/qr/start')).json<{ frame: string }>();
    const decided = await phone.approve(frame);
    if (decided.confirmCode !== undefined) await post('/qr/confirm', { code: decided.confirmCode });
    return desktop.browser.post(`${base}/redeem`, { csrf });
  }

  for (const [whose, demand, clientId] of [
    ['the client', { client_id: 'bank' }, 'bank'],
    ['a scope', { client_id: 'notes', scope: 'openid write', resource: API }, 'notes'],
    ['an essential acr', { claims: essential(TWO) }, 'house'],
  ] as const) {
    describe(`that ${whose} demands`, () => {
      it('is stepped up to inside the same session, of the same person', async () => {
        const first = await idToken(answerOf(await typePassword(browser, await browser.get(url()), person)));
        const app = await tandem.addApp(person.accountId);
        const session = await sessionUid(person);
        const page = await browser.get(url(demand));
        assert.ok(!page.forms.some(({ action }) => /\/(password|continue)$/.test(action)), page.text);
        const claims = await idToken(answerOf(await typeCode(browser, page, app.code())), clientId);
        assert.deepEqual([claims['acr'], claims['amr']], [TWO, ['pwd', 'otp', 'mfa']]);
        assert.equal(await sessionUid(person), session);
        if (clientId === 'house') assert.equal(claims['sub'], first['sub']);
        const silent = answerOf(await browser.get(url({ ...demand, prompt: 'none' })));
        assert.ok(silent.get('code'), silent.toString());
      });

      it('is an error to a silent request', async () => {
        answerOf(await typePassword(browser, await browser.get(url()), person));
        const error = answerOf(await browser.get(url({ ...demand, prompt: 'none' }))).get('error');
        assert.equal(error, 'claims' in demand ? 'unmet_authentication_requirements' : 'interaction_required');
      });

      it('is unmet when it is cancelled', async () => {
        answerOf(await typePassword(browser, await browser.get(url()), person));
        await tandem.addApp(person.accountId);
        const answer = answerOf(await browser.submit(await browser.get(url(demand)), '/abort'));
        assert.equal(answer.get('error'), 'unmet_authentication_requirements');
      });

      it('is given by the user-verifying key at once, without a code', async () => {
        const phone = await firstPhone(true);
        await tandem.addApp(person.accountId);
        const claims = await idToken(answerOf(await approve(createDesktop(tandem), phone, demand)), clientId);
        assert.deepEqual([claims['acr'], claims['amr']], ['claims' in demand ? TWO : TWO_QR, ['swk', 'user', 'mca', 'mfa']]);
      });

      it('is not given by the presence key, and the code follows it', async () => {
        const phone = await firstPhone(false);
        const app = await tandem.addApp(person.accountId);
        const desktop = createDesktop(tandem);
        const page = await approve(desktop, phone, demand);
        assert.ok(asksForCode(page), `${page.url} ${page.text.slice(0, 200)}`);
        const claims = await idToken(answerOf(await typeCode(desktop.browser, page, app.code())), clientId);
        assert.deepEqual([claims['acr'], claims['amr']], [TWO, ['swk', 'user', 'mca', 'otp', 'mfa']]);
      });

      it('is not given by the presence key of an account without authenticator', async () => {
        const phone = await firstPhone(false);
        await assert.rejects(approve(createDesktop(tandem), phone, demand), { code: 'uv_required' });
      });

      it('offers to add an authenticator to who has no second factor', async () => {
        const page = await typePassword(browser, await browser.get(url(demand)), person);
        assert.ok(page.links.some((link) => link.endsWith('/authenticator')), page.text);
      });
    });
  }

  const sessionUid = async ({ accountId }: Person) =>
    (await tandem.provider.Session.findByUid((await tandem.knex('tandem_sign_ins').where({ account_id: accountId }).orderBy('created_at').first()).session_uid))?.uid;

  describe('that acr_values asks for', () => {
    it('may be done without', async () => {
      const page = await typePassword(browser, await browser.get(url({ acr_values: TWO })), person);
      const claims = await idToken(answerOf(await browser.submit(page, '/continue')));
      assert.equal(claims['acr'], ONE);
    });

    it('is given by a code, and carried', async () => {
      const app = await tandem.addApp(person.accountId);
      const page = await typePassword(browser, await browser.get(url({ acr_values: `${TWO_QR} ${TWO}` })), person);
      assert.equal((await idToken(answerOf(await typeCode(browser, page, app.code()))))['acr'], TWO);
    });

    it('leaves the account’s own rule a way, where the account cannot give it', async () => {
      const app = await tandem.addApp(person.accountId);
      const page = await typePassword(browser, await browser.get(url({ acr_values: TWO_QR })), person);
      assert.ok(asksForCode(page), page.text);
      const claims = await idToken(answerOf(await typeCode(browser, page, app.code())));
      assert.equal(claims['acr'], TWO);
    });

    it('does not show the code where that cannot give what is essential', async () => {
      await tandem.addApp(person.accountId);
      const page = await typePassword(browser, await browser.get(url({ claims: essential(TWO_QR) })), person);
      assert.ok(!asksForCode(page), page.text);
      const base = page.url;
      const csrf = page.forms.flatMap(({ fields }) => fields).find(([name]) => name === 'csrf')![1];
      assert.equal((await browser.post(`${base}/totp`, { csrf, code: '123456' })).status, 409);
    });
  });

  describe('and the age of a sign-in', () => {
    it('that is too old asks for both factors again', async () => {
      tandem.clock.advance(-3_600_000);
      person = await tandem.registerAccount();
      const app = await tandem.addApp(person.accountId);
      const first = await idToken(answerOf(await typeCode(browser, await typePassword(browser, await browser.get(url()), person), app.code())));
      tandem.clock.advance(3_600_000);
      const again = await browser.get(url({ max_age: '600' }));
      assert.ok(again.forms.some(({ action }) => action.endsWith('/password')));
      assert.ok(!asksForCode(again));
      const half = await typePassword(browser, again, person);
      assert.ok(asksForCode(half));
      assert.equal(answerOf(await browser.get(url({ prompt: 'none' }))).get('error'), 'interaction_required', 'the first factor alone took the second one’s place');
      const claims = await idToken(answerOf(await typeCode(browser, half, app.code())));
      assert.deepEqual(claims['amr'], ['pwd', 'otp', 'mfa']);
      assert.ok((claims['auth_time'] as number) >= (first['auth_time'] as number) + 3000);
    });

    it('is not renewed by a code that comes later', async () => {
      tandem.clock.advance(-3_600_000);
      person = await tandem.registerAccount();
      const first = await idToken(answerOf(await typePassword(browser, await browser.get(url()), person)));
      tandem.clock.advance(3_600_000);
      const app = await tandem.addApp(person.accountId);
      const later = await idToken(answerOf(await typeCode(browser, await browser.get(url({ claims: essential(TWO) })), app.code())));
      assert.deepEqual([later['acr'], later['auth_time']], [TWO, first['auth_time']]);
    });

    it('is that of the code in one sitting', async () => {
      const app = await tandem.addApp(person.accountId);
      const page = await typePassword(browser, await browser.get(url()), person);
      tandem.clock.advance(9 * 60_000);
      const claims = await idToken(answerOf(await typeCode(browser, page, app.code())));
      assert.ok(Math.abs((claims['auth_time'] as number) - tandem.clock() / 1000) < 20);
    });
  });

  describe('of a phone’s session with a code on top', () => {
    it('ends with the phone when that is lost', async () => {
      const phone = await firstPhone(false);
      const app = await tandem.addApp(person.accountId);
      const desktop = createDesktop(tandem);
      answerOf(await approve(desktop, phone));
      answerOf(await typeCode(desktop.browser, await desktop.browser.get(url({ claims: essential(TWO) })), app.code()));
      const list = await desktop.browser.get(tandem.url('/account/devices'));
      const remove = await desktop.browser.get(list.links.find((link) => link.endsWith('/remove'))!);
      await desktop.browser.submit(remove, '/remove', { reason: 'lost' });
      await tandem.t.sweep();
      assert.equal(answerOf(await desktop.browser.get(url({ prompt: 'none' }))).get('error'), 'login_required');
    });
  });

  describe('of a scope', () => {
    it('is not asked where the scope is not, or the resource is another', async () => {
      answerOf(await typePassword(browser, await browser.get(url()), person));
      for (const parameters of [{ scope: 'openid read', resource: API }, { scope: 'openid write' }]) {
        const answer = answerOf(await browser.get(url({ client_id: 'notes', prompt: 'none', ...parameters })));
        assert.ok(answer.get('code'), answer.toString());
      }
    });

    it('keeps its words on the consent page', async () => {
      const app = await tandem.addApp(person.accountId);
      const half = await typePassword(browser, await browser.get(authorizationUrl(tandem, { scope: 'openid write', resource: API })), person);
      const consent = await typeCode(browser, half, app.code());
      assert.match(consent.text, /change your notes/);
    });

    it('is given only by the token that stepped up', async () => {
      const app = await tandem.addApp(person.accountId);
      const half = await typePassword(browser, await browser.get(authorizationUrl(tandem, { scope: 'openid write', resource: API, code_challenge: challenge })), person);
      const answer = answerOf(await browser.submit(await typeCode(browser, half, app.code()), '/consent'));
      const form = { grant_type: 'authorization_code', code: answer.get('code')!, redirect_uri: CALLBACK, code_verifier: verifier, resource: API };
      assert.equal((await tokenRequest(tandem, 'rp', form)).json['scope'], 'write');
    });

    it('is not given to who signed in by password, whatever the token endpoint is asked for', async () => {
      const weak = async (parameters: Record<string, string>) => {
        const request = { code_challenge: challenge, prompt: 'consent', ...parameters };
        const page = await signInAndConsent(browser, await browser.get(authorizationUrl(tandem, request)), person);
        return { grant_type: 'authorization_code', code: answerOf(page).get('code')!, redirect_uri: CALLBACK, code_verifier: verifier };
      };
      const unnamed = await weak({ scope: 'openid write' });
      assert.equal((await tokenRequest(tandem, 'rp', { ...unnamed, resource: API })).json['error'], 'invalid_target');
      const lesser = await weak({ scope: 'openid offline_access read', resource: API });
      const { json } = await tokenRequest(tandem, 'rp', { ...lesser, resource: API, scope: 'read write' });
      assert.equal(json['scope'], 'read');
      const refresh = { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']), resource: API, scope: 'openid write' };
      assert.equal((await tokenRequest(tandem, 'rp', refresh)).json['error'], 'invalid_scope');
    });

    it('is asked where one of several resources demands it', async () => {
      answerOf(await typePassword(browser, await browser.get(url()), person));
      const several = `${url({ client_id: 'notes', prompt: 'none', scope: 'openid read write', resource: OTHER_API })}&resource=${encodeURIComponent(API)}`;
      assert.equal(answerOf(await browser.get(several)).get('error'), 'interaction_required');
    });
  });
});
