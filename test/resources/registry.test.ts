import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { API } from '../support/tandem.ts';
import { failsWith, HOST, ORDERS, SCOPES, startRegistry, type RegistryTandem } from './harness.ts';

onEachDatabase('the registry of resource servers', (database) => {
  let tandem: RegistryTandem;
  beforeEach(async () => void (tandem = await startRegistry(database)));
  afterEach(async () => {
    assert.deepEqual(tandem.errors, []);
    await tandem.close();
  });

  const audit = async () => (await tandem.t.audit.list({}, { limit: 100 })).events.filter(({ name }) => /^(resource_server|scope)\./.test(name)).reverse();

  it('has those of Tandem and of the options from the start, and does not change them', async () => {
    const own = `${tandem.issuer}/api`;
    const found = await tandem.resources.list();
    assert.deepEqual(found.map(({ identifier, origin }) => [identifier, origin]), [[API, 'configuration'], [own, 'built-in']]);
    assert.deepEqual(found[0]!.scopes, [{ name: 'read', description: { en: 'read your notes' }, level: 1 }, { name: 'write', description: { en: 'change your notes' }, level: 1 }]);
    assert.deepEqual([found[0]!.format, found[0]!.ttl, found[0]!.algorithm, found[0]!.createdAt], ['opaque', 3600, 'ES256', undefined]);
    for (const { id, identifier } of found) {
      assert.equal((await tandem.resources.get(id)).identifier, identifier);
      assert.match(id, /^[\w-]{22}$/);
      await assert.rejects(tandem.resources.update(id, { name: 'Mine' }, HOST), failsWith('conflict'));
      await assert.rejects(tandem.resources.remove(identifier, HOST), failsWith('conflict'));
      await assert.rejects(tandem.resources.putScope(identifier, SCOPES[0], HOST), failsWith('conflict'));
      await assert.rejects(tandem.resources.removeScope(identifier, 'read', HOST), failsWith('conflict'));
      await assert.rejects(tandem.resources.create({ identifier }, HOST), failsWith(identifier === own ? 'invalid_request' : 'conflict'));
    }
    assert.deepEqual(await audit(), []);
  });

  it('keeps one with all that it says, by its id and by its identifier', async () => {
    const made = await tandem.resources.create({ identifier: ORDERS, name: ' Orders ', audience: 'urn:shop:orders', format: 'jwt', algorithm: 'RS256', ttl: 60, scopes: SCOPES }, HOST);
    const { id, createdAt, updatedAt, scopes, ...rest } = made;
    assert.deepEqual(rest, { identifier: ORDERS, name: 'Orders', origin: 'registry', audience: 'urn:shop:orders', format: 'jwt', algorithm: 'RS256', ttl: 60 });
    assert.deepEqual(scopes, [SCOPES[1], SCOPES[0]]);
    assert.ok(createdAt !== undefined && createdAt === updatedAt && Math.abs(createdAt - tandem.clock()) < 5000);
    assert.deepEqual(await tandem.resources.get(id), made);
    assert.deepEqual(await tandem.resources.get(ORDERS), made);
    assert.deepEqual((await tandem.resources.list()).at(-1), made);
    assert.deepEqual((await tandem.resources.all())[ORDERS]?.scopes['orders:pay'], { description: { en: 'Pay your orders' }, level: 2 });
  });

  it('gives what was left out a sensible value', async () => {
    const { name, audience, format, algorithm, ttl, scopes } = await tandem.resources.create({ identifier: ORDERS }, HOST);
    assert.deepEqual({ name, audience, format, algorithm, ttl, scopes }, { name: 'orders.example', audience: ORDERS, format: 'opaque', algorithm: 'ES256', ttl: 3600, scopes: [] });
    assert.equal((await tandem.resources.create({ identifier: 'urn:shop:parcels' }, HOST)).name, 'urn:shop:parcels');
    assert.equal((await tandem.resources.update(ORDERS, { format: 'jwt' }, HOST)).ttl, 300);
  });

  it('tells the audit log who did what, with before and after', async () => {
    await tandem.resources.create({ identifier: ORDERS, scopes: [SCOPES[0]] }, { ...HOST, address: '192.0.2.7' });
    await tandem.resources.update(ORDERS, { ttl: 600 }, { kind: 'account', id: 'ada', clientId: 'console', authority: 'all' });
    await tandem.resources.putScope(ORDERS, SCOPES[1], HOST);
    await tandem.resources.putScope(ORDERS, { ...SCOPES[1], level: 1 }, HOST);
    await tandem.resources.removeScope(ORDERS, 'orders:pay', HOST);
    await tandem.resources.remove(ORDERS, HOST);
    const events = await audit();
    const actor = { kind: 'host', id: 'the tests' };
    const first = { name: 'orders.example', audience: ORDERS, format: 'opaque', algorithm: 'ES256', ttl: 3600 };
    const [{ description }, pay] = [SCOPES[1], { resourceServer: ORDERS, scope: 'orders:pay', actor }];
    assert.deepEqual(events.map(({ name, data }) => [name, data]), [
      ['resource_server.created', { resourceServer: ORDERS, actor, after: { ...first, scopes: [SCOPES[0]] } }],
      ['resource_server.updated', { resourceServer: ORDERS, actor: { kind: 'account', id: 'ada', client: 'console' }, before: first, after: { ...first, ttl: 600 } }],
      ['scope.put', { ...pay, after: { description, level: 2 } }],
      ['scope.put', { ...pay, before: { description, level: 2 }, after: { description, level: 1 } }],
      ['scope.deleted', { ...pay, before: { description, level: 1 } }],
      ['resource_server.deleted', { resourceServer: ORDERS, actor, before: { ...first, ttl: 600, scopes: [SCOPES[0]] } }],
    ]);
    assert.equal(events[0]!.address, '192.0.2.7');
  });

  it('says nothing of what changes nothing', async () => {
    const made = await tandem.resources.create({ identifier: ORDERS, scopes: SCOPES }, HOST);
    tandem.clock.advance(60_000);
    await tandem.resources.update(ORDERS, { name: made.name, ttl: undefined, audience: ORDERS }, HOST);
    assert.deepEqual(await tandem.resources.putScope(ORDERS, SCOPES[0], HOST), made);
    assert.equal((await audit()).length, 1);
  });

  it('knows nothing of what it was never given, nor of what was removed', async () => {
    await assert.rejects(tandem.resources.get(ORDERS), failsWith('not_found'));
    await assert.rejects(tandem.resources.update(ORDERS, {}, HOST), failsWith('not_found'));
    await assert.rejects(tandem.resources.remove(ORDERS, HOST), failsWith('not_found'));
    const { id } = await tandem.resources.create({ identifier: ORDERS, scopes: SCOPES }, HOST);
    await assert.rejects(tandem.resources.removeScope(ORDERS, 'orders:burn', HOST), failsWith('not_found'));
    await tandem.resources.remove(id, HOST);
    await assert.rejects(tandem.resources.get(id), failsWith('not_found'));
    assert.equal(await tandem.resources.find(ORDERS), undefined);
    // Nothing of the one before is left.
    assert.deepEqual((await tandem.resources.create({ identifier: ORDERS }, HOST)).scopes, []);
  });

  it('does not take away what clients hold', async () => {
    await tandem.resources.create({ identifier: ORDERS, scopes: SCOPES }, HOST);
    const { clients } = tandem.t.admin!;
    const metadata = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };
    const { client } = await clients.create({ ...metadata, tandem_resources: { [ORDERS]: ['orders:read'] } }, HOST);
    assert.deepEqual(await tandem.resources.usedBy(ORDERS, 'orders:read'), { clients: [client.clientId], count: 1 });
    assert.deepEqual(await tandem.resources.usedBy(ORDERS, 'orders:pay'), { clients: [], count: 0 });
    await assert.rejects(tandem.resources.removeScope(ORDERS, 'orders:read', HOST), failsWith('conflict', { clients: 1 }));
    await assert.rejects(tandem.resources.remove(ORDERS, HOST), failsWith('conflict', { clients: 1 }));
    await tandem.resources.removeScope(ORDERS, 'orders:pay', HOST);
    await assert.rejects(clients.update(client.clientId, { tandem_resources: { [ORDERS]: ['orders:pay'] } }, HOST), /orders:pay of https:\/\/orders\.example/);
    await assert.rejects(clients.create({ ...metadata, tandem_resources: { 'https://nobody.example': ['read'] } }, HOST), /no such resource server or scope: https:\/\/nobody\.example/);
    await clients.remove(client.clientId, HOST);
    await tandem.resources.remove(ORDERS, HOST);
  });
});
