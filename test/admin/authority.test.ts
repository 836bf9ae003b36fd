import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { HOST, startWithAdmin, type AdminTandem } from './harness.ts';

const BACKEND = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
/** May register and change clients, and little else. */
const REGISTRAR = ['admin:clients:create', 'admin:clients:update', 'admin:clients:delete', 'admin:client-secrets:create', 'admin:client-secrets:delete', 'admin:client-keys:create', 'admin:client-keys:generate', 'admin:registry:apply', 'admin:registration-tokens:create'];

onEachDatabase('nobody gives what they do not have', (database) => {
  let tandem: AdminTandem;
  before(async () => {
    tandem = await startWithAdmin(database, {
      more: { registrar: REGISTRAR, hr: ['admin:accounts:create', 'admin:roles:grant', 'admin:roles:revoke', 'admin:second-factors:reset'], giver: ['admin:managed-accounts:give', 'admin:managed-accounts:list'] },
    });
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const api = () => `${tandem.issuer}/api`;
  const as = (who: string) => (method: string, path: string, body?: unknown) => tandem.call(method, path, { as: who, body });
  const strong = async () => (await tandem.call('POST', '/api/admin/clients', { body: { ...BACKEND, tandem_resources: { [api()]: ['admin:audit:list'] } } })).json as { client_id: string; secrets: Array<{ id: string }> };

  it('a client registers others with scopes that it has itself, and with no others', async () => {
    const create = (scopes: string[]) => as('registrar')('POST', '/api/admin/clients', { ...BACKEND, tandem_resources: { [api()]: scopes } });
    assert.equal((await create(['admin:clients:create'])).status, 201);
    for (const scopes of [['admin:audit:list'], ['admin:clients:create', 'admin:keys:rotate']]) {
      const refused = await create(scopes);
      assert.deepEqual([refused.status, refused.json.error], [403, 'insufficient_scope']);
      assert.match(refused.headers.get('www-authenticate') ?? '', /error="insufficient_scope"/);
    }
  });

  it('a client does not raise another, nor itself where it is registered', async () => {
    const made = (await as('registrar')('POST', '/api/admin/clients', { ...BACKEND, tandem_resources: { [api()]: ['admin:clients:update'] } })).json;
    const token = await tandem.token(made.client_id, ['admin:clients:update'], made.client_secret);
    const raise = { tandem_resources: { [api()]: ['admin:clients:update', 'admin:audit:list'] } };
    for (const caller of [{ token }, { as: 'registrar' }]) {
      const refused = await tandem.call('PATCH', `/api/admin/clients/${made.client_id}`, { ...caller, body: raise });
      assert.deepEqual([refused.status, refused.json.error], [403, 'insufficient_scope']);
    }
    assert.deepEqual((await tandem.call('GET', `/api/admin/clients/${made.client_id}`)).json.tandem_resources, { [api()]: ['admin:clients:update'] });
  });

  it('a client touches none that has more than it has: neither settings, secrets, keys nor life', async () => {
    const { client_id: id, secrets } = await strong();
    const path = `/api/admin/clients/${id}`;
    const attacks: Array<[string, string, unknown?]> = [
      ['PATCH', path, { redirect_uris: ['https://evil.example/cb'] }],
      ['PATCH', path, { tandem_resources: null }],
      ['POST', `${path}/secrets`, {}],
      ['DELETE', `${path}/secrets/${secrets[0]!.id}`],
      ['POST', `${path}/keys/generate`, {}],
      ['POST', `${path}/keys`, { key: { kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' } }],
      ['DELETE', path],
      ['POST', '/api/admin/apply', { clients: [{ client_id: id, ...BACKEND }] }],
      ['POST', '/api/admin/apply?prune=true', { clients: [] }],
    ];
    for (const [method, where, body] of attacks) {
      const refused = await as('registrar')(method, where, body);
      assert.deepEqual([refused.status, refused.json?.error], [403, 'insufficient_scope'], `${method} ${where}: ${refused.text}`);
    }
    const left = (await tandem.call('GET', path)).json;
    assert.deepEqual([left.secrets.map(({ id: secret }: { id: string }) => secret), left.keys, left.tandem_resources], [secrets.map(({ id: secret }) => secret), [], { [api()]: ['admin:audit:list'] }]);
  });

  it('a client makes nobody an administrator, and takes nothing from one', async () => {
    const { accountId } = await tandem.registerAccount();
    const { account } = await tandem.admin.accounts.create({ email: 'chief@example.com', admin: true }, HOST);
    await tandem.admin.accounts.create({ email: 'deputy@example.com', admin: true }, HOST);
    const attacks: Array<[string, string, unknown?]> = [
      ['PUT', `/api/admin/accounts/${accountId}/roles/admin`],
      ['DELETE', `/api/admin/accounts/${account.id}/roles/admin`],
      ['POST', '/api/admin/accounts', { email: 'mallory@example.com', admin: true }],
      ['POST', `/api/admin/accounts/${account.id}/second-factor/reset`, {}],
    ];
    for (const [method, where, body] of attacks) assert.equal((await as('hr')(method, where, body)).json?.error, 'access_denied', `${method} ${where}`);
    assert.equal((await tandem.call('GET', '/api/admin/accounts/mallory@example.com')).status, 404);
    assert.deepEqual([await tandem.admin.isAdmin(accountId), await tandem.admin.isAdmin(account.id)], [false, true]);
    // What is no administrator's it may.
    assert.equal((await as('hr')('POST', `/api/admin/accounts/${accountId}/second-factor/reset`, {})).status, 200);
    assert.equal((await as('hr')('POST', '/api/admin/accounts', { email: 'bob@example.com' })).status, 201);
  });

  it('an administrator’s account is given to no client, and a managed one is made no administrator', async () => {
    const { client_id: id } = (await tandem.call('POST', '/api/admin/clients', { body: BACKEND })).json;
    const { account } = await tandem.admin.accounts.create({ email: 'boss@example.com', admin: true }, HOST);
    for (const who of ['giver', 'root']) assert.equal((await as(who)('PUT', `/api/admin/clients/${id}/accounts/${account.id}`)).json.error, 'conflict');
    const { accountId } = await tandem.registerAccount();
    const given = await as('giver')('PUT', `/api/admin/clients/${id}/accounts/${accountId}`);
    assert.equal(given.status, 200, given.text);
    await assert.rejects(tandem.admin.accounts.setAdmin(accountId, true, HOST), { code: 'conflict' });
    assert.equal(await tandem.admin.isAdmin(accountId), false);
    const listed = (await as('giver')('GET', `/api/admin/clients/${id}/accounts`)).json.accounts;
    assert.deepEqual(listed.map(({ account_id: each, subject }: Record<string, string>) => [each, subject]), [[accountId, given.json.subject]]);
    assert.equal((await tandem.call('DELETE', `/api/admin/clients/${id}/accounts/${accountId}`)).status, 204);
    assert.equal((await tandem.call('DELETE', `/api/admin/clients/${id}/accounts/${accountId}`)).status, 404);
    assert.equal((await tandem.admin.accounts.setAdmin(accountId, true, HOST)).admin, true);
  });

  it('is kept when both happen at once', async () => {
    const { client_id: id } = (await tandem.call('POST', '/api/admin/clients', { body: BACKEND })).json;
    for (let round = 0; round < 10; round += 1) {
      const { accountId } = await tandem.registerAccount();
      await Promise.allSettled([tandem.admin.accounts.setAdmin(accountId, true, HOST), tandem.admin.accounts.giveTo(id, accountId, HOST)]);
      const managed = (await tandem.admin.accounts.managedBy(id, { limit: 200 })).accounts.some((each) => each.accountId === accountId);
      assert.equal(Number(managed) + Number(await tandem.admin.isAdmin(accountId)), 1);
    }
  });

  it('a client whose scope was taken away is refused with the tokens that it has', async () => {
    const made = (await tandem.call('POST', '/api/admin/clients', { body: { ...BACKEND, tandem_resources: { [api()]: ['admin:clients:list', 'admin:audit:list'] } } })).json;
    const token = await tandem.token(made.client_id, ['admin:clients:list', 'admin:audit:list'], made.client_secret);
    assert.equal((await tandem.call('GET', '/api/admin/clients', { token })).status, 200);
    await tandem.call('PATCH', `/api/admin/clients/${made.client_id}`, { body: { tandem_resources: { [api()]: ['admin:audit:list'] } } });
    const refused = await tandem.call('GET', '/api/admin/clients', { token });
    assert.deepEqual([refused.status, refused.json.error, refused.json.scope], [403, 'insufficient_scope', 'admin:clients:list']);
    assert.equal((await tandem.call('GET', '/api/admin/audit', { token })).status, 200);
    await tandem.call('DELETE', `/api/admin/clients/${made.client_id}`);
    assert.equal((await tandem.call('GET', '/api/admin/audit', { token })).status, 401);
  });
});
