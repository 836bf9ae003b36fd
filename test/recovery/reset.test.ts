import assert from 'node:assert/strict';
import { answerOf, authorizationUrl, signedInBrowser, typePassword, type Person } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import { asksForCode, FEATURES, startWithTotp, typeCode, type TotpTandem } from '../totp/app.ts';
import { startTandem } from '../support/tandem.ts';

onEachDatabase('an administrator’s reset of a second factor', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  before(async () => {
    tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const url = () => authorizationUrl(tandem, { client_id: 'house' });
  const events = async (name: string) => (await tandem.t.audit.list({ name: name as never, accountId: person.accountId })).events;
  const addPhone = async (browser: ReturnType<typeof createHttpBrowser>) => {
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, userVerifying: true });
    const shown = await browser.submit(await browser.get(tandem.url('/account/devices/add')), '/account/devices/add');
    const { confirmCode } = await phone.enrol(/data-link="([^"]+)"/.exec(shown.body)![1]!);
    await browser.submit(shown, '/confirm', { code: confirmCode });
    return phone;
  };

  it('takes phones, authenticators and codes, ends the sessions, and says who did it', async () => {
    const browser = await signedInBrowser(tandem, person);
    const phone = await addPhone(browser);
    await tandem.addApp(person.accountId);
    const done = await tandem.t.secondFactor.reset({ email: person.email.toUpperCase(), by: 'help desk: grace' });
    assert.deepEqual(done, { accountId: person.accountId, authenticators: 1, phones: 1, codes: 10 });
    await tandem.t.sweep();
    assert.equal(answerOf(await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none' }))).get('error'), 'login_required');
    assert.equal((await phone.status()).state, 'revoked');
    assert.ok(answerOf(await typePassword(browser, await browser.get(url()), person)).get('code'), 'the password is enough');
    assert.deepEqual((await events('second_factor.reset')).map(({ data }) => data), [{ by: 'help desk: grace', authenticators: 1, phones: 1 }]);
    assert.deepEqual((await events('device.revoked')).map(({ data }) => data['by']), ['reset']);
    assert.deepEqual((await events('totp.removed')).map(({ data }) => data['reason']), ['reset']);
    assert.equal((await events('recovery.codes_voided')).length, 1);
  });

  it('keeps the phones where it is told to', async () => {
    const phone = await addPhone(await signedInBrowser(tandem, person));
    await tandem.addApp(person.accountId);
    const done = await tandem.t.secondFactor.reset({ accountId: person.accountId, keepPhones: true, by: 'test' });
    assert.deepEqual([done.authenticators, done.phones], [1, 0]);
    assert.equal((await phone.status()).state, 'active');
  });

  it('lets codes be taken again where too many misses had switched them off', async () => {
    const app = await tandem.addApp(person.accountId);
    assert.equal(await tandem.knex('tandem_totp_accounts').where({ account_id: person.accountId }).update({ misses: 100 }), 1);
    const off = createHttpBrowser();
    assert.ok(!asksForCode(await typePassword(off, await off.get(url()), person)), 'codes are off');
    await tandem.t.secondFactor.reset({ accountId: person.accountId, by: 'test' });
    const next = await tandem.addApp(person.accountId);
    const browser = createHttpBrowser();
    const half = await typePassword(browser, await browser.get(url()), person);
    assert.ok(asksForCode(half));
    assert.ok(answerOf(await typeCode(browser, half, next.code())).get('code'));
    assert.notEqual(next.secret, app.secret);
  });

  it('lets the next phone count after a day, whatever was reported lost before', async () => {
    await addPhone(await signedInBrowser(tandem, person));
    tandem.clock.advance(2 * 24 * 3_600_000);
    const browser = await signedInBrowser(tandem, person);
    const list = await browser.get(tandem.url('/account/devices'));
    await browser.submit(await browser.get(list.links.find((href) => href.endsWith('/remove'))!), 'This phone is lost');
    await tandem.t.secondFactor.reset({ accountId: person.accountId, by: 'test' });
    await addPhone(await signedInBrowser(tandem, person));
    const [confirmed] = await events('device.confirmed');
    assert.equal(confirmed?.data['afterUnprovenLoss'], false);
    assert.ok(Number(confirmed?.data['cappedUntil']) < tandem.clock() + 25 * 3_600_000);
  });

  it('does nothing, and tells nobody, where there is nothing', async () => {
    const browser = await signedInBrowser(tandem, person);
    const done = await tandem.t.secondFactor.reset({ email: person.email, by: 'test' });
    assert.deepEqual(done, { accountId: person.accountId, authenticators: 0, phones: 0, codes: 0 });
    await tandem.t.sweep();
    assert.ok(answerOf(await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none' }))).get('code'));
    assert.deepEqual(await events('second_factor.reset'), []);
  });

  it('knows no account that there is not', async () => {
    await assert.rejects(tandem.t.secondFactor.reset({ email: 'nobody@example.com', by: 'test' }), { code: 'not_found' });
    await assert.rejects(tandem.t.secondFactor.reset({ email: 'no address', by: 'test' }), { code: 'not_found' });
    await assert.rejects(tandem.t.secondFactor.reset({ accountId: 'nobody', by: 'test' }), { code: 'not_found' });
  });

  it('is a mistake where accounts have no second factor at all', async () => {
    const plain = await startTandem(database, { features: FEATURES.filter(({ name }) => name === 'accounts') });
    try {
      const { email } = await plain.registerAccount();
      await assert.rejects(plain.t.secondFactor.reset({ email, by: 'test' }), /without qr\(\) and totp\(\)/);
    } finally {
      await plain.close();
    }
  });
});
