import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { CALLBACK } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { payloadOf, pkce } from '../oidc/helpers.ts';
import { FOREIGN_CLIENT, startForeign, type ForeignProvider } from './foreign-provider.ts';

onEachDatabase('a foreign provider', (database) => {
  for (const mount of ['', '/oidc']) {
    describe(mount ? `mounted at ${mount}` : 'by itself', () => {
      let host: ForeignProvider;
      let phone: VirtualPhone;
      before(async () => {
        host = await startForeign(database, { mount });
        phone = createVirtualPhone({ issuer: host.issuer });
      });
      after(() => host.close());

      const { verifier, challenge } = pkce();
      const authorizationUrl = (extra: Record<string, string> = {}) =>
        host.url(`/auth?${new URLSearchParams({ client_id: 'shop', response_type: 'code', redirect_uri: CALLBACK, scope: 'openid profile', state: 's', code_challenge: challenge, code_challenge_method: 'S256', ...extra }).toString()}`);

      async function qrSignIn(browser: HttpBrowser, page: Page): Promise<Page> {
        const sheet = await browser.get(page.links.find((link) => link.endsWith('/sign-in'))!);
        const base = /data-base="([^"]+)"/.exec(sheet.body)![1]!;
        const csrf = sheet.forms.flatMap(({ fields }) => fields).find(([name]) => name === 'csrf')![1];
        const json = { headers: { accept: 'application/json' } };
        const { frame } = (await browser.post(`${base}/qr/start`, { csrf }, json)).json<{ frame: string }>();
        const decided = await phone.approve(frame);
        if (decided.state === 'approved') await browser.post(`${base}/qr/confirm`, { csrf, code: decided.confirmCode! }, json);
        return browser.post(`${base}/redeem`, { csrf });
      }

      it('keeps its own sign-in page, and lets a phone be enrolled after it', async () => {
        const browser = createHttpBrowser();
        const page = await browser.get(host.url('/account/devices/add'));
        assert.match(page.body, /Sign in at the host/);
        const add = await browser.get(page.links.find((link) => link.includes('/login'))!);
        assert.equal(add.url, host.url('/account/devices/add'));
        const enrol = await browser.submit(add, '/account/devices/add');
        const link = /data-link="([^"]+)"/.exec(enrol.body)![1]!;
        assert.ok(link.startsWith(`${host.issuer}/e/`));
        const enrolled = await phone.enrol(link);
        const done = await browser.submit(enrol, '/confirm', { code: enrolled.confirmCode });
        assert.match(done.text, /Your recovery codes/);
        assert.ok(done.links.includes(host.url('/account/devices?done=added')));
      });

      it('leads to its phones where there is no page of the account', async () => {
        const page = await createHttpBrowser().get(host.url('/auth?client_id=nobody'));
        assert.ok(page.links.includes(host.url('/account/devices')), page.links.join(' '));
        const account = await createHttpBrowser().get(host.url('/account'), { follow: false });
        assert.deepEqual([account.status, account.headers.location], [303, host.url('/account/devices')]);
      });

      it('signs in by QR, with its own account, keys and client', async () => {
        const browser = createHttpBrowser();
        const back = await qrSignIn(browser, await browser.get(authorizationUrl()));
        const code = new URL(back.url).searchParams.get('code');
        assert.ok(back.url.startsWith(CALLBACK) && code, `${back.url} ${back.text.slice(0, 200)}`);
        const response = await fetch(host.url('/token'), {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`shop:${FOREIGN_CLIENT.client_secret}`).toString('base64')}` },
          body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier }),
        });
        const tokens = (await response.json()) as Record<string, string>;
        const claims = payloadOf(tokens['id_token']);
        assert.deepEqual([claims['sub'], claims['iss'], claims['acr'], claims['amr']], ['user-1', host.issuer, 'urn:tandem:acr:1:qr', ['swk', 'user', 'mca']]);
        const header = JSON.parse(Buffer.from(tokens['id_token']!.split('.')[0]!, 'base64url').toString()) as { alg: string; kid: string };
        assert.deepEqual([header.alg, header.kid], ['RS256', 'own']);
      });

      it('tells a client that asks for a subject that cannot be, in every step', async () => {
        const claims = JSON.stringify({ id_token: { sub: { value: 'x'.repeat(300) } } });
        const browser = createHttpBrowser();
        const page = await browser.get(authorizationUrl({ claims }));
        const sheet = await browser.get(page.links.find((link) => link.endsWith('/sign-in'))!);
        const base = /data-base="([^"]+)"/.exec(sheet.body)![1]!;
        const csrf = sheet.forms.flatMap(({ fields }) => fields).find(([name]) => name === 'csrf')![1];
        for (const path of ['/qr/start', '/qr/static', '/redeem']) assert.ok((await browser.post(base + path, { csrf })).status < 500, path);
      });

      it('leaves its storage and the rest of its site alone', async () => {
        const rows = await host.knex('tandem_oidc').count<Array<Record<string, unknown>>>({ count: '*' });
        assert.equal(Number(rows[0]!['count']), 0);
        if (mount) assert.equal(await (await fetch(`${new URL(host.issuer).origin}/shop`)).text(), 'the rest of the site');
      });

      it('makes every URL from its issuer', async () => {
        const discovery = (await (await fetch(host.url('/.well-known/openid-configuration'))).json()) as Record<string, unknown>;
        for (const [name, value] of Object.entries(discovery)) {
          if (/_(endpoint|uri)$/.test(name)) assert.ok(String(value).startsWith(`${host.issuer}/`), `${name} ${String(value)}`);
        }
        const page = await createHttpBrowser().get(authorizationUrl());
        assert.ok(page.url.startsWith(`${host.issuer}/interaction/`), page.url);
      });

      it('ends what a lost phone made', async () => {
        const browser = createHttpBrowser();
        await qrSignIn(browser, await browser.get(authorizationUrl()));
        const silent = authorizationUrl({ prompt: 'none' });
        assert.ok((await browser.get(silent)).url.includes('code='));
        const list = await browser.get(host.url('/account/devices'));
        const remove = await browser.get(list.links.find((link) => link.endsWith('/remove'))!);
        await browser.submit(remove, '/remove', { reason: 'lost' });
        await host.t.sweep();
        assert.match((await browser.get(silent)).url, /error=login_required/);
      });
    });
  }
});
