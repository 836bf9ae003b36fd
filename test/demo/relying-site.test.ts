import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPairSync } from 'node:crypto';
import { interactionPolicy, Provider } from 'oidc-provider';
import { html } from '../../src/demo/html.ts';
import { createRelyingSite } from '../../src/demo/relying-site.ts';

/** Follows redirects across sites with one set of cookies for each, as a browser does; `visited` collects where it went, `jars` its cookies by host. */
function createBrowser({ visited = [], jars = new Map() }: { visited?: string[]; jars?: Map<string, Map<string, string>> } = {}) {
  return async function visit(url: string, init: RequestInit = {}): Promise<{ url: string; status: number; text: string; headers: Headers }> {
    for (let hops = 0; hops < 12; hops += 1) {
      const { host } = new URL(url);
      const jar = jars.get(host) ?? new Map<string, string>();
      jars.set(host, jar);
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
        if (value && !/expires=Thu, 01 Jan 1970/i.test(line)) jar.set(name!, value);
        else jar.delete(name!);
      }
      const location = response.headers.get('location');
      visited.push(url);
      if (!location) return { url, status: response.status, text: await response.text(), headers: response.headers };
      url = new URL(location, url).href;
      init = {};
    }
    throw new Error('too many redirects');
  };
}

const ONE = 'urn:tandem:acr:1';
const TWO = 'urn:tandem:acr:2';

/** The library's, with its question of `acr` behind a switch, and with nothing said of who may answer. */
function policy(heeds: () => boolean): interactionPolicy.DefaultPolicy {
  const { base, Check } = interactionPolicy;
  const prompts = base();
  const { checks } = prompts.get('login')!;
  for (const reason of ['essential_acr', 'essential_acrs', 'id_token_hint']) checks.remove(reason);
  checks.add(new Check('weak', 'a stronger sign-in is needed', ({ oidc }) => heeds() && oidc.params?.['claims'] !== undefined && oidc.session?.acr !== TWO));
  return prompts;
}

