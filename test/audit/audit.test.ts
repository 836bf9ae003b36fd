import assert from 'node:assert/strict';
import { pino } from 'pino';
import { audit as migration } from '../../migrations/008_audit.ts';
import { createAudit, type AuditService } from '../../src/audit/audit.ts';
import { createDatabase, type Database } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { createEvents, type Events } from '../../src/lib/events.ts';
import { onEachDatabase } from '../support/databases.ts';

declare module '../../src/lib/events.ts' {
  interface EventMap {
    'test.happened': { detail: string };
    'test.other': object;
    'testing.else': object;
  }
}

onEachDatabase('the audit log', (database) => {
  let db: Database;
  let events: Events;
  let audit: AuditService;
  let now = 1_700_000_000_000;
  const told: string[] = [];
  const logged: string[] = [];

  before(async () => {
    const knex = await database.open();
    await migrate(knex, [migration]);
    db = createDatabase(knex);
    events = createEvents({
      clock: () => now,
      // As a host hands in its own.
      log: pino({}, { write: (line) => void logged.push(line) }),
      on: {
        'test.happened': ({ detail }) => {
          told.push(detail);
          throw new Error('a host’s mistake');
        },
      },
    });
    audit = createAudit({ db, events });
  });
  beforeEach(async () => {
    await db.statement('DELETE FROM tandem_events').run([]);
    told.length = 0;
  });

  const happened = (detail: string, subject: object = {}) => db.transaction((tx) => events.emit(tx, 'test.happened', { detail, ...subject }));

  it('keeps what happened, to whom, and from where', async () => {
    const subject = { accountId: 'a', clientId: 'c', deviceId: 'd', transactionId: 't', address: '2001:db8::1' };
    await happened('é "x"', subject);
    const { events: found, cursor } = await audit.list();
    assert.equal(cursor, undefined);
    assert.equal(found.length, 1);
    const { id, ...rest } = found[0]!;
    assert.equal(typeof id, 'number');
    assert.deepEqual(rest, { at: now, name: 'test.happened', ...subject, data: { detail: 'é "x"' } });
  });

  it('tells a host after the commit only, and survives what it throws', async () => {
    await db.transaction(async (tx) => {
      await events.emit(tx, 'test.happened', { detail: 'one' });
      assert.deepEqual(told, []);
    });
    assert.deepEqual(told, ['one']);
    assert.match(logged.at(-1)!, /a host’s mistake/);
    assert.equal((await audit.list()).events.length, 1);
  });

  it('keeps nothing, and tells nobody, of what was rolled back', async () => {
    await assert.rejects(
      db.transaction(async (tx) => {
        await events.emit(tx, 'test.happened', { detail: 'undone' });
        throw new Error('no');
      }),
      /no/,
    );
    assert.deepEqual((await audit.list()).events, []);
    assert.deepEqual(told, []);
  });

  it('undoes the change that it could not note', async () => {
    await assert.rejects(
      db.transaction(async (tx) => {
        await events.emit(tx, 'test.happened', { detail: 'first' });
        await events.emit(tx, 'test.happened', { detail: 'second', accountId: 'x\0y' });
      }),
      { code: 'invalid_request' },
    );
    assert.deepEqual((await audit.list()).events, []);
  });

  it('is asked by account, client, device, transaction, name and time', async () => {
    await happened('1', { accountId: 'a' });
    now += 1000;
    await happened('2', { accountId: 'A', clientId: 'c' });
    now += 1000;
    await happened('3', { deviceId: 'd', transactionId: 't' });
    await db.transaction(async (tx) => {
      await events.emit(tx, 'test.other', { accountId: 'a' });
      await events.emit(tx, 'testing.else', { accountId: 'a' });
    });
    const names = async (...query: Parameters<typeof audit.list>) => (await audit.list(...query)).events.map(({ name, data }) => data['detail'] ?? name);
    assert.deepEqual(await names({ accountId: 'a' }), ['testing.else', 'test.other', '1']);
    assert.deepEqual(await names({ clientId: 'c' }), ['2']);
    assert.deepEqual(await names({ deviceId: 'd' }), ['3']);
    assert.deepEqual(await names({ transactionId: 't' }), ['3']);
    assert.deepEqual(await names({ name: 'test.other' }), ['test.other']);
    assert.deepEqual(await names({ name: 'test.*' }), ['test.other', '3', '2', '1']);
    assert.deepEqual(await names({ name: 'test_*' }), []);
    assert.deepEqual(await names({ name: '%*' }), []);
    assert.deepEqual(await names({ since: now - 1000, until: now }), ['2']);
    assert.deepEqual(await names({ accountId: 'a', name: 'test.happened', since: now }), []);
    assert.deepEqual(await names({ accountId: "' OR 1=1 --" }), []);
  });

  it('turns pages without repeating or leaving out, while more happens', async () => {
    for (let n = 1; n <= 7; n += 1) await happened(String(n), { accountId: 'a' });
    const seen: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await audit.list({ accountId: 'a' }, { limit: 3, cursor });
      seen.push(...page.events.map(({ data }) => data['detail']));
      cursor = page.cursor;
      await happened('later', { accountId: 'a' });
    } while (cursor);
    assert.deepEqual(seen, ['7', '6', '5', '4', '3', '2', '1']);
  });

  it('refuses a limit and a cursor that make no sense', async () => {
    for (const limit of [0, -1, 501, 1.5, Number.NaN]) await assert.rejects(audit.list({}, { limit }), { code: 'invalid_request' });
    for (const cursor of ['', 'x', '-1', '1 OR 1=1', '9'.repeat(30)]) await assert.rejects(audit.list({}, { cursor }), { code: 'invalid_request' });
  });
});
