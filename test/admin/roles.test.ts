import assert from 'node:assert/strict';
import { signedInBrowser } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { addPhone, COMMAND_LINE, HOST, startWithAdmin, type AdminTandem } from './harness.ts';
import type { Actor } from '../../src/index.ts';

onEachDatabase('administrators', (database) => {
  let tandem: AdminTandem;
  before(async () => {
    tandem = await startWithAdmin(database);
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const accounts = () => tandem.admin.accounts;
  const events = async (name: string, accountId?: string) => (await tandem.t.audit.list({ name, accountId })).events;
  const mail = (() => {
    let made = 0;
    return () => `admin${(made += 1)}@example.com`;
  })();

  it('are made with a password that is told once, and are in the audit log with who made them', async () => {
    const email = mail();
    const { account, password } = await accounts().create({ email, name: 'Grace', admin: true }, COMMAND_LINE);
    assert.match(password ?? '', /^[a-z2-9]{5}(-[a-z2-9]{5}){3}$/);
    assert.equal((await tandem.t.accounts!.verifyPassword(email, password!)).id, account.id);
    assert.deepEqual([account.admin, account.password, account.phones, account.authenticators], [true, true, 0, 0]);
    assert.equal(await tandem.admin.isAdmin(account.id), true);
    const [created] = await events('account.created', account.id);
    const [granted] = await events('role.granted', account.id);
    assert.deepEqual(created?.data['actor'], { kind: 'command-line', id: 'ada' });
    assert.deepEqual(granted?.data, { role: 'admin', actor: { kind: 'command-line', id: 'ada' } });
    assert.ok(!JSON.stringify(await events('*')).includes(password!));
  });

  it('are nobody else', async () => {
    const { accountId } = await tandem.registerAccount();
    assert.equal(await tandem.admin.isAdmin(accountId), false);
    assert.equal((await accounts().get(accountId)).admin, false);
    assert.equal(await tandem.admin.isAdmin('nobody'), false);
  });

  it('are found by e-mail address and by id, and an account that is not there is not', async () => {
    const { email, accountId } = await tandem.registerAccount();
    assert.equal((await accounts().get(email.toUpperCase())).id, accountId);
    assert.equal((await accounts().setAdmin(email, true, HOST)).admin, true);
    assert.equal((await accounts().setAdmin(accountId, false, HOST)).admin, false);
    for (const nobody of ['nobody@example.com', 'nobody', '']) await assert.rejects(accounts().get(nobody), { code: 'not_found' });
    await assert.rejects(accounts().setAdmin('nobody', true, HOST), { code: 'not_found' });
  });

  it('say nothing twice: what is so already is no event', async () => {
    const { accountId } = await tandem.registerAccount();
    await accounts().setAdmin(accountId, true, HOST);
    await accounts().setAdmin(accountId, true, HOST);
    await accounts().setAdmin(accountId, false, HOST);
    await accounts().setAdmin(accountId, false, HOST);
    assert.deepEqual([(await events('role.granted', accountId)).length, (await events('role.revoked', accountId)).length], [1, 1]);
  });

  it('give and take the role, and reset an administrator, only with every authority', async () => {
    const client: Actor = { kind: 'client', id: 'backend', authority: new Set(['admin:roles:grant', 'admin:roles:revoke', 'admin:second-factors:reset', 'admin:accounts:create']) };
    const { accountId } = await tandem.registerAccount();
    await assert.rejects(accounts().setAdmin(accountId, true, client), { code: 'access_denied' });
    await assert.rejects(accounts().create({ email: mail(), admin: true }, client), { code: 'access_denied' });
    const { account } = await accounts().create({ email: mail(), admin: true }, HOST);
    await assert.rejects(accounts().setAdmin(account.id, false, client), { code: 'access_denied' });
    await assert.rejects(accounts().resetSecondFactor(account.id, {}, client), { code: 'access_denied' });
    assert.equal(await tandem.admin.isAdmin(account.id), true);
    const { account: plain } = await accounts().create({ email: mail() }, client);
    assert.equal((await accounts().resetSecondFactor(plain.id, {}, client)).phones, 0);
  });

  it('are listed and searched in pages', async () => {
    const names = [mail(), mail(), mail()];
    for (const email of names) await accounts().create({ email, name: `Zoë ${email}`, admin: true }, HOST);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await accounts().list({ search: 'ZO', admin: true }, { limit: 2, cursor });
      assert.ok(page.accounts.length <= 2);
      seen.push(...page.accounts.map(({ email }) => email));
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual([...seen].sort(), [...names].sort());
    assert.deepEqual((await accounts().list({ search: names[1] })).accounts.map(({ email }) => email), [names[1]]);
    assert.deepEqual((await accounts().list({ search: names[1], admin: false })).accounts, []);
    assert.deepEqual((await accounts().list({ search: '100%_!' })).accounts, []);
    for (const wrong of [{ limit: 0 }, { limit: 201 }, { cursor: 'x' }, { cursor: 'bnVsbA' }]) await assert.rejects(accounts().list({}, wrong), { code: 'invalid_request' });
  });

  it('revoke a phone as lost, which the audit log and its account are told', async () => {
    const person = await tandem.registerAccount();
    const phone = await addPhone(tandem, await signedInBrowser(tandem, person));
    const [device] = await accounts().devices(person.email);
    assert.equal((await accounts().get(person.accountId)).phones, 1);
    assert.equal((await accounts().revokeDevice(device!.id, 'lost', { ...HOST, address: '192.0.2.7' })).id, device!.id);
    assert.equal((await phone.status()).state, 'revoked');
    const [revoked] = await events('device.revoked', person.accountId);
    assert.deepEqual([revoked?.data['by'], revoked?.data['reason'], revoked?.data['actor'], revoked?.address], ['administrator', 'lost', { kind: 'host', id: 'test' }, '192.0.2.7']);
    const notice = await tandem.waitForNotice('device.revoked');
    assert.ok(!notice.text.includes('192.0.2'), 'the address of an administrator is not the account’s to know');
    await assert.rejects(accounts().revokeDevice(device!.id, 'lost', HOST), { code: 'not_found' });
    await assert.rejects(accounts().revokeDevice('nobody', 'retired', HOST), { code: 'not_found' });
  });

  it('reset a second factor in their own name', async () => {
    const person = await tandem.registerAccount();
    await addPhone(tandem, await signedInBrowser(tandem, person));
    assert.equal((await accounts().resetSecondFactor(person.email, {}, HOST)).phones, 1);
    const [reset] = await events('second_factor.reset', person.accountId);
    assert.deepEqual([reset?.data['by'], reset?.data['actor']], ['host: test', { kind: 'host', id: 'test' }]);
  });

  it('of the first run have a first phone that counts in full at once, and only that', async () => {
    const made = async (exempt: boolean) => {
      const { account, password } = await accounts().create({ email: mail(), admin: true, exempt }, COMMAND_LINE);
      return { accountId: account.id, email: account.email, password: password! };
    };
    const cap = async (accountId: string) => (await events('device.confirmed', accountId))[0]?.data['cappedUntil'];
    const [first, other] = [await made(true), await made(false)];
    await addPhone(tandem, await signedInBrowser(tandem, first));
    await addPhone(tandem, await signedInBrowser(tandem, other));
    assert.equal(await cap(first.accountId), undefined);
    assert.ok(Number(await cap(other.accountId)) > tandem.clock());
    // A phone that comes after it is as anybody's: the exemption is used.
    const [device] = await accounts().devices(first.accountId);
    await accounts().revokeDevice(device!.id, 'lost', HOST);
    await addPhone(tandem, await signedInBrowser(tandem, first));
    assert.ok(Number(await cap(first.accountId)) > tandem.clock());
  });

  it('of the first run who add a phone only after a doubtful loss wait for it as anybody does', async () => {
    const { account, password } = await accounts().create({ email: mail(), admin: true, exempt: true }, COMMAND_LINE);
    await tandem.knex('tandem_roles').where({ account_id: account.id }).update({ exempt: 0 });
    const person = { accountId: account.id, email: account.email, password: password! };
    await addPhone(tandem, await signedInBrowser(tandem, person));
    tandem.clock.advance(2 * 24 * 3_600_000);
    const browser = await signedInBrowser(tandem, person);
    const list = await browser.get(tandem.url('/account/devices'));
    await browser.submit(await browser.get(list.links.find((href) => href.endsWith('/remove'))!), 'This phone is lost');
    await tandem.knex('tandem_roles').where({ account_id: account.id }).update({ exempt: 1 });
    await addPhone(tandem, await signedInBrowser(tandem, person));
    const [confirmed] = await events('device.confirmed', account.id);
    assert.ok(Number(confirmed?.data['cappedUntil']) > tandem.clock() + 6 * 24 * 3_600_000);
  });
});

onEachDatabase('the last administrator', (database) => {
  let tandem: AdminTandem;
  beforeEach(async () => {
    tandem = await startWithAdmin(database);
  });
  afterEach(() => tandem.close());

  it('stays one, but for the command line', async () => {
    const { accountId } = await tandem.registerAccount();
    await tandem.admin.accounts.setAdmin(accountId, true, HOST);
    await assert.rejects(tandem.admin.accounts.setAdmin(accountId, false, HOST), { code: 'conflict' });
    assert.equal(await tandem.admin.isAdmin(accountId), true);
    await tandem.admin.accounts.setAdmin(accountId, false, COMMAND_LINE);
    assert.equal(await tandem.admin.isAdmin(accountId), false);
  });

  it('is left when all take the role from each other at once', async () => {
    const people = await Promise.all(Array.from({ length: 5 }, () => tandem.registerAccount()));
    for (const { accountId } of people) await tandem.admin.accounts.setAdmin(accountId, true, HOST);
    const outcomes = await Promise.allSettled(people.map(({ accountId }) => tandem.admin.accounts.setAdmin(accountId, false, HOST)));
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    assert.equal((await tandem.admin.accounts.list({ admin: true })).accounts.length, 1);
  });
});

