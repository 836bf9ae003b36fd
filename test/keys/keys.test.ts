import assert from 'node:assert/strict';
import { CompactSign, compactVerify, createLocalJWKSet, importJWK } from 'jose';
import type { JWK } from 'jose';
import { keys as migration } from '../../migrations/002_keys.ts';
import { createKeys } from '../../src/keys/service.ts';
import type { KeySet, KeysOptions } from '../../src/keys/service.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate, rollback } from '../../src/lib/database/migrate.ts';
import { createEvents } from '../../src/lib/events.ts';
import type { TandemEvent } from '../../src/lib/events.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import { silentLog } from '../../src/lib/log.ts';
import { onEachDatabase } from '../support/databases.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ALGORITHMS = ['ES256', 'RS256', 'EdDSA'];

onEachDatabase('keys', (database) => {
  const opened: Array<() => Promise<void>> = [];
  afterEach(async () => {
    for (const close of opened.splice(0)) await close();
  });

  async function setUp(options: KeysOptions = {}) {
    const knex = await database.open();
    opened.push(() => knex.destroy());
    await migrate(knex, [migration]);
    const time = { now: Date.UTC(2030, 0, 1) };
    const clock = () => time.now;
    const events = createEvents({ clock, log: silentLog });
    const told: TandemEvent[] = [];
    events.subscribe(async (_tx, event) => void told.push(event));
    const db = createDatabase(knex);
    const keyRing = createKeyRing([newEncryptionKey()]);
    const create = (ring = keyRing) => createKeys({ db, clock, events, keyRing: ring }, options);
    return { knex, time, told, create, keys: create() };
  }

  it('makes a set of keys on first start, one that signs and one published ahead for each algorithm', async () => {
    const { keys, told } = await setUp();
    const { jwks, cookieKeys } = await keys.load();
    assert.deepEqual(jwks.keys.map(({ alg }) => alg).sort(), [...ALGORITHMS, ...ALGORITHMS].sort());
    assert.ok(jwks.keys.every((key) => key.use === 'sig' && key.d && key.kid));
    assert.equal(Buffer.from(jwks.keys.find(({ kty }) => kty === 'RSA')!.n!, 'base64url').byteLength, 256);
    assert.equal(cookieKeys.length, 2);
    assert.deepEqual(told.map(({ name }) => name), ['keys.created']);
    assert.equal((told[0]!.payload as { kids: string[] }).kids.length, 8);
    assert.deepEqual(await keys.load(), await keys.load());
    assert.equal(told.length, 1);
  });

  it('makes exactly one set when many processes start at once', async () => {
    const { create, keys } = await setUp();
    const sets = await Promise.all(Array.from({ length: 8 }, () => create().load()));
    for (const set of sets) assert.deepEqual(set.jwks, sets[0]!.jwks);
    for (const set of sets) assert.deepEqual(set.cookieKeys, sets[0]!.cookieKeys);
    assert.equal((await keys.list()).length, 8);
  });

  it('signs with the next keys after a rotation, which were published before, and verifies what was signed before', async () => {
    const { keys, time, told } = await setUp();
    const before = await keys.load();
    const tokens = await Promise.all(ALGORITHMS.map((alg) => sign(before, alg)));
    time.now += 2 * HOUR;
    assert.deepEqual(await keys.rotate(), { activatesAt: time.now });
    const after = await keys.load();
    for (const alg of ALGORITHMS) {
      assert.notEqual(signer(after, alg).kid, signer(before, alg).kid);
      assert.ok(before.jwks.keys.some(({ kid }) => kid === signer(after, alg).kid), 'was published ahead');
      await verify(before, await sign(after, alg));
    }
    for (const token of tokens) await verify(after, token);
    assert.equal(after.cookieKeys[0], before.cookieKeys[1]);
    assert.equal(after.cookieKeys[2], before.cookieKeys[0]);
    assert.notEqual(after.version, before.version);
    assert.deepEqual(told.map(({ name }) => name), ['keys.created', 'keys.rotation_scheduled', 'keys.rotated', 'keys.created']);
  });

  it('waits until the next keys have been published long enough, unless told otherwise', async () => {
    const { keys, time } = await setUp();
    const before = await keys.load();
    const due = time.now + HOUR;
    time.now += 10_000;
    assert.deepEqual(await keys.rotate(), { activatesAt: due });
    assert.deepEqual((await keys.load()).jwks, before.jwks);
    time.now += 10_000;
    assert.deepEqual(await keys.rotate(), { activatesAt: due }, 'a second order changes nothing');
    time.now = due - 1;
    assert.deepEqual((await keys.load()).jwks, before.jwks);
    time.now = due;
    const after = await keys.load();
    assert.notEqual(signer(after, 'ES256').kid, signer(before, 'ES256').kid);

    assert.deepEqual(await keys.rotate({ now: true }), { activatesAt: time.now });
    assert.notEqual(signer(await keys.load(), 'ES256').kid, signer(after, 'ES256').kid);
  });

  it('takes one order for one rotation however many processes carry it out', async () => {
    const { keys, create, time } = await setUp();
    const before = await keys.load();
    const { activatesAt } = await keys.rotate();
    time.now = activatesAt;
    await Promise.all(Array.from({ length: 6 }, () => create().ensure()));
    const states = (await keys.list()).map(({ state }) => state);
    assert.deepEqual(states, [...Array(4).fill('active'), ...Array(4).fill('next'), ...Array(4).fill('retired')]);
    assert.ok(before.jwks.keys.some(({ kid }) => kid === signer(before, 'RS256').kid));
  });

  it('deletes retired keys once nothing that they signed is alive, and no others', async () => {
    const { keys, time, told } = await setUp();
    const before = await keys.load();
    await keys.rotate({ now: true });
    time.now += 30 * DAY - 1;
    assert.equal(await keys.prune(), 0);
    await verify(await keys.load(), await sign(before, 'RS256'));
    time.now += 1;
    assert.equal(await keys.prune(), 4);
    assert.equal((await keys.list()).length, 8);
    assert.equal(told.at(-1)!.name, 'keys.pruned');
    await assert.rejects(verify(await keys.load(), await sign(before, 'RS256')));
  });

  it('shows no private part in the table, nor in the list', async () => {
    const { keys, knex } = await setUp();
    const { jwks, cookieKeys } = await keys.load();
    const dump = JSON.stringify([await knex('tandem_keys').select(), await knex('tandem_key_set').select(), await keys.list()]);
    const secrets = [...cookieKeys, ...jwks.keys.flatMap(({ d, p, q, dp, dq, qi }) => [d, p, q, dp, dq, qi])];
    for (const secret of secrets) if (secret) assert.ok(!dump.includes(secret));
    assert.ok(!dump.includes('"d"') && dump.includes(jwks.keys[0]!.kid!));
  });

  it('does not load a key whose ciphertext was moved to another row', async () => {
    const { keys, knex } = await setUp();
    const { jwks } = await keys.load();
    const [one, other] = jwks.keys;
    const { secret } = await knex('tandem_keys').where({ kid: one!.kid }).first();
    await knex('tandem_keys').where({ kid: other!.kid }).update({ secret });
    await assert.rejects(keys.load(), /another place/);
  });

  it('needs the encryption key that they were stored under', async () => {
    const { keys, create } = await setUp();
    await keys.load();
    await assert.rejects(create(createKeyRing([newEncryptionKey()])).load(), /no encryption key/);
  });

  it('loads under a key ring that has a newer key in front, and stores under that one', async () => {
    const [older, newer] = [newEncryptionKey(), newEncryptionKey()];
    const { create, time } = await setUp();
    const before = await create(createKeyRing([older])).load();
    const both = create(createKeyRing([newer, older]));
    assert.deepEqual(await both.load(), before);
    await both.rotate({ now: true });
    await both.rotate({ now: true });
    time.now += 30 * DAY;
    assert.equal((await create(createKeyRing([newer])).load()).jwks.keys.length, 6, 'the old key is of no use any more');
  });

  it('goes, and comes back, with its migration', async () => {
    const { knex, keys } = await setUp();
    await keys.load();
    await rollback(knex, [migration]);
    assert.equal(await knex.schema.hasTable('tandem_keys'), false);
    await migrate(knex, [migration]);
    assert.equal((await keys.load()).jwks.keys.length, 6);
  });
});

function signer({ jwks }: KeySet, alg: string): JWK {
  return jwks.keys.find((key) => key.alg === alg)!;
}

async function sign(set: KeySet, alg: string): Promise<string> {
  const jwk = signer(set, alg);
  return new CompactSign(Buffer.from('{"sub":"somebody"}')).setProtectedHeader({ alg, kid: jwk.kid! }).sign(await importJWK(jwk, alg));
}

/** Verifies as a relying site does: with the public parts alone. */
async function verify({ jwks }: KeySet, token: string) {
  const published = jwks.keys.map(({ kid, kty, alg, use, crv, x, y, n, e }) => ({ kid, kty, alg, use, crv, x, y, n, e }) as JWK);
  await compactVerify(token, createLocalJWKSet({ keys: published }));
}
