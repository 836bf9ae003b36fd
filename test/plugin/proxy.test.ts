import assert from 'node:assert/strict';
import { Provider } from 'oidc-provider';
import { accounts, newEncryptionKey, qr, tandem } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { CALLBACK, listen, TEST_CLIENTS } from '../support/tandem.ts';
import { pkce } from '../oidc/helpers.ts';

onEachDatabase('behind a proxy that ends TLS and takes the path away', (database) => {
  it('makes URLs and cookies of the issuer, without being told of the proxy', async () => {
    const issuer = 'https://id.example.com/oidc';
    const { server, origin } = await listen();
    const t = tandem({ db: await database.open(), issuer, secrets: { encryption: [newEncryptionKey()] }, features: [accounts(), qr()] });
    await t.migrate();
    const provider = new Provider(issuer, t.configure({ clients: [TEST_CLIENTS.house] }));
    provider.use(t.attach(provider));
    server.on('request', provider.callback());

    const query = new URLSearchParams({ client_id: 'house', response_type: 'code', redirect_uri: CALLBACK, scope: 'openid', code_challenge: pkce().challenge, code_challenge_method: 'S256' });
    const start = await fetch(`${origin}/auth?${query.toString()}`, { redirect: 'manual' });
    const location = start.headers.get('location')!;
    assert.ok(location.startsWith(`${issuer}/interaction/`), location);
    const cookies = start.headers.getSetCookie();
    for (const cookie of cookies) assert.match(cookie, /; secure/i);
    assert.ok(cookies.some((cookie) => cookie.startsWith('_interaction=') && cookie.includes(`path=${new URL(location).pathname}`)), cookies.join('\n'));

    const cookie = cookies.map((each) => each.split(';')[0]).join('; ');
    const page = await fetch(origin + new URL(location).pathname.slice('/oidc'.length), { headers: { cookie } });
    assert.equal(page.status, 200);
    const html = await page.text();
    assert.ok(html.includes(`action="${issuer}/interaction/`) && html.includes('href="/oidc/assets/'), html.slice(0, 500));
    assert.ok(page.headers.getSetCookie().some((each) => each.startsWith('__Host-tandem=') && /; Secure/.test(each)));

    const discovery = (await (await fetch(`${origin}/.well-known/openid-configuration`)).json()) as Record<string, string>;
    assert.equal(discovery['token_endpoint'], `${issuer}/token`);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await t.close();
  });
});
