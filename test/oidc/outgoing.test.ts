import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPair, SignJWT } from 'jose';
import { BODY_LIMITS, outgoing } from '../../src/oidc/configuration/outgoing.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem } from '../support/tandem.ts';

onEachDatabase('what a client makes the provider ask for', (database) => {
  let inside: Server;
  let hits = 0;
  before(async () => {
    inside = createServer((_request, response) => {
      hits += 1;
      response.end('{"keys":[]}');
    });
    await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    inside.closeAllConnections();
    await new Promise((resolve) => inside.close(resolve));
  });

  it('is not answered from private addresses, nor by plain http', async () => {
    const { port } = inside.address() as AddressInfo;
    const { privateKey } = await generateKeyPair('ES256');
    const urls = [`http://127.0.0.1:${port}/`, `https://127.0.0.1:${port}/`, `https://localhost:${port}/`, `https://[::ffff:7f00:1]:${port}/`, `https://2130706433:${port}/`];
    const clients = urls.map((url, index) => ({
      client_id: `c${index}`, token_endpoint_auth_method: 'private_key_jwt' as const, jwks_uri: url, redirect_uris: [], response_types: [], grant_types: ['client_credentials'],
    }));
    const tandem = await startTandem(database, { clients });
    try {
      for (const { client_id: id } of clients) {
        const now = Math.floor(Date.now() / 1000);
        const assertion = await new SignJWT({ iss: id, sub: id, aud: tandem.issuer, iat: now, exp: now + 60, jti: id }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
        const body = new URLSearchParams({ grant_type: 'client_credentials', client_assertion: assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' });
        const answer = await fetch(tandem.url('/token'), { method: 'POST', body });
        assert.ok(answer.status === 400 || answer.status === 401, `${id}: ${answer.status}`);
      }
      assert.equal(hits, 0);
    } finally {
      await tandem.close();
    }
  });

  it('follows no redirect, and is read only so far', async () => {
    const { fetch } = globalThis;
    const asked: RequestInit[] = [];
    globalThis.fetch = (_url, options = {}) => (asked.push(options), Promise.resolve(new Response('')));
    try {
      const guarded = { dispatcher: {} } as RequestInit;
      await outgoing('https://client.example/jwks', guarded);
      await outgoing('https://client.example/logout', { ...guarded, redirect: 'manual' });
      assert.deepEqual(asked.map(({ redirect }) => redirect), ['error', 'manual']);
      await assert.rejects(outgoing('http://client.example/jwks', guarded), /https alone/);
      await assert.rejects(outgoing('https://client.example/jwks', {}), /private addresses/);
      assert.equal(asked.length, 2);
    } finally {
      globalThis.fetch = fetch;
    }
    assert.ok(Object.values(BODY_LIMITS).every((limit) => limit <= 65_536));
    const tandem = await startTandem(database);
    assert.deepEqual(tandem.t.configure().fetchResponseBodyLimits, BODY_LIMITS);
    assert.equal(tandem.t.configure().fetch, outgoing);
    const own: typeof outgoing = (url, options) => fetch(url, options);
    assert.equal(tandem.t.configure({ fetch: own }).fetch, own);
    await tandem.close();
  });
});
