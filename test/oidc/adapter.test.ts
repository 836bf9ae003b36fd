import assert from 'node:assert/strict';
import { errors, type AdapterPayload } from 'oidc-provider';
import { oidc } from '../../migrations/001_oidc.ts';
import { createDatabase, type Database } from '../../src/lib/database/database.ts';
import { migrate, rollback } from '../../src/lib/database/migrate.ts';
import { createSweeper } from '../../src/lib/database/sweeper.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createAdapter } from '../../src/oidc/adapter.ts';
import { onEachDatabase } from '../support/databases.ts';

const HOSTILE = [
  '',
  "' OR 1=1 --",
  '%',
  '_',
  '\\',
  'a\0b',
  '\ud800',
  'A',
  'a',
  'a ',
  'á',
  '__proto__',
  '../../etc/passwd',
  '\u{1f511}',
  'x'.repeat(10_000),
];

onEachDatabase('the adapter', (database) => {
  let db: Database;
  let now = 1_700_000_000_000;
  let adapter: ReturnType<typeof createAdapter>;
  const clock = () => now;
  const keyRing = createKeyRing([newEncryptionKey()]);

  before(async () => {
    const knex = await database.open();
    await migrate(knex, [oidc]);
    db = createDatabase(knex);
    adapter = createAdapter({ db, clock, keyRing });
  });
  beforeEach(() => db.statement('DELETE FROM tandem_oidc').run([]));

  const count = async () => (await db.statement<{ n: number }>('SELECT COUNT(*) AS n FROM tandem_oidc').get([]))?.n;

  for (const model of ['AccessToken', 'Session', 'Grant', 'Client', 'ReplayDetection', 'Interaction', 'DeviceCode']) {
    it(`keeps, finds and destroys a ${model}`, async () => {
      const store = adapter(model);
      const payload: AdapterPayload = { jti: 'id', kind: model, exp: 1, scope: 'openid é \u{1f511} \0', extra: { deep: [{ a: null }] } };
      await store.upsert('id', payload, 60);
      assert.deepEqual(await store.find('id'), payload);
      await store.destroy('id');
      assert.equal(await store.find('id'), undefined);
      await store.destroy('id');
    });
  }

  it('keeps models apart', async () => {
    await adapter('AccessToken').upsert('id', { jti: 'id', accountId: 'a' }, 60);
    assert.equal(await adapter('RefreshToken').find('id'), undefined);
    await adapter('RefreshToken').destroy('id');
    assert.ok(await adapter('AccessToken').find('id'));
  });

  it('replaces what it has, and finds it by its new uid alone', async () => {
    const sessions = adapter('Session');
    await sessions.upsert('id', { jti: 'id', uid: 'one', accountId: 'a' }, 60);
    await sessions.upsert('id', { jti: 'id', uid: 'two', accountId: 'b' }, 60);
    assert.equal((await sessions.find('id') as AdapterPayload).accountId, 'b');
    assert.equal(await sessions.findByUid('one'), undefined);
    assert.equal((await sessions.findByUid('two') as AdapterPayload).jti, 'id');
    assert.equal(await count(), 1);
  });

  it('finds the newest of several by uid and by user code, even within one millisecond', async () => {
    for (const id of ['first', 'second', 'third']) {
      await adapter('Session').upsert(id, { jti: id, uid: 'same' }, 60);
      await adapter('DeviceCode').upsert(id, { jti: id, userCode: 'same' }, 60);
    }
    assert.equal((await adapter('Session').findByUid('same') as AdapterPayload).jti, 'third');
    assert.equal((await adapter('DeviceCode').findByUserCode('same') as AdapterPayload).jti, 'third');
    assert.equal(await adapter('Interaction').findByUid('same'), undefined);
    await adapter('Session').destroy('third');
    assert.equal((await adapter('Session').findByUid('same') as AdapterPayload).jti, 'second');
  });

  it('returns nothing that has expired', async () => {
    await adapter('Session').upsert('id', { jti: 'id', uid: 'u' }, 60);
    await adapter('DeviceCode').upsert('id', { jti: 'id', userCode: 'c' }, 60);
    await adapter('Client').upsert('id', { client_id: 'id' });
    now += 59_999;
    assert.ok(await adapter('Session').find('id'));
    now += 1;
    assert.equal(await adapter('Session').find('id'), undefined);
    assert.equal(await adapter('Session').findByUid('u'), undefined);
    assert.equal(await adapter('DeviceCode').findByUserCode('c'), undefined);
    await assert.rejects(adapter('DeviceCode').consume('id'), errors.InvalidGrant);
    assert.deepEqual(await adapter('Client').find('id'), { client_id: 'id' });
  });

  for (const model of ['AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest', 'PushedAuthorizationRequest']) {
    it(`lets exactly one of 100 consume a ${model}`, async () => {
      await adapter(model).upsert('id', { jti: 'id' }, 60);
      const answers = await Promise.allSettled(Array.from({ length: 100 }, () => adapter(model).consume('id')));
      assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
      const expected = model === 'PushedAuthorizationRequest' ? errors.InvalidRequestUri : errors.InvalidGrant;
      for (const answer of answers) if (answer.status === 'rejected') assert.ok(answer.reason instanceof expected, String(answer.reason));
      assert.equal((await adapter(model).find('id') as AdapterPayload).consumed, Math.floor(now / 1000));
    });
  }

  it('keeps consumed what is saved again from an older copy', async () => {
    const codes = adapter('DeviceCode');
    await codes.upsert('id', { jti: 'id', userCode: 'c' }, 60);
    await codes.consume('id');
    await codes.upsert('id', { jti: 'id', userCode: 'c', accountId: 'a' }, 60);
    const found = (await codes.find('id')) as AdapterPayload;
    assert.equal(found.accountId, 'a');
    assert.equal(found.consumed, Math.floor(now / 1000));
    await assert.rejects(codes.consume('id'), errors.InvalidGrant);
    await codes.upsert('other', { jti: 'other', consumed: true }, 60);
    await assert.rejects(codes.consume('other'), errors.InvalidGrant);
  });

  it('refuses to consume what is not there', async () => {
    await assert.rejects(adapter('AuthorizationCode').consume('nothing'), errors.InvalidGrant);
    await assert.rejects(adapter('PushedAuthorizationRequest').consume('nothing'), errors.InvalidRequestUri);
  });

  it('lets exactly one of 100 save the same proof, and again once it has expired', async () => {
    const proofs = adapter('ReplayDetection');
    for (let round = 0; round < 2; round += 1) {
      const answers = await Promise.allSettled(Array.from({ length: 100 }, () => proofs.upsert('jti', { jti: 'jti', iss: 'rp' }, 60)));
      assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
      for (const answer of answers) if (answer.status === 'rejected') assert.ok(answer.reason instanceof errors.InvalidRequest);
      now += 60_000;
    }
  });

  it('revokes what hangs on a grant, and nothing else', async () => {
    for (const model of ['AccessToken', 'RefreshToken', 'AuthorizationCode', 'DeviceCode', 'BackchannelAuthenticationRequest', 'Interaction']) {
      await adapter(model).upsert('mine', { jti: 'mine', grantId: 'G' }, 60);
      await adapter(model).upsert('case', { jti: 'case', grantId: 'g' }, 60);
      await adapter(model).upsert('none', { jti: 'none' }, 60);
    }
    for (const model of ['AccessToken', 'RefreshToken', 'AuthorizationCode', 'DeviceCode', 'BackchannelAuthenticationRequest']) {
      await adapter(model).revokeByGrantId('G');
      assert.equal(await adapter(model).find('mine'), undefined);
      assert.ok(await adapter(model).find('case'));
      assert.ok(await adapter(model).find('none'));
    }
    assert.ok(await adapter('Interaction').find('mine'));
  });

  it('takes every id as it is', async () => {
    for (const model of ['AccessToken', 'Session', 'DeviceCode']) {
      const store = adapter(model);
      for (const id of HOSTILE) assert.equal(await store.find(id), undefined);
      for (const id of HOSTILE) {
        assert.equal(await store.findByUid(id), undefined);
        assert.equal(await store.findByUserCode(id), undefined);
        await store.upsert(id, { jti: id, uid: id, userCode: id, accountId: id }, 60);
      }
      for (const id of HOSTILE) {
        assert.equal((await store.find(id) as AdapterPayload).jti, id);
        assert.equal((await store.findByUid(id) as AdapterPayload).uid, id);
        assert.equal((await store.findByUserCode(id) as AdapterPayload).accountId, id);
      }
      await store.consume('a');
      assert.equal((await store.find('A') as AdapterPayload).consumed, undefined);
      await store.destroy("' OR 1=1 --");
      for (const id of HOSTILE) assert.equal((await store.find(id)) === undefined, id === "' OR 1=1 --");
    }
  });

  it('keeps a payload of a megabyte', async () => {
    for (const model of ['AccessToken', 'Interaction']) {
      const payload = { jti: 'id', extra: { text: 'é\u{1f511}'.repeat(200_000) } };
      await adapter(model).upsert('id', payload, 60);
      assert.deepEqual(await adapter(model).find('id'), payload);
    }
  });

  it('writes no id and no secret into the table', async () => {
    await adapter('AccessToken').upsert('SECRET-1', { jti: 'SECRET-1', accountId: 'a' }, 60);
    await adapter('Session').upsert('SECRET-2', { jti: 'SECRET-2', uid: 'u' }, 60);
    await adapter('DeviceCode').upsert('SECRET-3', { jti: 'SECRET-3', userCode: 'SECRET-4' }, 60);
    await adapter('Client').upsert('rp', { client_id: 'rp', client_secret: 'SECRET-5' });
    await adapter('Interaction').upsert('SECRET-6', { jti: 'SECRET-6', session: { cookie: 'SECRET-2' } } as AdapterPayload, 60);
    assert.doesNotMatch(JSON.stringify(await db.knex('tandem_oidc').select('*')), /SECRET/);
  });

  it('is found by another process, and one with a newer key', async () => {
    const first = newEncryptionKey();
    const before = createAdapter({ db, clock, keyRing: createKeyRing([first]) });
    await before('Session').upsert('id', { jti: 'id', uid: 'u' }, 60);
    const after = createAdapter({ db, clock, keyRing: createKeyRing([newEncryptionKey(), first]) });
    assert.equal((await after('Session').findByUid('u') as AdapterPayload).jti, 'id');
  });

  it('finds nothing that was encrypted under a key that is gone, and says so once a minute', async () => {
    const told: object[] = [];
    const log = { ...silentLog, warn: (fields: object) => void told.push(fields) };
    const [gone, kept] = [newEncryptionKey(), newEncryptionKey()];
    const before = createAdapter({ db, clock, keyRing: createKeyRing([gone, kept]) });
    const after = createAdapter({ db, clock, log, keyRing: createKeyRing([kept]) });
    await before('Session').upsert('id', { jti: 'id', uid: 'u' }, 600);
    await before('DeviceCode').upsert('id', { jti: 'id', userCode: 'c' }, 600);
    for (let n = 0; n < 3; n += 1) {
      assert.equal(await after('Session').find('id'), undefined);
      assert.equal(await after('Session').findByUid('u'), undefined);
      assert.equal(await after('DeviceCode').findByUserCode('c'), undefined);
    }
    assert.equal(told.length, 1);
    now += 60_000;
    await after('Session').find('id');
    assert.equal(told.length, 2);
    await after('Session').upsert('id', { jti: 'id', uid: 'v' }, 600);
    assert.equal((await after('Session').findByUid('v') as AdapterPayload).jti, 'id', 'the next one takes its place');
    // What was altered is no forgotten key, and never passes for one.
    await db.statement('UPDATE tandem_oidc SET payload = ? WHERE model = ?').run([createKeyRing([kept]).encrypt(Buffer.from('{}'), 'elsewhere'), 'Session']);
    await assert.rejects(async () => after('Session').find('id'));
  });

  it('sweeps what has expired, in batches, and nothing else', async () => {
    const sweeper = createSweeper({ db, clock, log: silentLog });
    sweeper.register({ table: 'tandem_oidc', column: 'expires_at' });
    await Promise.all(Array.from({ length: 450 }, (_, n) => adapter('AccessToken').upsert(`dead${n}`, { jti: `dead${n}` }, 60)));
    await adapter('AccessToken').upsert('alive', { jti: 'alive' }, 61);
    await adapter('Client').upsert('client', { client_id: 'client' });
    assert.equal(await sweeper.sweep(), 0);
    now += 60_000;
    const [one, other] = await Promise.all([sweeper.sweep(), sweeper.sweep()]);
    assert.deepEqual([one, other], [450, 450]);
    assert.equal(await count(), 2);
    assert.ok(await adapter('AccessToken').find('alive'));
    sweeper.start();
    await sweeper.stop();
  });

  it('prepares each of its statements once, and runs what it prepared', async () => {
    const store = adapter('DeviceCode');
    async function everyMethod() {
      await store.upsert('id', { jti: 'id', uid: 'u', userCode: 'c', grantId: 'g' }, 60);
      await store.find('id');
      await store.findByUid('u');
      await store.findByUserCode('c');
      await store.consume('id');
      await store.revokeByGrantId('g');
      await store.destroy('id');
    }
    const prepared = await countPrepared();
    await everyMethod();
    const once = await prepared();
    await everyMethod();
    await everyMethod();
    assert.equal(await prepared(), once);
    if (database.name === 'postgres') assert.ok(once >= 7, String(once));
  });

  /** How often a statement was prepared on the connection in use, as the database itself counts it. */
  async function countPrepared(): Promise<() => Promise<number>> {
    const { knex } = db;
    if (database.name === 'postgres') {
      return async () => Number((await knex.raw<{ rows: Array<{ n: string }> }>('SELECT COUNT(*) AS n FROM pg_prepared_statements')).rows[0]!.n);
    }
    if (database.name === 'mariadb') {
      return async () => Number((await knex.raw<[Array<{ Value: string }>]>(`SHOW SESSION STATUS LIKE 'Com_stmt_prepare'`))[0]![0]!.Value);
    }
    const connection = (await knex.client.acquireConnection()) as { prepare(sql: string): unknown };
    await knex.client.releaseConnection(connection);
    const prepare = connection.prepare.bind(connection);
    let times = 0;
    connection.prepare = (sql) => ((times += 1), prepare(sql));
    return () => Promise.resolve(times);
  }

  it('goes and comes back with its migration', async () => {
    await rollback(db.knex, [oidc]);
    assert.equal(await db.knex.schema.hasTable('tandem_oidc'), false);
    await migrate(db.knex, [oidc]);
    assert.equal(await adapter('Session').find('id'), undefined);
  });
});
