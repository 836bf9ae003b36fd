import assert from 'node:assert/strict';
import { migrations } from '../../migrations/index.ts';
import { randomToken } from '../../src/lib/crypto.ts';
import { createDatabase, type Database, type Transaction } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { createQrStore, type QrStore } from '../../src/qr/transaction/store.ts';
import type { QrTransaction } from '../../src/qr/transaction/transaction.ts';
import { onEachDatabase } from '../support/databases.ts';

onEachDatabase('the store of QR transactions', (database) => {
  let db: Database;
  let store: QrStore;
  let now = 1_700_000_000_000;
  before(async () => {
    const knex = await database.open();
    await migrate(knex, migrations);
    db = createDatabase(knex);
    store = createQrStore({ db, clock: () => now });
  });

  const decision = { receipt: 'jws', level: 1, confirmHash: undefined } as const;
  const claim = { deviceId: 'phone', accountId: 'ada', via: 'frame', codeDue: true, challenge: 'c', request: 'r' } as const;

  async function inserted(): Promise<QrTransaction> {
    const made = {
      id: randomToken(16), purpose: 'login', uid: randomToken(8), cid: 'cid', browserHash: randomToken(), slot: 0, clientId: 'spa',
      expectedAccount: undefined, policy: 'auto', knownAccounts: [], isStatic: false, level: 1, facts: '{}', codeHash: randomToken(), firstStartedAt: now,
    } as const;
    return db.transaction((tx) => store.insert(made, tx));
  }
  async function at(state: 'pending' | 'scanned' | 'approved' | 'confirmed'): Promise<QrTransaction> {
    const { id } = await inserted();
    const step = async (work: (transaction: QrTransaction, tx: Transaction) => Promise<unknown>) => {
      const transaction = (await store.find(id))!;
      assert.ok(await db.transaction((tx) => work(transaction, tx)));
    };
    if (state !== 'pending') await step((transaction, tx) => store.claim(transaction.id, claim, tx));
    if (state === 'approved' || state === 'confirmed') await step((transaction, tx) => store.decide(transaction, state, decision, tx));
    return (await store.find(id))!;
  }
  /** All have read the same state before the first writes. */
  const wins = async (change: (tx: Transaction, index: number) => Promise<unknown>) => {
    const results = await Promise.all(Array.from({ length: 100 }, (_, index) => db.transaction((tx) => change(tx, index))));
    return results.filter((result) => result !== false && result !== undefined).length;
  };

  it('lets one of a hundred make each change', async () => {
    const pending = await at('pending');
    assert.equal(await wins((tx) => store.claim(pending.id, claim, tx)), 1);
    const scanned = await at('scanned');
    assert.equal(await wins((tx, index) => store.decide(scanned, index % 2 ? 'approved' : 'denied', decision, tx)), 1);
    const approved = await at('approved');
    assert.equal(await wins((tx, index) => store.move(approved, index % 2 ? 'confirmed' : 'cancelled', undefined, tx)), 1);
    const confirmed = await at('confirmed');
    assert.equal(await wins((tx) => store.move(confirmed, 'consumed', undefined, tx)), 1);
    const late = await at('scanned');
    now += 120_000;
    assert.equal(await wins((tx) => store.expire(late, tx)), 1);
    assert.deepEqual([(await store.find(late.id))!.state, (await store.find(late.id))!.reason], ['expired', 'scanned']);
  });

  it('gives three tries at a code, however many come at once', async () => {
    const approved = await at('approved');
    assert.equal(await wins((tx) => store.attempt(approved.id, tx)), 3);
  });

  it('changes nothing once the time has run out, and expires nothing before', async () => {
    for (const state of ['pending', 'scanned', 'approved', 'confirmed'] as const) {
      const transaction = await at(state);
      assert.equal(await db.transaction((tx) => store.expire(transaction, tx)), false, state);
      now = transaction.expiresAt;
      assert.equal(await db.transaction((tx) => store.claim(transaction.id, claim, tx)), false, state);
      assert.equal(await db.transaction((tx) => store.decide(transaction, 'approved', decision, tx)), false, state);
      assert.equal(await db.transaction((tx) => store.move(transaction, 'consumed', undefined, tx)), undefined, state);
      assert.equal(await db.transaction((tx) => store.attempt(transaction.id, tx)), false, state);
      assert.equal(await db.transaction((tx) => store.expire(transaction, tx)), true, state);
    }
  });

  it('tells identifiers apart by case', async () => {
    const { id, uid, browserHash } = await inserted();
    const swapped = (text: string) => text.replace(/[a-z]/gi, (letter) => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()));
    assert.equal(await store.find(swapped(id)), undefined);
    assert.equal(await store.findByPage(swapped(uid), browserHash), undefined);
    assert.ok(await store.findByPage(uid, browserHash));
  });
});
