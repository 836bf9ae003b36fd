import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { newEncryptionKey } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { API, type TestTandem } from '../support/tandem.ts';
import { anotherProcess, dump, HOST, post, refused, SERVICE, startWithRegistry, works } from './helpers.ts';

onEachDatabase('secrets of clients', (database) => {
  let tandem: TestTandem;
  const encryption = [newEncryptionKey()];
  const registry = () => tandem.t.admin!.clients;
  before('start', async () => {
    tandem = await startWithRegistry(database, { tandem: { secrets: { encryption } } });
  });
  after('stop', () => tandem.close());
  afterEach('without errors', () => assert.deepEqual(tandem.errors, []));

  async function service() {
    const { client, secret } = await registry().create(SERVICE, HOST);
    return { id: client.clientId, first: secret! };
  }

  it('have 256 bits, and are nowhere in the database, nor in the audit log', async () => {
    const { id, first } = await service();
    const second = await registry().addSecret(id, {}, HOST);
    await registry().removeSecret(id, first.id, HOST);
    for (const { value } of [first, second]) {
      assert.equal(Buffer.from(value, 'base64url').length, 32);
      assert.equal((await dump(tandem.knex)).includes(value), false);
    }
    assert.ok((await dump(tandem.knex)).includes(hash('sha256', second.value, 'base64url')));
    const audited = JSON.stringify((await tandem.t.audit.list({ clientId: id })).events);
    assert.equal(audited.includes(hash('sha256', second.value, 'base64url')), false);
    assert.match(audited, /client\.secret_added.*client\.created/);
  });

  it('are not opened by what a dump holds', async () => {
    const { id, first } = await service();
    const [row] = (await tandem.knex('tandem_clients').where({ client_id: id })) as Array<{ secrets: string }>;
    const [{ hash: stored }] = JSON.parse(row!.secrets) as [{ hash: string }];
    for (const guess of [stored, first.id, 'undefined', 'null', '[object Object]']) assert.equal(await works(tandem, id, guess), false);
  });

  it('are two while one takes the place of the other, and no more', async () => {
    const { id, first } = await service();
    const second = await registry().addSecret(id, {}, HOST);
    assert.deepEqual([await works(tandem, id, first.value), await works(tandem, id, second.value)], [true, true]);
    await assert.rejects(registry().addSecret(id, {}, HOST), refused('conflict'));
    await registry().removeSecret(id, first.id, HOST);
    assert.deepEqual([await works(tandem, id, first.value), await works(tandem, id, second.value)], [false, true]);
    await assert.rejects(registry().removeSecret(id, first.id, HOST), refused('not_found'));
  });

  it('end when they are told to, to the second', async () => {
    const { id, first } = await service();
    const second = await registry().addSecret(id, { endOthersIn: 3600 }, HOST);
    assert.equal(await works(tandem, id, first.value), true);
    tandem.clock.advance(3_599_000 - 5_000);
    assert.equal(await works(tandem, id, first.value), true);
    tandem.clock.advance(6_000);
    assert.deepEqual([await works(tandem, id, first.value), await works(tandem, id, second.value)], [false, true]);
    assert.deepEqual((await registry().get(id)).secrets.map((secret) => secret.id), [second.id]);
    // What has ended stands in nobody's way.
    await registry().addSecret(id, {}, HOST);
  });

  it('end at once where that is asked for', async () => {
    const { id, first } = await service();
    const second = await registry().addSecret(id, {}, HOST);
    const third = await registry().addSecret(id, { endOthersIn: 0 }, HOST);
    assert.deepEqual(await Promise.all([first, second, third].map(({ value }) => works(tandem, id, value))), [false, false, true]);
    for (const endOthersIn of [-1, 1.5, Number.NaN, 1e9]) await assert.rejects(registry().addSecret(id, { endOthersIn }, HOST), refused('invalid_request', 'end_others_in'));
  });

  it('are never more than two, however many are made at once', async () => {
    const { id } = await service();
    const made = await Promise.allSettled(Array.from({ length: 10 }, () => registry().addSecret(id, {}, HOST)));
    assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal((await registry().get(id)).secrets.length, 2);
  });

  it('count at once in another process, and end at once there', async () => {
    const other = await anotherProcess(tandem, encryption)();
    const { id, first } = await service();
    assert.equal(await works(tandem, id, first.value), true);
    const second = await other.admin!.clients.addSecret(id, { endOthersIn: 0 }, HOST);
    assert.deepEqual([await works(tandem, id, first.value), await works(tandem, id, second.value)], [false, true]);
    await other.admin!.clients.remove(id, HOST);
    assert.equal(await works(tandem, id, second.value), false);
    await other.close();
  });

  it('are taken in the body, too, where the client says so', async () => {
    const { client, secret } = await registry().create({ ...SERVICE, token_endpoint_auth_method: 'client_secret_post' }, HOST);
    const form = { grant_type: 'client_credentials', resource: API, scope: 'read', client_id: client.clientId };
    assert.equal((await post(tandem, '/token', undefined, { ...form, client_secret: secret!.value })).status, 200);
    assert.equal((await post(tandem, '/token', undefined, { ...form, client_secret: 'x' })).status, 401);
    assert.equal((await post(tandem, '/token', undefined, form)).status >= 400, true);
  });

  it('are none of a client that proves itself otherwise, and do not come back to life', async () => {
    const { id, first } = await service();
    await registry().update(id, { token_endpoint_auth_method: 'private_key_jwt' }, HOST);
    assert.equal(await works(tandem, id, first.value), false);
    await assert.rejects(registry().addSecret(id, {}, HOST), refused('conflict'));
    await registry().update(id, { token_endpoint_auth_method: null }, HOST);
    assert.deepEqual([(await registry().get(id)).secrets, await works(tandem, id, first.value)], [[], false]);
    assert.equal(await works(tandem, id, (await registry().addSecret(id, {}, HOST)).value), true);
  });

  it('of the configuration work as ever', async () => {
    const { client_secret: secret } = tandem.clients.service;
    assert.equal(await works(tandem, 'service', secret!), true);
    assert.equal(await works(tandem, 'service', `${secret!}x`), false);
  });

  for (const [field, metadata] of Object.entries({
    token_endpoint_auth_method: { token_endpoint_auth_method: 'client_secret_jwt' },
    id_token_signed_response_alg: { id_token_signed_response_alg: 'HS256' },
  })) {
    it(`cannot be keys, which is told of ${field}`, async () => {
      const configured = await startWithRegistry(database, { configuration: { enabledJWA: { idTokenSigningAlgValues: ['ES256', 'HS256'] } } });
      try {
        await assert.rejects(configured.t.admin!.clients.create({ redirect_uris: ['https://app.example/cb'], ...metadata }, HOST), (error: Error) => {
          assert.match(error.message, /hashes/);
          return refused('invalid_request', field)(error);
        });
      } finally {
        await configured.close();
      }
    });
  }
});
