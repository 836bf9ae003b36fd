import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { API } from '../support/tandem.ts';
import { onEachDatabase } from '../support/databases.ts';
import { withAdmin, type AdminTandem } from './harness.ts';

const BACKEND = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };

onEachDatabase('clients by the admin API', (database) => {
  let tandem: AdminTandem;
  withAdmin(database, (started) => void (tandem = started));

  const call: AdminTandem['call'] = (...given) => tandem.call(...given);
  const make = async (metadata: object = {}) => {
    const { status, json, text } = await call('POST', '/api/admin/clients', { body: { ...BACKEND, client_name: 'Till', ...metadata } });
    assert.equal(status, 201, text);
    return json;
  };
  const auditOf = async (clientId: string) => (await call('GET', `/api/admin/audit?client_id=${clientId}&limit=200`)).json.events as Array<{ name: string; data: Record<string, unknown> }>;
  const tokenStatus = async (clientId: string, secret: string, scope = 'read', resource = API) => {
    const authorization = `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`;
    return (await fetch(tandem.url('/token'), { method: 'POST', headers: { authorization }, body: new URLSearchParams({ grant_type: 'client_credentials', scope, resource }) })).status;
  };

  it('are registered, read, changed and deleted, and get tokens in between', async () => {
    const made = await make({ tandem_resources: { [API]: ['read'] } });
    assert.match(made.client_secret, /^[\w-]{43,}$/);
    assert.equal(made.client_secret_expires_at, 0);
    assert.deepEqual([made.client_name, made.origin, made.secrets.length, made.keys], ['Till', 'admin', 1, []]);
    assert.equal(await tokenStatus(made.client_id, made.client_secret), 200);
    assert.equal(await tokenStatus(made.client_id, `${made.client_secret}x`), 401);

    const read = (await call('GET', `/api/admin/clients/${made.client_id}`)).json;
    const { client_secret: _secret, client_secret_expires_at: _expires, ...rest } = made;
    assert.deepEqual(read, rest);

    const changed = await call('PATCH', `/api/admin/clients/${made.client_id}`, { body: { client_name: 'Door', tandem_resources: null } });
    assert.equal(changed.status, 200, changed.text);
    assert.deepEqual([changed.json.client_name, 'tandem_resources' in changed.json], ['Door', false]);
    assert.equal(await tokenStatus(made.client_id, made.client_secret), 400);

    const gone = await call('DELETE', `/api/admin/clients/${made.client_id}`);
    assert.deepEqual([gone.status, gone.text], [204, '']);
    assert.equal((await call('GET', `/api/admin/clients/${made.client_id}`)).status, 404);
    assert.equal((await call('PATCH', `/api/admin/clients/${made.client_id}`, { body: {} })).status, 404);
    assert.equal((await call('DELETE', `/api/admin/clients/${made.client_id}`)).status, 404);
    assert.equal(await tokenStatus(made.client_id, made.client_secret), 401);
    assert.equal((await call('POST', '/api/admin/clients', { body: { ...BACKEND, client_id: made.client_id } })).json.error, 'conflict');
  });

  it('are in the audit log with who, what, before and after, and never with a secret', async () => {
    const made = await make({ tandem_resources: { [API]: ['read'] } });
    const other = (await call('POST', `/api/admin/clients/${made.client_id}/secrets`, { body: {} })).json;
    const pair = (await call('POST', `/api/admin/clients/${(await make({ token_endpoint_auth_method: 'private_key_jwt' })).client_id}/keys/generate`, { body: {} })).json;
    await call('PATCH', `/api/admin/clients/${made.client_id}`, { body: { client_name: 'Door' } });
    await call('DELETE', `/api/admin/clients/${made.client_id}/secrets/${other.id}`);
    await call('DELETE', `/api/admin/clients/${made.client_id}`);

    const events = await auditOf(made.client_id);
    assert.deepEqual(events.map(({ name }) => name), ['client.deleted', 'client.secret_removed', 'client.updated', 'client.secret_added', 'client.created']);
    for (const { data } of events) assert.deepEqual(data['actor'], { kind: 'client', id: 'root' });
    const updated = events[2]!.data as { before: object; after: object };
    assert.deepEqual([updated.before, updated.after], [{ client_name: 'Till' }, { client_name: 'Door' }]);
    assert.deepEqual((events[4]!.data['after'] as Record<string, unknown>)['tandem_resources'], { [API]: ['read'] });

    const whole = JSON.stringify(await tandem.knex('tandem_events').select());
    const dump = JSON.stringify(await tandem.knex('tandem_clients').select());
    for (const secret of [made.client_secret, other.client_secret, pair.private_key.d]) {
      assert.ok(typeof secret === 'string' && secret.length > 20);
      assert.ok(!whole.includes(secret) && !dump.includes(secret), 'a secret is kept');
    }
  });

  it('have two secrets at a time while one takes the place of the other', async () => {
    const made = await make({ tandem_resources: { [API]: ['read'] } });
    const path = `/api/admin/clients/${made.client_id}/secrets`;
    const next = await call('POST', path, { body: { end_others_in: 60 } });
    assert.equal(next.status, 201, next.text);
    assert.equal((await call('POST', path, { body: {} })).json.error, 'conflict');
    for (const secret of [made.client_secret, next.json.client_secret]) assert.equal(await tokenStatus(made.client_id, secret), 200);
    const { secrets } = (await call('GET', `/api/admin/clients/${made.client_id}`)).json;
    assert.deepEqual(secrets.map(({ expires_at: at }: { expires_at: string | null }) => at === null).sort(), [false, true]);
    tandem.clock.advance(61_000);
    assert.equal(await tokenStatus(made.client_id, made.client_secret), 401);
    assert.equal(await tokenStatus(made.client_id, next.json.client_secret), 200);
    assert.equal((await call('DELETE', `${path}/${next.json.id}`)).status, 204);
    assert.equal(await tokenStatus(made.client_id, next.json.client_secret), 401);
    assert.equal((await call('DELETE', `${path}/${next.json.id}`)).status, 404);
  });

  it('have keys uploaded and generated, of which only the public part stays', async () => {
    const made = await make({ token_endpoint_auth_method: 'private_key_jwt', generate_key: 'ES256' });
    assert.equal(made.client_secret, undefined);
    assert.deepEqual([made.private_key.kty, made.private_key.crv, typeof made.private_key.d], ['EC', 'P-256', 'string']);
    const path = `/api/admin/clients/${made.client_id}/keys`;
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const added = await call('POST', path, { body: { key: publicKey.export({ format: 'jwk' }) } });
    assert.equal(added.status, 201, added.text);
    assert.equal((await call('POST', path, { body: { key: publicKey.export({ format: 'jwk' }) } })).json.error, 'conflict');
    assert.equal((await call('POST', path, { body: { key: privateKey.export({ format: 'jwk' }) } })).json.error, 'invalid_request');
    const hosted = (await (await fetch(tandem.url(`/clients/${made.client_id}/jwks`))).json()) as { keys: Array<Record<string, unknown>> };
    assert.deepEqual(hosted.keys.map(({ kid }) => kid).sort(), [made.private_key.kid, added.json.kid].sort());
    assert.ok(hosted.keys.every((key) => !('d' in key)));
    assert.equal((await call('DELETE', `${path}/${encodeURIComponent(added.json.kid)}`)).status, 204);
    assert.equal((await call('DELETE', `${path}/${encodeURIComponent(added.json.kid)}`)).status, 404);
  });

  it('are refused with the field that is wrong', async () => {
    const refused = async (metadata: object) => (await call('POST', '/api/admin/clients', { body: { ...BACKEND, ...metadata } })).json;
    assert.match((await refused({ client_nmae: 'x' })).detail, /client_nmae/);
    assert.match((await refused({ tandem_resources: { [API]: ['fly'] } })).detail, /fly/);
    assert.match((await refused({ token_endpoint_auth_method: 'client_secret_jwt' })).detail, /client_secret_jwt/);
    assert.match((await refused({ redirect_uris: ['no uri'] })).detail, /redirect_uris/);
    assert.match((await refused({ generate_key: 'HS256' })).detail, /generate_key/);
    for (const metadata of [{ client_secret: 'mine-mine-mine-mine-mine-mine-mine-mine' }, { client_id: 'a b' }, { grant_types: 'all' }]) assert.equal((await refused(metadata)).error, 'invalid_request');
  });

  it('are listed and searched in pages', async () => {
    const ids: string[] = [];
    for (const name of ['Lamp one', 'Lamp two', 'Lamp three']) ids.push((await make({ client_name: name })).client_id);
    const seen: string[] = [];
    let cursor = '';
    do {
      const { json } = await call('GET', `/api/admin/clients?search=lamp&limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      seen.push(...json.clients.map(({ client_id: id }: { client_id: string }) => id));
      cursor = json.next_cursor ?? '';
    } while (cursor);
    assert.deepEqual([...seen].sort(), [...ids].sort());
    for (const query of ['limit=0', 'limit=x', 'limit=201', 'cursor=x', 'fields=all', 'limit=1&limit=2']) assert.equal((await call('GET', `/api/admin/clients?${query}`)).json.error, 'invalid_request', query);
  });
});
