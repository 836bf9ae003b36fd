import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { API } from '../support/tandem.ts';
import { withAdmin, type AdminTandem } from './harness.ts';

const NOTES = 'https://notes.example.com';
const BACKEND = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };

onEachDatabase('resource servers and registration tokens by the admin API', (database) => {
  let tandem: AdminTandem;
  withAdmin(database, (started) => void (tandem = started));

  const call: AdminTandem['call'] = (...given) => tandem.call(...given);
  const path = '/api/admin/resource-servers';
  const events = async (name: string) => (await call('GET', `/api/admin/audit?name=${name}`)).json.events as Array<{ name: string; data: Record<string, unknown> }>;

  it('lists those of all origins, and changes those of the registry alone', async () => {
    const { resource_servers: servers } = (await call('GET', path)).json;
    assert.deepEqual(servers.map(({ identifier, origin }: Record<string, string>) => [identifier, origin]).sort(), [[API, 'configuration'], [`${tandem.issuer}/api`, 'built-in']].sort());
    const own = servers.find(({ origin }: { origin: string }) => origin === 'built-in');
    assert.ok(own.scopes.some(({ name, description }: { name: string; description: Record<string, string> }) => name === 'admin:clients:list' && Object.keys(description).sort().join() === 'de,en,fr,nl'));
    assert.deepEqual([own.created_at, own.updated_at], [null, null]);
    for (const { id } of servers) {
      assert.equal((await call('PATCH', `${path}/${id}`, { body: { name: 'Mine' } })).json.error, 'conflict');
      assert.equal((await call('PUT', `${path}/${id}/scopes/x`, { body: { description: { en: 'x' } } })).json.error, 'conflict');
      assert.equal((await call('DELETE', `${path}/${id}`)).json.error, 'conflict');
    }
  });

  it('lives through a resource server’s life: made, granted, used, emptied and deleted', async () => {
    const made = await call('POST', path, { body: { identifier: NOTES, name: 'Notes', scopes: [{ name: 'notes:read', description: { en: 'Read your notes' } }] } });
    assert.equal(made.status, 201, made.text);
    const { id } = made.json;
    assert.equal((await call('POST', path, { body: { identifier: NOTES } })).json.error, 'conflict');
    assert.deepEqual((await call('GET', `${path}/${encodeURIComponent(NOTES)}`)).json, made.json);

    const put = await call('PUT', `${path}/${id}/scopes/${encodeURIComponent('notes/write:all')}`, { body: { description: { en: 'Change your notes', de: 'Ihre Notizen ändern' }, level: 2 } });
    assert.equal(put.status, 200, put.text);
    assert.deepEqual(put.json.scopes.map(({ name, level }: { name: string; level: number }) => [name, level]), [['notes/write:all', 2], ['notes:read', 1]]);
    assert.equal((await call('PATCH', `${path}/${id}`, { body: { format: 'jwt', ttl: 120 } })).json.ttl, 120);

    const { client_id: clientId } = (await call('POST', '/api/admin/clients', { body: { ...BACKEND, tandem_resources: { [NOTES]: ['notes:read'] } } })).json;
    assert.deepEqual((await call('GET', `${path}/${id}/used-by`)).json, { clients: [clientId], count: 1 });
    assert.deepEqual((await call('GET', `${path}/${id}/used-by?scope=${encodeURIComponent('notes/write:all')}`)).json, { clients: [], count: 0 });
    const refused = (await call('DELETE', `${path}/${id}/scopes/notes:read`)).json;
    assert.deepEqual([refused.error, refused.clients], ['conflict', 1]);
    assert.equal((await call('DELETE', `${path}/${id}`)).json.error, 'conflict');

    assert.equal((await call('DELETE', `${path}/${id}/scopes/${encodeURIComponent('notes/write:all')}`)).status, 200);
    await call('DELETE', `/api/admin/clients/${clientId}`);
    assert.equal((await call('DELETE', `${path}/${id}`)).status, 204);
    for (const [method, where] of [['GET', ''], ['DELETE', ''], ['GET', '/used-by'], ['DELETE', '/scopes/notes:read']] as const) assert.equal((await call(method, `${path}/${id}${where}`)).status, 404);

    const [put1] = await events('scope.put');
    assert.deepEqual(put1?.data['after'], { description: { en: 'Change your notes', de: 'Ihre Notizen ändern' }, level: 2 });
    const [updated] = await events('resource_server.updated');
    assert.deepEqual([(updated?.data['before'] as { format: string }).format, (updated?.data['after'] as { format: string }).format], ['opaque', 'jwt']);
    for (const name of ['resource_server.created', 'resource_server.deleted', 'scope.deleted']) assert.deepEqual((await events(name))[0]?.data['actor'], { kind: 'client', id: 'root' });
  });

  it('refuses what makes no sense, and says where', async () => {
    const refused: Array<[object, RegExp]> = [
      [{ identifier: 'notes' }, /identifier/],
      [{ identifier: `${tandem.issuer}/api/more` }, /identifier/],
      [{ identifier: NOTES, ttl: 1 }, /ttl/],
      [{ identifier: NOTES, format: 'jwt', ttl: 86_400 }, /ttl/],
      [{ identifier: NOTES, scopes: [{ name: 'a b', description: { en: 'x' } }] }, /name/],
      [{ identifier: NOTES, scopes: [{ name: 'a', description: { de: 'x' } }] }, /English|en/],
      [{ identifier: NOTES, colour: 'red' }, /colour/],
    ];
    for (const [body, where] of refused) {
      const { status, json } = await call('POST', path, { body });
      assert.equal(status, 400);
      assert.match(JSON.stringify(json), where);
    }
  });

  it('makes, lists and revokes registration tokens, whose value is told once', async () => {
    const tokens = '/api/admin/registration-tokens';
    const policy = { grant_types: ['authorization_code'], redirect_hosts: ['*.shop.example'], scopes: ['openid'], metadata: { tandem_resources: { [API]: ['read'] } } };
    const made = await call('POST', tokens, { body: { label: 'Shop', expires_in: 3600, policy } });
    assert.equal(made.status, 201, made.text);
    const value = made.json.initial_access_token as string;
    assert.match(value, /^[\w-]{43,}$/);
    const listed = (await call('GET', tokens)).json.registration_tokens;
    assert.deepEqual(listed.map(({ id, label, state, policy: kept, client_id: clientId }: Record<string, unknown>) => [id, label, state, kept, clientId]), [[made.json.id, 'Shop', 'open', policy, null]]);
    assert.equal((await call('DELETE', `${tokens}/${made.json.id}`)).status, 204);
    assert.equal((await call('GET', tokens)).json.registration_tokens[0].state, 'revoked');
    assert.equal((await call('DELETE', `${tokens}/nobody`)).status, 404);
    for (const body of [{ expires_in: 1 }, { policy: { clients: 'all' } }, { policy: { metadata: { client_secret: 'x' } } }]) assert.equal((await call('POST', tokens, { body })).json.error, 'invalid_request', JSON.stringify(body));
    assert.deepEqual((await events('registration_token.*')).map(({ name, data }) => [name, data['actor']]), [['registration_token.revoked', { kind: 'client', id: 'root' }], ['registration_token.created', { kind: 'client', id: 'root' }]]);
    assert.ok(!JSON.stringify([await tandem.knex('tandem_events').select(), await tandem.knex('tandem_registration_tokens').select().catch(() => [])]).includes(value));
  });
});