describe('the demo relying site', () => {
  const servers: Server[] = [];
  let issuer: string;
  let url: string;
  /** What the person does at the provider. */
  let answer: { accountId: string; acr: string } | { error: string; error_description?: string };
  /** Whether the provider asks for the class that a request needs, rather than give what it has. */
  let heeds: boolean;
  let idTokens: (token: string) => string;

  async function listen() {
    const server = createServer();
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
  }

  before(async () => {
    const [idp, site] = [await listen(), await listen()];
    issuer = idp.origin;
    url = site.origin;
    const relyingSite = createRelyingSite({ issuer, clientId: 'shop', clientSecret: 'a secret of the shop', url });
    relyingSite.silent = true;
    site.server.on('request', relyingSite.callback());

    const provider = new Provider(issuer, {
      clients: [{
        client_id: 'shop', client_secret: 'a secret of the shop', redirect_uris: [`${url}/callback`],
        post_logout_redirect_uris: [`${url}/signed-out`], id_token_signed_response_alg: 'ES256',
      }],
      jwks: { keys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as { kty: string }] },
      cookies: { keys: ['k'] },
      features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
      acrValues: [ONE, TWO],
      claims: { openid: ['sub', 'acr', 'auth_time'], profile: ['name'], email: ['email'] },
      interactions: { url: (_ctx, { uid }) => `/interaction/${uid}`, policy: policy(() => heeds) },
      findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, name: '<Ada> & "Co"', email: 'ada@example.com' }) }),
    });
    provider.use(async (ctx, next) => {
      if (!ctx.path.startsWith('/interaction/')) {
        await next();
        if (ctx.path === '/token' && ctx.status === 200) {
          const body = ctx.body as { id_token: string };
          body.id_token = idTokens(body.id_token);
        }
        return;
      }
      if ('error' in answer) return provider.interactionFinished(ctx.req, ctx.res, answer);
      const { accountId, acr } = answer;
      const { params } = await provider.interactionDetails(ctx.req, ctx.res);
      const grant = new provider.Grant({ accountId, clientId: params['client_id'] as string });
      grant.addOIDCScope(params['scope'] as string);
      grant.addOIDCClaims(['acr']);
      await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId, acr, remember: true }, consent: { grantId: await grant.save() } });
    });
    idp.server.on('request', provider.callback());
  });

  beforeEach(() => {
    answer = { accountId: 'ada', acr: ONE };
    heeds = true;
    idTokens = (token) => token;
  });

  after(() => {
    for (const server of servers) server.close().closeAllConnections();
  });

  it('greets by the claims of a verified ID token, and signs out at both sides', async () => {
    const visit = createBrowser();
    assert.match((await visit(url)).text, /Sign in with your phone/);
    const greeting = await visit(`${url}/sign-in`);
    assert.equal(greeting.url, `${url}/`);
    assert.match(greeting.text, /<h1>Hello &#60;Ada&#62; &#38; &#34;Co&#34;<\/h1>/);
    assert.match(greeting.text, /ada@example\.com/);
    const me = JSON.parse((await visit(`${url}/me`)).text) as { idToken: Record<string, unknown> };
    assert.equal(me.idToken['iss'], issuer);
    assert.equal(me.idToken['aud'], 'shop');

    const confirm = await visit(`${url}/sign-out`, { method: 'POST' });
    assert.ok(confirm.url.startsWith(`${issuer}/session/end`));
    assert.equal((await visit(`${url}/me`)).status, 401);
  });

  describe('at the till', () => {
    const pay = (visit: ReturnType<typeof createBrowser>) => visit(`${url}/pay`, { method: 'POST', headers: { origin: url } });
    const me = async (visit: ReturnType<typeof createBrowser>) => (await visit(`${url}/me`)).status;

    it('asks for a fresh sign-in of level 2 as an essential claim, and shows the proof that it got', async () => {
      const visited: string[] = [];
      const visit = createBrowser({ visited });
      assert.match((await visit(`${url}/sign-in`)).text, /Pay with your balance/);
      assert.match((await visit(`${url}/pay`)).text, /<form method="post" action="\/pay">/);
      assert.equal((await visit(`${url}/paid`)).url, `${url}/pay`);
      answer = { accountId: 'ada', acr: TWO };
      visited.length = 0;
      const receipt = await pay(visit);
      assert.equal(receipt.url, `${url}/paid`);
      assert.match(receipt.text, /<h1>Paid\.<\/h1>/);
      assert.match(receipt.text, /<td>urn:tandem:acr:2<\/td>/);
      const { searchParams: asked } = new URL(visited.find((step) => step.startsWith(`${issuer}/auth?`))!);
      assert.deepEqual(JSON.parse(asked.get('claims')!), { id_token: { acr: { essential: true, values: [TWO] } } });
      assert.equal(asked.get('max_age'), '300');
      assert.match(asked.get('id_token_hint')!, /^ey/);
    });

    it('lets in, and pays, in one go', async () => {
      answer = { accountId: 'ada', acr: TWO };
      const visit = createBrowser();
      assert.match((await visit(url)).text, /Pay with your balance/);
      assert.equal((await pay(visit)).url, `${url}/paid`);
      assert.match((await visit(url)).text, /<h1>Hello /);
    });

    it('takes no payment on a weaker proof, whatever the provider says', async () => {
      heeds = false;
      const visit = createBrowser();
      await visit(`${url}/sign-in`);
      const page = await pay(visit);
      assert.equal(page.status, 403);
      assert.match(page.text, /Nothing was paid/);
      assert.match((await visit(`${url}/paid`)).url, /\/pay$/);
    });

    it('takes no payment of another account than the one signed in', async () => {
      const jars = new Map<string, Map<string, string>>();
      const visit = createBrowser({ jars });
      await visit(`${url}/sign-in`);
      jars.delete(new URL(issuer).host);
      answer = { accountId: 'eve', acr: TWO };
      const page = await pay(visit);
      assert.equal(page.status, 403);
      assert.match(page.text, /Nothing was paid/);
      assert.match(page.text, /another account/);
      assert.match((await visit(`${url}/paid`)).url, /\/pay$/);
    });

    it('says how to get a second factor where there was none, and stays signed in', async () => {
      const visit = createBrowser();
      await visit(`${url}/sign-in`);
      answer = { error: 'unmet_authentication_requirements' };
      const page = await pay(visit);
      assert.equal(page.status, 403);
      assert.match(page.text, /Nothing was paid/);
      assert.match(page.text, /authenticator app/);
      assert.ok(page.text.includes(`href="${issuer}/account"`));
      assert.equal(await me(visit), 200);
    });

    it('says so when the person refused, and offers another try', async () => {
      const visit = createBrowser();
      await visit(`${url}/sign-in`);
      answer = { error: 'access_denied' };
      const page = await pay(visit);
      assert.equal(page.status, 403);
      assert.match(page.text, /You refused/);
      assert.match(page.text, /href="\/pay"/);
      assert.equal(await me(visit), 200);
    });

    it('does not pay on behalf of another site', async () => {
      const visit = createBrowser();
      await visit(`${url}/sign-in`);
      assert.equal((await visit(`${url}/pay`, { method: 'POST', headers: { origin: 'https://evil.example' } })).status, 403);
    });
  });

  it('says so when the request was denied, and offers another try', async () => {
    answer = { error: 'access_denied' };
    const page = await createBrowser()(`${url}/sign-in`);
    assert.equal(page.status, 400);
    assert.match(page.text, /You are not signed in/);
    assert.match(page.text, /Try again/);
  });

  it('signs nobody in by an ID token whose signature does not hold', async () => {
    idTokens = (token) => {
      const [header, payload] = token.split('.') as [string, string];
      return `${header}.${payload}.${Buffer.alloc(64, 1).toString('base64url')}`;
    };
    const visit = createBrowser();
    assert.equal((await visit(`${url}/sign-in`)).status, 502);
    assert.equal((await visit(`${url}/me`)).status, 401);
  });

  it('takes no answer that this browser did not ask for', async () => {
    const asked = createBrowser();
    const victim = createBrowser();
    await asked(`${url}/sign-in`);
    assert.match((await victim(`${url}/callback?code=stolen&state=x`)).text, /Sign in with your phone/);
    assert.equal((await victim(`${url}/me`)).status, 401);
  });

  it('does not sign out on behalf of another site, and says what the browser may do with its pages', async () => {
    const visit = createBrowser();
    await visit(`${url}/sign-in`);
    assert.equal((await visit(`${url}/sign-out`, { method: 'POST', headers: { origin: 'https://evil.example' } })).status, 403);
    const { headers, status } = await visit(`${url}/me`);
    assert.equal(status, 200);
    assert.match(headers.get('content-security-policy')!, /default-src 'none'/);
    assert.equal((await visit(`${url}/nothing`)).status, 404);
  });

  it('answers when the provider is not there', async () => {
    const site = createRelyingSite({ issuer: 'http://localhost:9', clientId: 'shop', clientSecret: 's', url: 'http://localhost:8' });
    site.silent = true;
    const { server, origin } = await listen();
    server.on('request', site.callback());
    const page = await createBrowser()(`${origin}/sign-in`);
    assert.equal(page.status, 502);
    assert.match(page.text, /cannot be used just now/);
  });

  it('escapes whatever goes into a page', () => {
    assert.equal(html`<p>${'<script>"\'&'}</p>`.html, '<p>&#60;script&#62;&#34;&#39;&#38;</p>');
    assert.equal(html`${[html`<b>`, html`${'<'}`]}`.html, '<b>&#60;');
  });
});
