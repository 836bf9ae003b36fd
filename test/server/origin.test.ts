import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { openDatabase } from '../../src/index.ts';
import { CERTIFICATE, CERTIFICATE_KEY } from '../support/certificate.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { freePort, raw, runningServers } from './running.ts';

describe('the server', () => {
  const { folder, start } = runningServers();

  const FORGED = {
    'host': 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '444',
    'forwarded': 'host=evil.example;proto=https',
    'x-forwarded-prefix': '/evil',
  };

  for (const proxies of ['0', '1']) {
    it(`takes its URLs from the issuer, whatever the Host, behind ${proxies} proxies`, async () => {
      const { issuer } = await start({ TRUST_PROXY: proxies });
      const { body } = await raw(issuer, '/.well-known/openid-configuration', FORGED);
      const metadata = JSON.parse(body) as Record<string, unknown>;
      assert.equal(metadata['issuer'], issuer);
      assert.ok(!body.includes('evil.example'));
      for (const [name, value] of Object.entries(metadata)) {
        if (name.endsWith('_endpoint') || name === 'jwks_uri') assert.ok(String(value).startsWith(`${issuer}/`), name);
      }
      const account = await raw(issuer, '/account', { ...FORGED, accept: 'text/html' });
      assert.ok(account.headers.location?.startsWith(`${issuer}/`));
      const page = await raw(issuer, '/account/register', { ...FORGED, accept: 'text/html' });
      assert.equal(page.status, 200);
      assert.ok(!page.body.includes('evil.example'));
    });
  }

  /** The address that the audit log keeps of somebody who registers. */
  async function addressOf(env: Record<string, string>, headers: Record<string, string>): Promise<string> {
    const { issuer, config } = await start(env);
    const browser = createHttpBrowser({ headers });
    const page = await browser.get(`${issuer}/account/register`);
    const done = await browser.submit(page, 0, { email: 'ada@example.com', password: 'difference engine no. 2', name: 'Ada' });
    assert.ok(done.status < 400, String(done.status));
    const knex = openDatabase(config.databaseUrl);
    try {
      const event = await knex('tandem_events').where({ name: 'account.registered' }).first();
      return event.address;
    } finally {
      await knex.destroy();
    }
  }

  it('believes nobody about the caller’s address, unless a proxy is trusted', async () => {
    const lie = { 'x-forwarded-for': '203.0.113.7' };
    assert.match(await addressOf({}, lie), /^(::ffff:)?127\.0\.0\.1$/);
    assert.equal(await addressOf({ TRUST_PROXY: '1' }, lie), '203.0.113.7');
  });

  it('believes a trusted proxy only for what that proxy itself has seen', async () => {
    const lies = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' };
    assert.equal(await addressOf({ TRUST_PROXY: '1' }, lies), '203.0.113.7');
    assert.equal(await addressOf({ TRUST_PROXY: '2' }, lies), '198.51.100.1');
  });

  for (const proxies of ['0', '1']) {
    it(`sets Secure cookies for an https issuer though the request came by http, behind ${proxies} proxies`, async () => {
      const { config } = await start({ ISSUER: 'https://id.example.com', TRUST_PROXY: proxies, PORT: String(await freePort()) });
      const { status, headers } = await raw(`http://localhost:${config.port}`, '/account', { accept: 'text/html' });
      assert.equal(status, 303);
      assert.ok(headers.location?.startsWith('https://id.example.com/auth?'));
      const { pathname, search } = new URL(headers.location!);
      const authorization = await raw(`http://localhost:${config.port}`, pathname + search, { accept: 'text/html' });
      assert.equal(authorization.status, 303, authorization.body);
      const cookies = [authorization.headers['set-cookie'] ?? []].flat() as string[];
      assert.ok(cookies.length > 0 && cookies.every((cookie) => /; secure/i.test(cookie)), cookies.join('\n'));
    });
  }

  it('tells browsers of an https issuer to come by https alone, in production', async () => {
    for (const [scheme, environment, expected] of [['https', 'production', 'max-age=31536000'], ['http', 'production', undefined], ['https', 'development', undefined]] as const) {
      const port = await freePort();
      await start({ NODE_ENV: environment, ISSUER: `${scheme}://localhost:${port}`, PORT: String(port), HOST: '127.0.0.1' });
      for (const path of ['/.well-known/openid-configuration', '/account/register', '/none']) {
        const { headers } = await raw(`http://localhost:${port}`, path, {});
        assert.equal(headers['strict-transport-security'], expected, `${environment} ${scheme} ${path}`);
      }
    }
  });

  it('serves https where a certificate is given', async () => {
    const [cert, keyFile] = [folder.path('cert.pem'), folder.path('key.pem')];
    await writeFile(cert, CERTIFICATE);
    await writeFile(keyFile, CERTIFICATE_KEY);
    const { issuer } = await start({ TLS_CERT: cert, TLS_KEY: keyFile });
    assert.match(issuer, /^https:\/\/localhost:\d+$/);
    const body = await new Promise<string>((resolve, reject) => {
      get(`${issuer}/.well-known/openid-configuration`, { ca: CERTIFICATE }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text));
      }).on('error', reject);
    });
    assert.equal((JSON.parse(body) as { issuer: string }).issuer, issuer);
    await assert.rejects(start({ TLS_CERT: keyFile, TLS_KEY: cert }), /^ConfigError: TLS_CERT: .*must be a PEM certificate/);
  });
});
