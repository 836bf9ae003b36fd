import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { ApplyDocument, ApplyStep } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { COMMAND_LINE, HOST, startWithAdmin, type AdminTandem } from './harness.ts';

const NOTES = 'https://notes.example.com';
const PHOTOS = 'https://photos.example.com';
const BACKEND = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });

const DOCUMENT: ApplyDocument = {
  resource_servers: [
    { identifier: NOTES, name: 'Notes', scopes: [{ name: 'notes:read', description: { en: 'Read your notes' }, level: 1 }, { name: 'notes:write', description: { en: 'Change your notes' }, level: 2 }] },
    { identifier: PHOTOS, format: 'jwt', ttl: 120 },
  ],
  clients: [
    { client_id: 'till', ...BACKEND, client_name: 'Till', tandem_resources: { [NOTES]: ['notes:read'] } },
    { client_id: 'robot', ...BACKEND, token_endpoint_auth_method: 'private_key_jwt', managed_keys: [KEY] },
  ],
};

onEachDatabase('a declarative file', (database) => {
  let tandem: AdminTandem;
  beforeEach(async () => {
    tandem = await startWithAdmin(database);
  });
  afterEach(async () => {
    assert.deepEqual(tandem.errors, []);
    await tandem.close();
  });

  const apply = (document: ApplyDocument, options?: { dryRun?: boolean; prune?: boolean }) => tandem.admin.apply(document, COMMAND_LINE, options);
  const told = (steps: readonly ApplyStep[]) => steps.map(({ action, kind, id }) => `${action} ${kind} ${id}`);
  const count = async () => (await tandem.t.audit.list({}, { limit: 500 })).events.length;
  const changed = (client: string, members: object): ApplyDocument => ({ ...DOCUMENT, clients: DOCUMENT.clients!.map((each) => (each['client_id'] === client ? { ...each, ...members } : each)) });

  const CREATED = [
    `create resource_server ${NOTES}`, `create scope ${NOTES} notes:read`, `create scope ${NOTES} notes:write`, `create resource_server ${PHOTOS}`,
    'create client till', 'create client robot',
  ];

  it('makes what it names, and does nothing when it is applied again', async () => {
    const first = await apply(DOCUMENT);
    assert.deepEqual(told(first.steps), CREATED);
    const { secret } = first.steps.find(({ id }) => id === 'till')!;
    assert.match(secret ?? '', /^[\w-]{43,}$/);
    assert.ok(await tandem.call('GET', '/api/admin/clients', { token: 'x' }));
    assert.deepEqual((await tandem.admin.clients.get('robot')).keys.length, 1);
    assert.equal((await tandem.admin.resources.get(PHOTOS)).ttl, 120);

    const events = await count();
    const second = await apply(DOCUMENT);
    assert.deepEqual(told(second.steps), CREATED.map((step) => step.replace('create', 'unchanged')));
    assert.equal(await count(), events);
    assert.ok(!JSON.stringify(await tandem.t.audit.list({}, { limit: 500 })).includes(secret!));
  });

  it('tells in a dry run what it would do, and writes nothing', async () => {
    const events = await count();
    const dry = await apply(DOCUMENT, { dryRun: true });
    assert.deepEqual([dry.dryRun, told(dry.steps)], [true, CREATED]);
    assert.ok(dry.steps.every(({ secret }) => secret === undefined));
    assert.equal(await count(), events);
    await assert.rejects(tandem.admin.clients.get('till'), { code: 'not_found' });
    await assert.rejects(tandem.admin.resources.get(NOTES), { code: 'not_found' });

    await apply(DOCUMENT);
    const more = changed('till', { client_name: 'Door' });
    const planned = await apply(more, { dryRun: true, prune: true });
    assert.equal((await tandem.admin.clients.get('till')).metadata['client_name'], 'Till');
    assert.deepEqual(planned.steps, (await apply(more, { prune: true })).steps);
    assert.equal((await tandem.admin.clients.get('till')).metadata['client_name'], 'Door');
  });

  it('finds in a dry run what would be refused', async () => {
    const wrong: Array<[ApplyDocument, RegExp]> = [
      [changed('till', { token_endpoint_auth_method: 'client_secret_jwt' }), /client till.*client_secret_jwt/],
      [changed('till', { redirect_uris: ['no-uri'] }), /client till.*redirect_uris/],
      [changed('till', { redirect_uris: ['no uri'] }), /clients\.\d\.redirect_uris/],
      [{ resource_servers: [{ identifier: 'no uri' }] }, /resource_servers\.0\.identifier/],
    ];
    for (const [document, message] of wrong) await assert.rejects(apply(document, { dryRun: true }), (error: Error & { code: string }) => error.code === 'invalid_request' && message.test(error.message));
  });

  it('changes what differs, tells before and after, and takes away what a client no longer names', async () => {
    await apply(DOCUMENT);
    const [till, robot] = DOCUMENT.clients!;
    const { tandem_resources: _resources, ...bare } = till as Record<string, unknown>;
    const [notes, photos] = DOCUMENT.resource_servers!;
    const { steps } = await apply({
      resource_servers: [{ ...notes!, name: 'All notes', scopes: [{ name: 'notes:read', description: { en: 'Read all your notes' }, level: 1 }] }, photos!],
      clients: [{ ...bare, client_name: 'Door' }, { ...robot, managed_keys: [KEY, generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })] }],
    });
    assert.deepEqual(told(steps), [`update resource_server ${NOTES}`, `update scope ${NOTES} notes:read`, `unchanged resource_server ${PHOTOS}`, 'update client till', 'update client robot']);
    assert.deepEqual(steps[0]!.changes, { name: { before: 'Notes', after: 'All notes' } });
    assert.deepEqual(steps[3]!.changes, { client_name: { before: 'Till', after: 'Door' }, tandem_resources: { before: { [NOTES]: ['notes:read'] }, after: null } });
    const { metadata } = await tandem.admin.clients.get('till');
    assert.deepEqual([metadata['client_name'], 'tandem_resources' in metadata], ['Door', false]);
    assert.equal((await tandem.admin.clients.get('robot')).keys.length, 2);
    assert.deepEqual((await tandem.admin.resources.get(NOTES)).scopes.map(({ name }) => name), ['notes:read', 'notes:write'], 'a scope goes by pruning alone');
  });

  it('prunes what it does not name, in an order that works, and leaves who registered themselves', async () => {
    await apply(DOCUMENT);
    await tandem.admin.resources.putScope(NOTES, { name: 'notes:share', description: { en: 'Share' }, level: 1 }, HOST);
    await tandem.admin.clients.create({ client_id: 'stray', ...BACKEND, tandem_resources: { [NOTES]: ['notes:share'], [PHOTOS]: [] } }, HOST);
    await tandem.admin.clients.create({ client_id: 'itself', ...BACKEND }, HOST);
    await tandem.knex('tandem_clients').where({ client_id: 'itself' }).update({ origin: 'registration' });
    const [notes] = DOCUMENT.resource_servers!;
    const { steps } = await apply({ resource_servers: [notes!], clients: [DOCUMENT.clients![0]!] }, { prune: true });
    const removed = told(steps).filter((step) => step.startsWith('remove'));
    assert.deepEqual(removed.toSorted(), ['remove client robot', 'remove client stray', `remove resource_server ${PHOTOS}`, `remove scope ${NOTES} notes:share`]);
    assert.deepEqual((await tandem.admin.clients.list()).clients.map(({ clientId }) => clientId).toSorted(), ['itself', 'till']);
    // Of Tandem and of the host's options nothing goes.
    assert.deepEqual((await tandem.admin.resources.list()).map(({ origin }) => origin).toSorted(), ['built-in', 'configuration', 'registry']);
  });

  it('stops where a step is refused, says which, and can be applied again', async () => {
    const broken = changed('robot', { tandem_resources: { [NOTES]: ['notes:fly'] } });
    await assert.rejects(apply(broken), (error: Error & { code: string; extra: { applied: number } }) => {
      assert.equal(error.code, 'invalid_request');
      assert.match(error.message, /^client robot: .*notes:fly/);
      assert.equal(error.extra.applied, 5);
      return true;
    });
    assert.deepEqual(told((await apply(DOCUMENT)).steps).slice(4), ['unchanged client till', 'create client robot']);
  });

  it('refuses a document that makes no sense, before anything is done', async () => {
    const wrong = [
      { clients: [{ client_id: 'a', ...BACKEND }, { client_id: 'a', ...BACKEND }] },
      { clients: [BACKEND] },
      { clients: [{ client_id: 'a', colour: 'red' }] },
      { clients: [{ client_id: 'a', client_secret: 'mine' }] },
      { resource_servers: [{ identifier: NOTES }, { identifier: NOTES }] },
      { resource_servers: [{ identifier: NOTES, scopes: [{ name: 'a', description: {} }] }] },
      { accounts: [] },
      [],
      'clients',
    ];
    const events = await count();
    for (const document of wrong) await assert.rejects(apply(document as never), { code: 'invalid_request' }, JSON.stringify(document));
    assert.equal(await count(), events);
  });

  it('is applied by the API, dry or not', async () => {
    const send = (query: string, body: unknown = DOCUMENT) => tandem.call('POST', `/api/admin/apply${query}`, { body });
    const dry = await send('?dry_run=true');
    assert.equal(dry.status, 200, dry.text);
    assert.deepEqual([dry.json.dry_run, told(dry.json.steps)], [true, CREATED]);
    const done = (await send('')).json;
    assert.deepEqual([done.dry_run, told(done.steps)], [false, CREATED]);
    assert.match(done.steps.find(({ id }: ApplyStep) => id === 'till').secret, /^[\w-]{43,}$/);
    const again = (await send('?prune=true')).json;
    assert.ok(again.steps.every(({ action }: ApplyStep) => action === 'unchanged'));
    const refused = await send('', changed('till', { tandem_resources: { [NOTES]: ['notes:fly'] } }));
    assert.deepEqual([refused.status, refused.json.error, refused.json.applied], [400, 'invalid_request', 0]);
    for (const query of ['?dry_run=perhaps', '?force=true']) assert.equal((await send(query)).status, 400);
    assert.equal((await send('', { clients: [{ client_id: 'x', nonsense: 1 }] })).status, 400);
  });

  it('makes no client of whose keys one is refused, and tells so in a dry run', async () => {
    const { privateKey, client } = await tandem.admin.clients.create({ ...BACKEND, token_endpoint_auth_method: 'private_key_jwt' }, HOST, { generateKey: 'ES256' });
    assert.ok(privateKey);
    await tandem.admin.clients.remove(client.clientId, HOST);
    for (const key of [privateKey, { kty: 'EC' }, { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }, { kty: 'nonsense' }, { kty: 'RSA', n: 'AQAB', e: 'AQAB' }]) {
      for (const query of ['?dry_run=true', '']) {
        const { status, json } = await tandem.call('POST', `/api/admin/apply${query}`, { body: { clients: [{ client_id: 'keyed', ...BACKEND, managed_keys: [key] }] } });
        assert.deepEqual([status, json.error], [400, 'invalid_request'], `${query} ${JSON.stringify(key)}`);
        assert.ok(!JSON.stringify(json).includes(String((privateKey as { d?: string }).d)));
      }
    }
    assert.equal(await tandem.admin.clients.exists('keyed'), false);
  });

  it('may be as long as a registry of a thousand clients is', async () => {
    const clients = Array.from({ length: 1000 }, (_, index) => ({ client_id: `client-${index}`, ...BACKEND, client_name: `Client ${index} ${'x'.repeat(100)}` }));
    const answer = await tandem.call('POST', '/api/admin/apply?dry_run=true', { body: { clients } });
    assert.deepEqual([answer.status, answer.json.steps?.length], [200, 1000], answer.text.slice(0, 300));
    assert.equal((await tandem.call('POST', '/api/admin/apply', { body: { clients: 'x'.repeat(3_000_000) } })).json.error, 'payload_too_large');
  });
});
