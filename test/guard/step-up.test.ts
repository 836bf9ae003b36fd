import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { createDesktop, enrolPhone, type Desktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import type { HttpBrowser, Page } from '../support/http-browser.ts';
import { CALLBACK, TEST_CLIENTS } from '../support/tandem.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { answerOf, payloadOf, signInAndConsent, type Person } from '../oidc/helpers.ts';
import { asksForCode, startWithTotp, typeCode, type TotpTandem } from '../totp/app.ts';
import { CASES, RESOURCES, startApi, type Api, type Format } from './harness.ts';

const MINUTE = 60_000;
const PAY = { scopes: ['pay'], acr: 'urn:tandem:acr:2', maxAge: 300 };
const scopes = { read: 'read your notes', pay: 'pay in your name' };
const CLIENTS = [
  { ...TEST_CLIENTS.house, tandem_resources: { [RESOURCES.opaque]: ['read', 'pay'], [RESOURCES.jwt]: ['read', 'pay'] } },
  { ...TEST_CLIENTS.service, tandem_introspects: [RESOURCES.opaque] },
];

/** What the person does on the page that an authorization request ends at. */
type Acts = (page: Page) => Promise<Page>;
const nothing: Acts = async (page) => page;

onEachDatabase('a client that follows the challenge of an API (RFC 9470)', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  let desktop: Desktop;
  let browser: HttpBrowser;
  before(async () => {
    tandem = await startWithTotp(database, {
      clients: CLIENTS,
      tandem: { resources: { [RESOURCES.opaque]: { scopes }, [RESOURCES.jwt]: { scopes, format: 'jwt', ttl: 3600 } } },
    });
  });
  after(() => tandem.close());
  beforeEach(async () => {
    // Codes put it forward.
    tandem.clock.advance(Date.now() - tandem.clock());
    person = await tandem.registerAccount();
    desktop = createDesktop(tandem);
    browser = desktop.browser;
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));

  /** A relying site on a stock library, which uses one API. */
  async function createSite(format: Format) {
    const { client_id: id, client_secret: secret } = TEST_CLIENTS.house;
    const config = await client.discovery(new URL(tandem.issuer), id, secret, undefined, { execute: [client.allowInsecureRequests] });

    async function signIn(parameters: Record<string, string>, acts: Acts): Promise<string> {
      const verifier = client.randomPKCECodeVerifier();
      const state = client.randomState();
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: CALLBACK,
        resource: RESOURCES[format],
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        ...parameters,
      });
      const back = await acts(await browser.get(url.href));
      answerOf(back);
      const checks = { pkceCodeVerifier: verifier, expectedState: state };
      const tokens = await client.authorizationCodeGrant(config, new URL(back.url), checks, { resource: RESOURCES[format] });
      return tokens.access_token;
    }

    return {
      signIn,
      call: (api: Api, path: string, token: string) => client.fetchProtectedResource(config, token, new URL(api.origin + path), 'GET'),
      /** Calls; where the API asks for more, asks the provider for just that, and calls again. */
      async callAndFollow(api: Api, path: string, token: string, acts: Acts): Promise<{ json: Record<string, unknown>; asked: Record<string, string | undefined>; token: string }> {
        const challenge = await challengeOf(client.fetchProtectedResource(config, token, new URL(api.origin + path), 'GET'));
        assert.equal(challenge['error'], 'insufficient_user_authentication');
        const asked = Object.fromEntries(['acr_values', 'max_age', 'scope'].flatMap((name) => (challenge[name] === undefined ? [] : [[name, challenge[name]]]))) as Record<string, string>;
        const next = await signIn({ ...asked, scope: `openid ${asked['scope'] ?? 'read'}` }, acts);
        const response = await client.fetchProtectedResource(config, next, new URL(api.origin + path), 'GET');
        assert.equal(response.status, 200);
        return { json: (await response.json()) as Record<string, unknown>, asked, token: next };
      },
    };
  }

  async function challengeOf(call: Promise<Response>): Promise<Record<string, string | undefined>> {
    try {
      await call;
    } catch (error) {
      assert.ok(error instanceof client.WWWAuthenticateChallengeError, String(error));
      assert.equal(error.status, 401);
      return { ...error.cause[0]!.parameters };
    }
    return assert.fail('the API asked for nothing');
  }

  /** The library reads no clock of ours: what shall be old for both is done by a clock put back. */
  async function tenMinutesAgo<T>(work: () => Promise<T>): Promise<T> {
    tandem.clock.advance(-10 * MINUTE);
    try {
      return await work();
    } finally {
      tandem.clock.advance(10 * MINUTE);
    }
  }

  const byPassword: Acts = (page) => signInAndConsent(browser, page, person);

  const addPhone = (userVerifying: boolean) => enrolPhone(tandem, desktop, { userVerifying });

  const byPhone = (phone: VirtualPhone): Acts => async (page) => {
    const base = /data-base="([^"]+)"/.exec(page.body)?.[1];
    const csrf = page.forms.flatMap(({ fields }) => fields).find(([name]) => name === 'csrf')?.[1];
    assert.ok(base && csrf, `no QR panel: ${page.url} ${page.text.slice(0, 300)}`);
    const post = (path: string, fields: Record<string, string> = {}) => browser.post(`${base}${path}`, { csrf, ...fields }, { headers: { accept: 'application/json' } });
    const { frame } = (await post('/qr/start')).json<{ frame: string }>();
    const decided = await phone.approve(frame);
    if (decided.confirmCode !== undefined) await post('/qr/confirm', { code: decided.confirmCode });
    return browser.post(`${base}/redeem`, { csrf });
  };

  for (const { place, format } of CASES) {
    describe(`${place}, with ${format} tokens`, () => {
      let api: Api;
      before(async () => {
        api = await startApi(tandem, place, format, { '/notes': { scopes: ['read'] }, '/pay': PAY, '/recent': { maxAge: 60 }, '/strong': { acr: PAY.acr } });
      });
      after(() => api.close());

      it('steps up by code in the same session, and is let in', async () => {
        const site = await createSite(format);
        const token = await site.signIn({ scope: 'openid read' }, byPassword);
        assert.equal((await site.call(api, '/notes', token)).status, 200);
        const app = await tandem.addApp(person.accountId);
        const { json, asked } = await site.callAndFollow(api, '/pay', token, (page) => typeCode(browser, page, app.code()));
        assert.deepEqual(asked, { acr_values: 'urn:tandem:acr:2', max_age: '300', scope: 'pay' });
        assert.deepEqual([json['acr'], json['amr'], json['scopes']], ['urn:tandem:acr:2', ['pwd', 'otp', 'mfa'], ['pay']]);
      });

      it('steps up from a phone’s presence by code', async () => {
        const site = await createSite(format);
        await desktop.signIn(person);
        const phone = await addPhone(false);
        const app = await tandem.addApp(person.accountId);
        desktop = createDesktop(tandem);
        browser = desktop.browser;
        const token = await site.signIn({ scope: 'openid read' }, byPhone(phone));
        const { json } = await site.callAndFollow(api, '/pay', token, (page) => typeCode(browser, page, app.code()));
        assert.deepEqual([json['acr'], json['amr']], ['urn:tandem:acr:2', ['swk', 'user', 'mca', 'otp', 'mfa']]);
      });

      it('steps up by the user-verifying key of a phone', async () => {
        const site = await createSite(format);
        const token = await site.signIn({ scope: 'openid read' }, byPassword);
        const phone = await addPhone(true);
        const { json } = await site.callAndFollow(api, '/pay', token, byPhone(phone));
        assert.deepEqual([json['acr'], json['amr']], ['urn:tandem:acr:2', ['swk', 'user', 'mca', 'mfa']]);
      });

      it('hears of it no more, and the person is asked nothing, where the session is strong enough already', async () => {
        const site = await createSite(format);
        await site.signIn({ scope: 'openid read' }, byPassword);
        const phone = await addPhone(true);
        await site.signIn({ scope: 'openid', acr_values: 'urn:tandem:acr:2' }, byPhone(phone));
        const weak = await site.signIn({ scope: 'openid read', acr_values: 'urn:tandem:acr:1' }, nothing);
        const { json } = await site.callAndFollow(api, '/pay', weak, nothing);
        assert.equal(json['acr'], 'urn:tandem:acr:2');
      });

      it('signs the person in again where the sign-in is only too old', async () => {
        const site = await createSite(format);
        const token = await tenMinutesAgo(async () => {
          person = await tandem.registerAccount();
          return site.signIn({ scope: 'openid read' }, byPassword);
        });
        const challenge = await challengeOf(site.call(api, '/recent', token));
        assert.deepEqual([challenge['max_age'], challenge['acr_values'], challenge['error_description']], ['60', undefined, 'a more recent sign-in is needed']);
        let visited = 0;
        const { json, token: fresh } = await site.callAndFollow(api, '/recent', token, (page) => {
          visited += 1;
          assert.ok(page.forms.some(({ action }) => action.endsWith('/password')), 'nobody was asked');
          return byPassword(page);
        });
        assert.equal(visited, 1);
        assert.equal(json['acr'], 'urn:tandem:acr:1');
        if (format === 'jwt') assert.ok((payloadOf(fresh)['auth_time'] as number) > tandem.clock() / 1000 - 60);
        // The token from before is as old as it was.
        assert.equal((await challengeOf(site.call(api, '/recent', token)))['error'], 'insufficient_user_authentication');
      });

      it('signs in again and steps up in one request where the sign-in is too old and too weak', async () => {
        const site = await createSite(format);
        const token = await tenMinutesAgo(async () => {
          person = await tandem.registerAccount();
          return site.signIn({ scope: 'openid read' }, byPassword);
        });
        const app = await tandem.addApp(person.accountId);
        const { json } = await site.callAndFollow(api, '/pay', token, async (page) => typeCode(browser, await byPassword(page), app.code()));
        assert.deepEqual([json['acr'], json['amr']], ['urn:tandem:acr:2', ['pwd', 'otp', 'mfa']]);
      });

      it('is not let in where the person would not step up', async () => {
        const site = await createSite(format);
        const token = await site.signIn({ scope: 'openid read' }, byPassword);
        const asked = await challengeOf(site.call(api, '/strong', token));
        const parameters = { scope: 'openid read', acr_values: asked['acr_values']! };
        const still = await site.signIn(parameters, (page) => browser.submit(page, '/continue'));
        assert.equal((await challengeOf(site.call(api, '/strong', still)))['acr_values'], 'urn:tandem:acr:2');
        await tandem.addApp(person.accountId);
        const ended: Acts = (page) => {
          assert.ok(asksForCode(page));
          return browser.submit(page, '/abort');
        };
        await assert.rejects(site.signIn(parameters, ended), { error: 'access_denied' });
      });
    });
  }
});
