import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { ALL, assertProblem, CREATE, ENROL, startEnrolment, STATUS, type Answer, type EnrolmentHarness } from './harness.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';

onEachDatabase('attacks on the enrolment API', (database) => {
  let t: EnrolmentHarness;
  before(async () => {
    t = await startEnrolment(database);
  });
  after(() => t.close());
  afterEach(() => assert.deepEqual(t.errors, []));

  const actor = { kind: 'host', id: 'test', authority: 'all' } as const;
  const enrol = (account: unknown, as = 'shop') => t.call('POST', '/omi/qr/enrol', { account }, { as });
  const confirm = (enrolmentId: string, code: string, as = 'shop') => t.call('POST', '/omi/qr/enrol/confirm', { enrolmentId, code }, { as });
  const cancel = (enrolmentId: string, as = 'shop') => t.call('POST', '/omi/qr/enrol/cancel', { enrolmentId }, { as });
  const accountIdOf = async (subject: string) => ((await t.knex('tandem_subjects').where({ subject }).first()) as { account_id: string }).account_id;
  const bodies = (answers: readonly Answer[]) => new Set(answers.map(({ status, json }) => JSON.stringify([status, json])));

  it('reach no account of another client, and learn nothing of any', async () => {
    const own = await t.account();
    await t.registerAccount({ email: 'hers@example.com' });
    const herId = (await t.t.accounts!.findByEmail('hers@example.com'))!.id;
    const hers = await t.t.admin!.accounts.giveTo('rival', herId, actor);
    // Known to the client, as after a sign-in, and not looked after by it.
    await t.account('rival', 'met@example.com');
    const met = await t.t.admin!.accounts.giveTo('shop', 'met@example.com', actor);
    await t.t.admin!.accounts.takeFrom('shop', 'met@example.com', actor);
    const answers = [await enrol(own, 'rival'), await enrol(hers.subject), await enrol(herId), await enrol(met.subject), await enrol(NOBODY), await enrol('shop'), await enrol(''), await enrol('x'.repeat(5000)), await enrol('a\u0000b'), await enrol("' or 1=1 --")];
    for (const answer of answers) assertProblem(answer, 404, 'not_found');
    assert.equal(bodies(answers).size, 1, 'all alike');
    for (const account of [7, null, {}, [own]]) assertProblem(await enrol(account), 400, 'invalid_request');
  });

  it('see no enrolment of another client, by any call', async () => {
    const { enrolmentId, enrolmentUri } = await t.start(await t.account());
    const { confirmCode } = await t.phone().enrol(enrolmentUri);
    for (const id of [enrolmentId, NOBODY, '', "' or 1=1 --", 'a\u0000b']) {
      const as = id === enrolmentId ? 'rival' : 'shop';
      const answers = [await t.status(id, as), await confirm(id, confirmCode, as), await cancel(id, as)];
      for (const answer of answers) assertProblem(answer, 404, 'not_found');
      assert.equal(bodies(answers).size, 1);
    }
    assert.equal((await t.status(enrolmentId)).json['triesLeft'], 3, 'and no try was used up');
  });

  it('do no more than the scopes of the token say', async () => {
    const account = await t.account();
    const { enrolmentId } = await t.start(account);
    const calls: Array<[scope: string, call: (token: string) => Promise<Answer>]> = [
      [CREATE, (token) => t.call('POST', '/api/accounts', { email: 'scoped@example.com' }, { token })],
      [ENROL, (token) => t.call('POST', '/omi/qr/enrol', { account }, { token })],
      [STATUS, (token) => t.call('GET', `/omi/qr/enrol/status?enrolmentId=${enrolmentId}`, undefined, { token })],
      [STATUS, (token) => t.call('POST', '/omi/qr/enrol/status', { enrolmentId }, { token })],
      [ENROL, (token) => t.call('POST', '/omi/qr/enrol/confirm', { enrolmentId, code: '123456' }, { token })],
      [ENROL, (token) => t.call('POST', '/omi/qr/enrol/cancel', { enrolmentId }, { token })],
    ];
    for (const [scope, call] of calls) {
      const refused = await call(await t.token('shop', ALL.filter((each) => each !== scope)));
      assertProblem(refused, 403, 'insufficient_scope');
      assert.match(refused.headers.get('www-authenticate') ?? '', new RegExp(`error="insufficient_scope".*scope="${scope}"`));
      assertProblem(await call('nonsense'), 401, 'invalid_token');
    }
    assert.equal(await t.t.accounts!.findByEmail('scoped@example.com'), undefined);
  });

  it('end with the token that was revoked', async () => {
    const token = await t.token();
    const account = await t.account();
    assert.equal((await t.call('POST', '/omi/qr/enrol', { account }, { token })).status, 200);
    const revoked = await fetch(t.url('/token/revocation'), {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`shop:${'shop-secret-'.repeat(6)}`).toString('base64')}` },
      body: new URLSearchParams({ token }),
    });
    assert.equal(revoked.status, 200);
    assertProblem(await t.call('POST', '/omi/qr/enrol', { account }, { token }), 401, 'invalid_token');
  });

  it('lose an account with all that is under way when it is taken', async () => {
    const account = await t.account('shop', 'moved@example.com');
    const { enrolmentId, enrolmentUri } = await t.start(account);
    const phone = t.phone();
    const { confirmCode } = await phone.enrol(enrolmentUri);
    await t.t.admin!.accounts.takeFrom('shop', 'moved@example.com', actor);
    assertProblem(await confirm(enrolmentId, confirmCode), 404, 'not_found');
    assertProblem(await t.status(enrolmentId), 404, 'not_found');
    assertProblem(await enrol(account), 404, 'not_found');
    assert.equal((await phone.status()).state, 'revoked');
    const given = await t.t.admin!.accounts.giveTo('rival', 'moved@example.com', actor);
    assert.notEqual(given.subject, account);
    assert.ok(await t.start(given.subject, 'rival'));
    const { accounts } = await t.t.admin!.accounts.managedBy('rival');
    assert.ok(accounts.some(({ subject }) => subject === given.subject));
    const names = (await t.t.audit.list({ accountId: await accountIdOf(account), name: 'account.*' })).events.map(({ name }) => name);
    assert.deepEqual(names, ['account.given', 'account.taken', 'account.created']);
  });

  it('leave nothing under way when their client is deleted', async () => {
    const { clients, accounts } = t.t.admin!;
    await clients.create({ client_id: 'kiosk', grant_types: ['client_credentials'], response_types: [], redirect_uris: [], tandem_resources: { [`${t.issuer}/api`]: [ENROL] } }, actor);
    const begun = async (email: string) => {
      await t.account('shop', email);
      const { subject } = await accounts.giveTo('kiosk', email, actor);
      return t.start(subject, 'kiosk');
    };
    t.secrets.set('kiosk', (await clients.addSecret('kiosk', { endOthersIn: 0 }, actor)).value);
    const [waiting, shown] = [await begun('kiosk1@example.com'), await begun('kiosk2@example.com')];
    const phone = t.phone();
    await phone.enrol(waiting.enrolmentUri);
    await clients.remove('kiosk', actor);
    assert.equal((await phone.status()).state, 'revoked');
    await assert.rejects(t.phone().enrol(shown.enrolmentUri), { code: 'expired' });
  });

  it('enrol no phone of an account that has a factor, not even one that came meanwhile', async () => {
    const account = await t.account('shop', 'both@example.com');
    const rival = await t.t.admin!.accounts.giveTo('rival', 'both@example.com', actor);
    const slow = await t.start(account);
    // On the databases that let two begin at once, both stay under way; here the second ends the first.
    await t.enrolled(rival.subject, 'rival');
    await assert.rejects(t.phone().enrol(slow.enrolmentUri), { code: 'expired' });
    for (const [subject, as] of [[account, 'shop'], [rival.subject, 'rival']] as const) {
      assert.equal(assertProblem(await enrol(subject, as), 409, 'conflict')['account_url'], `${t.issuer}/account/devices/add`);
    }
  });

  it('enrol no phone of an account whose person has chosen a password since', async () => {
    const account = await t.account('shop', 'hers-now@example.com');
    t.clock.advance(1000);
    await t.t.accounts!.setPassword(await accountIdOf(account), 'four green boats at dusk');
    assert.equal(assertProblem(await enrol(account), 409, 'conflict')['account_url'], `${t.issuer}/account/devices/add`);
    // An administrator who gives an account with its password means it; until its person changes that.
    const { accountId, email, password } = await t.registerAccount({ email: 'given@example.com' });
    t.clock.advance(1000);
    const given = await t.t.admin!.accounts.giveTo('shop', email, actor);
    await t.start(given.subject);
    t.clock.advance(1000);
    await t.t.accounts!.changePassword(accountId, { current: password, next: 'five green boats at dawn' });
    assertProblem(await enrol(given.subject), 409, 'conflict');
  });

  it('make nobody an administrator’s phone', async () => {
    const account = await t.account('shop', 'boss@example.com');
    await assert.rejects(t.t.admin!.accounts.setAdmin('boss@example.com', true, actor), { code: 'conflict' });
    // However the role came to be.
    await t.knex('tandem_roles').insert({ account_id: await accountIdOf(account), role: 'admin', created_at: t.clock(), exempt: 0 });
    assertProblem(await enrol(account), 409, 'conflict');
  });

  it('use a ticket once, however many phones have it', async () => {
    const { enrolmentUri } = await t.start(await t.account());
    const enrolled = await Promise.allSettled(Array.from({ length: 100 }, () => t.phone().enrol(enrolmentUri)));
    assert.equal(enrolled.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const each of enrolled) if (each.status === 'rejected') assert.equal((each.reason as { code: string }).code, 'already_claimed');
    await assert.rejects(t.phone().enrol(enrolmentUri), { code: 'already_claimed' });
  });

  it('have three tries at a code, however many come at once', async () => {
    const { enrolmentId, enrolmentUri } = await t.start(await t.account());
    const phone = t.phone();
    const { confirmCode } = await phone.enrol(enrolmentUri);
    const guesses = Array.from({ length: 100 }, (_, index) => String((Number(confirmCode) + 1 + index) % 1_000_000).padStart(6, '0'));
    const answers = await Promise.all(guesses.map((code) => confirm(enrolmentId, code)));
    assert.equal(answers.filter(({ status }) => status === 422).length, 3);
    assert.ok(answers.every(({ status }) => status === 422 || status === 410), String(answers.map(({ status }) => status)));
    assertProblem(await confirm(enrolmentId, confirmCode), 410, 'expired');
    assert.equal((await phone.status()).state, 'revoked');
  });

  it('confirm once, and make one phone, however many begin and confirm at once', async () => {
    const account = await t.account();
    const started = (await Promise.all(Array.from({ length: 15 }, () => enrol(account)))).filter(({ status }) => status === 200);
    assert.ok(started.length > 0);
    const phones = await Promise.allSettled(started.map(async ({ json }) => ({ id: String(json['enrolmentId']), ...(await t.phone().enrol(String(json['enrolmentUri']))) })));
    const answers = await Promise.all(phones.flatMap((each) => (each.status === 'fulfilled' ? Array.from({ length: 7 }, () => confirm(each.value.id, each.value.confirmCode)) : [])));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1, String(answers.map(({ status }) => status)));
    assert.ok(answers.every(({ status }) => [200, 409, 410].includes(status)), JSON.stringify(answers.find(({ status }) => ![200, 409, 410].includes(status))?.json));
    assert.equal((await t.knex('tandem_devices').where({ account_id: await accountIdOf(account), state: 'active' })).length, 1);
  });

  it('show no code twenty times an hour for one account, and leave its page alone', async () => {
    const account = await t.account();
    for (let index = 0; index < 20; index += 1) await t.start(account);
    const refused = await enrol(account);
    assertProblem(refused, 429, 'rate_limited');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.ok(await t.start(await t.account()));
  });
});
