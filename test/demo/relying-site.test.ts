import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { html } from '../../src/demo/html.ts';
import { createRelyingSite } from '../../src/demo/relying-site.ts';

/** Follows redirects across sites with one set of cookies for each, as a browser does. */
function createBrowser() {
  const jars = new Map<string, Map<string, string>>();
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
      if (!location) return { url, status: response.status, text: await response.text(), headers: response.headers };
      url = new URL(location, url).href;
      init = {};
    }
    throw new Error('too many redirects');
  };
}

describe('the demo relying site', () => {
  const servers: Server[] = [];
  let issuer: string;
  let url: string;
  let answer: 'approve' | 'deny';
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
      features: { devInteractions: { enabled: false } },
      claims: { profile: ['name'], email: ['email'] },
      interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
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
      if (answer === 'deny') return provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied' });
      const { params } = await provider.interactionDetails(ctx.req, ctx.res);
      const grant = new provider.Grant({ accountId: 'ada', clientId: params['client_id'] as string });
      grant.addOIDCScope(params['scope'] as string);
      await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'ada' }, consent: { grantId: await grant.save() } });
    });
    idp.server.on('request', provider.callback());
  });

  beforeEach(() => {
    answer = 'approve';
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

  it('says so when the request was denied, and offers another try', async () => {
    answer = 'deny';
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
