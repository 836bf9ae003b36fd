import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';
import { openTandem, startServer } from '../../src/server/app.ts';
import { readConfig } from '../../src/server/config.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import type { Page } from '../support/http-browser.ts';
import { temporaryFolder } from './program.ts';
import { demoProgram, key, log } from './running.ts';

onEachDatabase('rotation under a running server', (database) => {
  const folder = temporaryFolder();
  const person = { email: 'ada@example.com', password: 'difference engine no. 2' };
  const callback = 'http://localhost:1/cb';

  it('is taken into use without breaking sign-ins under way or tokens alive', async () => {
    const client = { client_id: 'spa', token_endpoint_auth_method: 'none', redirect_uris: [callback], id_token_signed_response_alg: 'RS256' };
    await writeFile(folder.path('clients.json'), JSON.stringify([client]));
    const config = readConfig({
      DATABASE_URL: await database.url(), ENCRYPTION_KEY: key, PORT: '0', DEMO: 'false', CLIENTS_FILE: folder.path('clients.json'),
    });
    const server = await startServer(config, { log, demoProgram });
    const { issuer } = server;
    const browser = createHttpBrowser();
    const jwks = async () => (await (await fetch(`${issuer}/jwks`)).json()) as JSONWebKeySet;
    const verifier = 'v'.repeat(43);

    async function ask() {
      const query = new URLSearchParams({
        client_id: 'spa', response_type: 'code', scope: 'openid', redirect_uri: callback, state: 's', prompt: 'login consent',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
      });
      return browser.get(`${issuer}/auth?${query}`);
    }

    /** From the sign-in page to the ID token. */
    async function finish(signIn: Page): Promise<string> {
      const consent = await browser.submit(signIn, '/password', person);
      const back = await browser.submit(consent, '/consent');
      const code = new URL(back.url).searchParams.get('code');
      assert.ok(code, back.url);
      const body = new URLSearchParams({ client_id: 'spa', grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier });
      const answer = (await (await fetch(`${issuer}/token`, { method: 'POST', body })).json()) as { id_token: string };
      return answer.id_token;
    }

    try {
      await browser.submit(await browser.get(`${issuer}/account/register`), 0, { ...person, name: 'Ada' });
      const before = await jwks();
      const old = await finish(await ask());
      const underWay = await ask();
      assert.equal(await server.refreshKeys(), false, 'nothing has changed yet');

      const commandLine = await openTandem(config, { issuer, log });
      await commandLine.t.keys.rotate({ now: true });
      await commandLine.close();
      assert.equal(await server.refreshKeys(), true);
      assert.equal(await server.refreshKeys(), false);

      const after = await jwks();
      assert.ok(after.keys.every(({ d, p }) => d === undefined && p === undefined), 'no private part is published');
      const recent = await finish(underWay);
      assert.notEqual(decodeProtectedHeader(recent).kid, decodeProtectedHeader(old).kid);
      await jwtVerify(old, createLocalJWKSet(after), { issuer, audience: 'spa' });
      await jwtVerify(recent, createLocalJWKSet(after), { issuer, audience: 'spa' });
      await jwtVerify(recent, createLocalJWKSet(before), { issuer, audience: 'spa' });
    } finally {
      browser.close();
      await server.close();
    }
  });
});
