import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { assertProblem, startEnrolment, type EnrolmentHarness } from './harness.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

onEachDatabase('accounts that clients make', (database) => {
  let t: EnrolmentHarness;

  before(async () => {
    t = await startEnrolment(database);
  });
  after(() => t.close());

  const create = (body: unknown, key?: string, as = 'shop') => t.call('POST', '/api/accounts', body, { as, headers: { ...(key !== undefined && { 'idempotency-key': key }) } });
  const idOf = async (email: string) => (await t.t.accounts!.findByEmail(email))?.id;

  it('are told by the subject of the client, never by their id', async () => {
    const answer = await create({ email: ' Grace@Example.com ', name: 'Grace', locale: 'de' });
    assert.equal(answer.status, 201);
    assert.match(String(answer.json['account']), UUID);
    assert.equal(answer.json['email'], 'Grace@Example.com');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const accountId = await idOf('grace@example.com');
    assert.ok(accountId);
    assert.notEqual(answer.json['account'], accountId);
    assert.equal((await t.t.accounts!.find(accountId))?.locale, 'de');
    const [event] = (await t.t.audit.list({ name: 'account.created', accountId })).events;
    assert.equal(event?.clientId, 'shop');
    assert.deepEqual(event?.data['actor'], { kind: 'client', id: 'shop' });
  });

  it('have no password, and answer by it as an address without an account does', async () => {
    await create({ email: 'nopass@example.com' });
    const row = (await t.knex('tandem_accounts').where({ email_key: 'nopass@example.com' }).first()) as { password_hash: string };
    assert.equal(row.password_hash, '');
    for (const password of ['', 'seven blue lanterns', 'undefined', 'null']) {
      await assert.rejects(t.t.accounts!.verifyPassword('nopass@example.com', password), { code: 'invalid_credentials', message: 'the e-mail address or the password is wrong' });
    }
    await assert.rejects(t.t.accounts!.changePassword((await idOf('nopass@example.com'))!, { current: '', next: 'seven blue lanterns over Ghent' }), { code: 'invalid_credentials' });
  });

  it('are one for one key, and the same answer for a day', async () => {
    const body = { email: 'once@example.com', name: 'Once' };
    const [first, second] = [await create(body, 'order-4711'), await create(body, 'order-4711')];
    assert.deepEqual([first.status, second.status], [201, 201]);
    assert.deepEqual(second.json, first.json);
    const other = assertProblem(await create({ ...body, name: 'Twice' }, 'order-4711'), 409, 'conflict');
    assert.equal(other['reason'], 'idempotency_key_reused');
    // Another client's key is its own.
    assert.equal(assertProblem(await create(body, 'order-4711', 'rival'), 409, 'conflict')['reason'], 'email_taken');
    assert.equal((await create({ email: 'rivals@example.com' }, 'order-4711', 'rival')).status, 201);
  });

  it('are one for one key, however many ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => create({ email: 'hundred@example.com' }, 'race-1')));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201], JSON.stringify(answers.find(({ status }) => status !== 201)?.json));
    assert.equal(new Set(answers.map(({ json }) => json['account'])).size, 1);
    const made = await t.t.audit.list({ name: 'account.created', accountId: (await idOf('hundred@example.com'))! });
    assert.equal(made.events.length, 1);
  });

  it('are made once where two wishes with one key come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => create({ email: `either${index % 2}@example.com` }, 'race-2')));
    const made = answers.filter(({ status }) => status === 201);
    assert.equal(new Set(made.map(({ json }) => json['account'])).size, 1);
    assert.equal(made.length, 10);
    for (const refused of answers.filter(({ status }) => status !== 201)) assert.equal(assertProblem(refused, 409, 'conflict')['reason'], 'idempotency_key_reused');
    assert.equal([await idOf('either0@example.com'), await idOf('either1@example.com')].filter(Boolean).length, 1);
  });

  it('are refused for an address that is taken, however it is spelt', async () => {
    await t.registerAccount({ email: 'taken@example.com' });
    const problem = assertProblem(await create({ email: 'TAKEN@example.com' }, 'key-of-taken'), 409, 'conflict');
    assert.deepEqual([problem['reason'], problem['field']], ['email_taken', 'email']);
    assert.deepEqual(await t.knex('tandem_managed_accounts').where({ account_id: await idOf('taken@example.com') }), [], 'and are not looked after');
    assert.deepEqual(await t.knex('tandem_account_requests').where({ account_id: await idOf('taken@example.com') }), []);
  });

  it('are refused where the wish makes no sense, and nothing is written', async () => {
    const before = (await t.knex('tandem_accounts').count({ n: '*' }).first())!['n'];
    for (const body of [{}, { email: 'no address' }, { email: 7 }, { email: 'a@example.com', password: 'x' }, { email: 'a@example.com', locale: '!' }, { email: 'a@example.com', name: 'a\u0000b' }, { email: 'a@example.com', name: 'x'.repeat(101) }, []]) {
      assertProblem(await create(body), 400, 'invalid_request');
    }
    for (const key of ['two words', 'é', 'k'.repeat(256)]) assertProblem(await create({ email: 'a@example.com' }, key), 400, 'invalid_request');
    assert.equal((await t.knex('tandem_accounts').count({ n: '*' }).first())!['n'], before);
  });

  it('let nobody search for addresses for long', async () => {
    await t.registerAccount({ email: 'searched@example.com' });
    const answers = [];
    for (let round = 0; round < 8; round += 1) answers.push(...(await Promise.all(Array.from({ length: 50 }, () => create({ email: 'searched@example.com' }, undefined, 'rival')))));
    const refused = answers.find(({ status }) => status === 429);
    assert.ok(refused, 'some are refused');
    assertProblem(refused, 429, 'rate_limited');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.ok(answers.filter(({ status }) => status === 409).length <= 300);
    assert.equal((await create({ email: 'others-go-on@example.com' })).status, 201);
  });

  it('let a key be used for something else after a day', async () => {
    assert.equal((await create({ email: 'monday@example.com' }, 'daily')).status, 201);
    const [{ expires_at: until }] = (await t.knex('tandem_account_requests').orderBy('expires_at', 'desc').limit(1)) as [{ expires_at: number }];
    assert.equal(Math.round((Number(until) - t.clock()) / 60_000), 24 * 60);
    // The library's tokens do not know the test's clock: here the keys grow old, not the world.
    await t.knex('tandem_account_requests').update({ expires_at: t.clock() - 1 });
    assert.equal((await create({ email: 'tuesday@example.com' }, 'daily')).status, 201);
    await t.knex('tandem_account_requests').update({ expires_at: t.clock() - 1 });
    await t.t.sweep();
    assert.equal((await t.knex('tandem_account_requests')).length, 0);
  });
});
