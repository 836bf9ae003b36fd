import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { AuditEvent } from '../../src/index.ts';
import { operationsOf, type Document } from '../api/harness.ts';
import { authorizationUrl, answerOf, pkce, signedInBrowser, signInAndConsent } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { API, CALLBACK, TEST_CLIENTS } from '../support/tandem.ts';
import { startWithTotp, typeCode, type TotpTandem } from '../totp/app.ts';
import { ADMIN_SCOPES } from '../../src/admin/api/scopes.ts';
import { addPhone, FEATURES, HOST } from './harness.ts';

const SECRET = 'console-secret-console-secret-console-secret';
const SERVER = 'https://shop.example.com';
const BACKEND = { client_name: 'Till', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const WORDS = { en: 'Read your orders' };

/** What an operation is called with, and what the audit log then says: the name of an event, and what of it. */
interface Deed {
  readonly operationId: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly event: string;
  readonly tells: Readonly<Record<string, unknown>>;
}

onEachDatabase('what an administrator does by the API', (database) => {
  let tandem: TotpTandem;
  before(async () => {
    tandem = await startWithTotp(database, {
      features: FEATURES,
      clients: (issuer) => [...Object.values(TEST_CLIENTS), { client_id: 'console', client_secret: SECRET, redirect_uris: [CALLBACK], tandem_consent: 'implicit', tandem_resources: { [`${issuer}/api`]: Object.keys(ADMIN_SCOPES) } }],
    });
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  /** An administrator, signed in with two factors, and their token for all of the admin API. */
  async function administrator() {
    const person = await tandem.registerAccount();
    await tandem.t.admin!.accounts.setAdmin(person.accountId, true, HOST);
    const app = await tandem.addApp(person.accountId);
    const [browser, { verifier, challenge }, resource] = [createHttpBrowser(), pkce(), `${tandem.issuer}/api`];
    const url = authorizationUrl(tandem, { client_id: 'console', scope: ['openid', ...Object.keys(ADMIN_SCOPES)].join(' '), resource, code_challenge: challenge, acr_values: 'urn:tandem:acr:2' });
    const page = await signInAndConsent(browser, await browser.get(url), person);
    const code = answerOf(await signInAndConsent(browser, await typeCode(browser, page, app.code()), person)).get('code')!;
    const response = await fetch(tandem.url('/token'), {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`console:${SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier, resource }),
    });
    return { accountId: person.accountId, token: String(((await response.json()) as { access_token?: string }).access_token) };
  }

  const newest = async (): Promise<AuditEvent> => (await tandem.t.audit.list({}, { limit: 1 })).events[0]!;

  it('is in the audit log each time, with who, what, before and after, and no secret', async () => {
    const { accountId, token } = await administrator();
    const other = await tandem.registerAccount();
    const phone = await addPhone(tandem, await signedInBrowser(tandem, other));
    const writing = operationsOf((await (await fetch(tandem.url('/openapi.json'))).json()) as Document).filter(({ path, method }) => path.startsWith('/api/admin/') && method !== 'GET');
    const done = new Set<string>();
    const secrets: string[] = [];

    async function act({ operationId, params = {}, body, event, tells }: Deed) {
      const { path, method } = writing.find(({ operation }) => operation.operationId === operationId)!;
      const before = (await newest()).id;
      const response = await fetch(tandem.url(path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name]!))), {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      assert.ok(response.ok, `${operationId}: ${response.status} ${text}`);
      const events = (await tandem.t.audit.list({}, { limit: 20 })).events.filter(({ id }) => id > before);
      const found = events.find(({ name }) => name === event);
      assert.ok(found, `${operationId}: ${events.map(({ name }) => name).join()}`);
      // What follows of it by itself, such as a notice, has no actor.
      assert.deepEqual(found.data['actor'], { kind: 'account', id: accountId, client: 'console' }, operationId);
      assert.match(found.address ?? '', /127\.0\.0\.1|::1/, operationId);
      for (const [name, value] of Object.entries(tells)) assert.deepEqual(name in found ? found[name as never] : found.data[name], value, `${operationId}: ${name}`);
      done.add(operationId);
      return (text ? JSON.parse(text) : {}) as Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- a wrong shape fails the test by itself
    }

    const server = { identifier: SERVER, scopes: [{ name: 'orders:read', description: WORDS, level: 1 }] };
    await act({ operationId: 'createResourceServer', body: server, event: 'resource_server.created', tells: { resourceServer: SERVER } });
    const settings = { name: 'shop.example.com', audience: SERVER, format: 'opaque', algorithm: 'ES256', ttl: 3600 };
    await act({ operationId: 'updateResourceServer', params: { id: SERVER }, body: { ttl: 600 }, event: 'resource_server.updated', tells: { before: settings, after: { ...settings, ttl: 600 } } });
    const scope = { operationId: 'putScope', params: { id: SERVER, name: 'orders:read' }, event: 'scope.put' };
    await act({ ...scope, body: { description: WORDS, level: 2 }, tells: { before: { description: WORDS, level: 1 }, after: { description: WORDS, level: 2 } } });
    await act({ ...scope, operationId: 'deleteScope', event: 'scope.deleted', tells: { scope: 'orders:read', before: { description: WORDS, level: 2 } } });
    await act({ operationId: 'deleteResourceServer', params: { id: SERVER }, event: 'resource_server.deleted', tells: { before: { ...settings, ttl: 600, scopes: [] } } });

    const after = { ...BACKEND, tandem_resources: { [API]: ['read'] } };
    const { client_id: id, client_secret: first } = await act({ operationId: 'createClient', body: after, event: 'client.created', tells: { after } });
    await act({ operationId: 'updateClient', params: { id }, body: { client_name: 'Door', tandem_resources: null }, event: 'client.updated', tells: { clientId: id, before: { client_name: 'Till', tandem_resources: after.tandem_resources }, after: { client_name: 'Door', tandem_resources: null } } });
    const second = await act({ operationId: 'addClientSecret', params: { id }, body: { end_others_in: 60 }, event: 'client.secret_added', tells: { clientId: id } });
    await act({ operationId: 'removeClientSecret', params: { id, secret: second['id'] }, event: 'client.secret_removed', tells: { clientId: id, secretId: second['id'] } });
    const byKey = (await tandem.t.admin!.clients.create({ ...BACKEND, token_endpoint_auth_method: 'private_key_jwt' }, HOST)).client.clientId;
    const jwk = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'mine' };
    await act({ operationId: 'addClientKey', params: { id: byKey }, body: { key: jwk }, event: 'client.key_added', tells: { clientId: byKey, kid: 'mine', algorithm: 'ES256', generated: false } });
    const pair = await act({ operationId: 'generateClientKey', params: { id: byKey }, body: {}, event: 'client.key_added', tells: { clientId: byKey, generated: true } });
    await act({ operationId: 'removeClientKey', params: { id: byKey, kid: 'mine' }, event: 'client.key_removed', tells: { clientId: byKey, kid: 'mine' } });
    await act({ operationId: 'giveAccount', params: { id, account: other.accountId }, event: 'account.given', tells: { accountId: other.accountId, clientId: id } });
    await act({ operationId: 'takeAccount', params: { id, account: other.accountId }, event: 'account.taken', tells: { accountId: other.accountId, clientId: id } });
    await act({ operationId: 'deleteClient', params: { id }, event: 'client.deleted', tells: { clientId: id, before: { ...BACKEND, client_name: 'Door' } } });

    const policy = { grantTypes: ['client_credentials'] };
    const iat = await act({ operationId: 'createRegistrationToken', body: { label: 'Shop', policy: { grant_types: policy.grantTypes } }, event: 'registration_token.created', tells: { label: 'Shop', policy } });
    await act({ operationId: 'revokeRegistrationToken', params: { id: iat['id'] }, event: 'registration_token.revoked', tells: { tokenId: iat['id'] } });

    const made = await act({ operationId: 'createAccountAsAdministrator', body: { email: 'grace@example.com' }, event: 'account.created', tells: {} });
    await act({ operationId: 'grantAdmin', params: { id: made['id'] }, event: 'role.granted', tells: { accountId: made['id'], role: 'admin' } });
    await act({ operationId: 'revokeAdmin', params: { id: made['id'] }, event: 'role.revoked', tells: { accountId: made['id'], role: 'admin' } });
    const deviceId = (await tandem.t.admin!.accounts.devices(other.accountId))[0]!.id;
    await act({ operationId: 'revokeDevice', params: { id: deviceId }, body: { reason: 'lost' }, event: 'device.revoked', tells: { accountId: other.accountId, deviceId, reason: 'lost', by: 'administrator' } });
    assert.equal((await phone.status()).state, 'revoked');
    await tandem.addApp(other.accountId);
    await act({ operationId: 'resetSecondFactor', params: { id: other.accountId }, body: {}, event: 'second_factor.reset', tells: { accountId: other.accountId } });
    await act({ operationId: 'rotateKeys', body: {}, event: 'keys.rotation_scheduled', tells: {} });
    const applied = await act({ operationId: 'apply', body: { clients: [{ client_id: 'applied', ...BACKEND }] }, event: 'client.created', tells: { clientId: 'applied', after: BACKEND } });

    assert.deepEqual(writing.map(({ operation }) => operation.operationId).filter((each) => !done.has(each)), [], 'operations that this test leaves out');
    secrets.push(first, second['client_secret'], pair['private_key'].d, iat['initial_access_token'], made['password'], applied['steps'][0].secret, token);
    const whole = JSON.stringify(await tandem.knex('tandem_events').select());
    for (const secret of secrets) assert.ok(typeof secret === 'string' && secret.length > 15 && !whole.includes(secret), secret);
  });
});
