import assert from 'node:assert/strict';
import type { RegistrationPolicy } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { HOST, REDIRECT, startRegistration } from './harness.ts';

const SITE = { redirect_uris: [REDIRECT] };
const SERVICE = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
const KEYS = { keys: [{ kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0', kid: 'one' }] };

/** What a policy lets through, and what it does not: `error` where that is not `invalid_client_metadata`. */
const CASES: ReadonlyArray<{ policy: RegistrationPolicy; allowed: object[]; refused: object[]; error?: string }> = [
  {
    policy: { grantTypes: ['authorization_code', 'refresh_token'] },
    allowed: [SITE, { ...SITE, grant_types: ['authorization_code', 'refresh_token'] }],
    refused: [SERVICE, { ...SITE, grant_types: ['authorization_code', 'client_credentials'] }],
  },
  {
    policy: { grantTypes: ['client_credentials'] },
    allowed: [SERVICE],
    // The library adds the grant type of a response type, `code` where none is named.
    refused: [SITE, { ...SITE, grant_types: null }, { ...SITE, grant_types: ['client_credentials'] }, { ...SERVICE, ...SITE, response_types: ['code'] }, '{"redirect_uris":["https://shop.example/cb"],"__proto__":{"grant_types":["client_credentials"]}}' as unknown as object],
  },
  {
    policy: { authMethods: ['private_key_jwt', 'none'] },
    allowed: [{ ...SITE, token_endpoint_auth_method: 'none' }, { ...SITE, token_endpoint_auth_method: 'private_key_jwt', jwks: KEYS }],
    refused: [SITE, { ...SITE, token_endpoint_auth_method: 'client_secret_post' }],
  },
  {
    policy: { redirectHosts: ['shop.example'] },
    allowed: [SITE, { redirect_uris: ['https://SHOP.example:8443/cb?x=1', 'https://shop.example/'] }],
    refused: [
      'https://evil.example/shop.example', 'https://shop.example.evil.example/', 'https://shop.example@evil.example/', 'https://evil-shop.example/', 'https://www.shop.example/',
      'https://shop.example./', 'https://evil.example\\@shop.example/', 'https://evil.example%2f@shop.example.evil.example/', 'http://localhost/cb', 'com.shop.example:/cb',
    ].map((uri) => ({ redirect_uris: [REDIRECT, uri] })),
    error: 'invalid_redirect_uri',
  },
  {
    policy: { redirectHosts: ['*.shop.example', 'Müller.example'] },
    allowed: [{ redirect_uris: ['https://www.shop.example/cb', 'https://a.b.shop.example/cb'] }, { redirect_uris: ['https://xn--mller-kva.example/cb'] }],
    refused: [SITE, { redirect_uris: ['https://evilshop.example/'] }, { redirect_uris: ['https://.shop.example/'] }],
    error: 'invalid_redirect_uri',
  },
  {
    policy: { redirectHosts: ['shop.example'] },
    allowed: [{ ...SITE, post_logout_redirect_uris: ['https://shop.example/out'], initiate_login_uri: 'https://shop.example/in' }],
    refused: [{ ...SITE, post_logout_redirect_uris: ['https://evil.example/out'] }, { ...SITE, initiate_login_uri: 'https://evil.example/in' }],
  },
  {
    policy: { scopes: ['openid', 'email'] },
    allowed: [SITE, { ...SITE, scope: 'openid' }, { ...SITE, scope: 'email openid' }],
    refused: [{ ...SITE, scope: 'openid profile' }, { ...SITE, scope: 'offline_access' }],
  },
  { policy: { scopes: [] }, allowed: [SERVICE], refused: [SITE, { ...SITE, scope: 'openid' }] },
];

onEachDatabase('the policy of a registration token', (database) => {
  let site: Awaited<ReturnType<typeof startRegistration>>;
  before('start', async () => {
    site = await startRegistration(database);
  });
  after('stop', () => {
    assert.deepEqual(site.tandem.errors, []);
    return site.tandem.close();
  });

  for (const { policy, allowed, refused, error = 'invalid_client_metadata' } of CASES) {
    it(`${JSON.stringify(policy)} holds when a client registers`, async () => {
      const value = await site.tokenFor(policy);
      for (const metadata of refused) {
        const answer = await site.register(value, metadata);
        assert.deepEqual([answer.status, answer.json['error']], [400, error], JSON.stringify([metadata, answer.json]));
      }
      for (const metadata of allowed) {
        const answer = await site.register(await site.tokenFor(policy), metadata);
        assert.equal(answer.status, 201, JSON.stringify([metadata, answer.json]));
      }
    });

    it(`${JSON.stringify(policy)} holds when it changes`, async () => {
      const client = await site.registered(policy, allowed[0]);
      for (const metadata of refused.filter((each) => typeof each === 'object')) {
        const answer = await site.update(client, metadata);
        assert.deepEqual([answer.status, answer.json['error']], [400, error], JSON.stringify([metadata, answer.json]));
      }
      assert.equal((await site.update(client, allowed.at(-1)!)).status, 200);
    });
  }

  it('gives a client that names no scopes those of the policy, for without any it could ask for all', async () => {
    const client = await site.registered({ scopes: ['openid', 'email'] });
    assert.equal(client['scope'], 'openid email');
    assert.equal((await site.update(client, { ...SITE, scope: '' })).json['scope'], 'openid email');
  });

  it('lets a client keep what an administrator has given it beyond the policy', async () => {
    const client = await site.registered({ redirectHosts: ['shop.example'], grantTypes: ['authorization_code'] });
    const more = { redirect_uris: [REDIRECT, 'https://partner.example/cb'], grant_types: ['authorization_code', 'client_credentials'] };
    await site.tandem.t.admin!.clients.update(client['client_id'] as string, more, HOST);
    const kept = await site.update(client, more);
    assert.equal(kept.status, 200, JSON.stringify(kept.json));
    const beyond = await site.update({ ...client, ...kept.json }, { ...more, redirect_uris: [...more.redirect_uris, 'https://partner.example/other'] });
    assert.equal(beyond.json['error'], 'invalid_redirect_uri');
  });

  it('keeps the keys that the provider hosts', async () => {
    const client = await site.registered({}, { ...SITE, token_endpoint_auth_method: 'private_key_jwt', jwks: KEYS });
    await site.tandem.t.admin!.clients.update(client['client_id'] as string, { jwks: null }, HOST);
    await site.tandem.t.admin!.clients.generateKey(client['client_id'] as string, 'ES256', HOST);
    const { status, json } = await site.update(client, { ...SITE, token_endpoint_auth_method: 'private_key_jwt' });
    assert.equal(status, 200, JSON.stringify(json));
    assert.equal(json['jwks_uri'], site.tandem.url(`/clients/${client['client_id']}/jwks`));
  });
});
