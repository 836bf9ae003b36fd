import assert from 'node:assert/strict';
import { accounts, qr, tandem as createTandem, totp } from '../../src/index.ts';
import { authorizationUrl, typePassword, type Person } from '../oidc/helpers.ts';
import { createDesktop, type Desktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { codeOf, wrongCodeOf } from '../support/otp.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { secretOn } from '../totp/app.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';

const NEXT = 'another fine sentence';

onEachDatabase('an account is told', (database) => {
  let tandem: TestTandem;
  before(async () => {
    tandem = await startTandem(database, { features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp()] });
  });
  after(() => tandem.close());
  const of = (accountId: string) => tandem.notices.filter((notice) => notice.accountId === accountId);
  const settled = () => tandem.t.sweep();

  async function signedIn(person: Person): Promise<Desktop> {
    const desktop = createDesktop(tandem);
    await desktop.signIn(person);
    return desktop;
  }

  async function withPhone(person: Person): Promise<Desktop> {
    const desktop = await signedIn(person);
    const { link, confirm } = await desktop.addPhone();
    await confirm((await createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, userVerifying: true }).enrol(link)).confirmCode);
    return desktop;
  }

  it('in the language in which it was made', async () => {
    const browser = createHttpBrowser({ headers: { 'accept-language': 'de-AT, en;q=0.5' } });
    const page = await browser.get(authorizationUrl(tandem, { client_id: 'house' }));
    const form = await browser.get(page.links.find((link) => link.includes('/account/register?uid='))!);
    await browser.submit(form, 'register-form', { email: 'lena@example.com', name: '', password: 'sieben blaue Laternen' });
    const change = await browser.get(tandem.url('/account/password'));
    await browser.submit(change, '/account/password', { current: 'sieben blaue Laternen', password: NEXT });
    const { locale, subject, email, text, data } = await tandem.waitForNotice('account.password_changed');
    assert.deepEqual([locale, subject, email], ['de', 'Ihr Passwort wurde geändert – Tandem', 'lena@example.com']);
    assert.ok(text.includes(`\n${tandem.issuer}/account\n`));
    assert.match(String(data['network']), /^(127\.0\.0\.1|0:0:0:0::\/64)$/);
  });

  it('by an operator’s choice, too; but of no language that is none', async () => {
    const register = (locale: string) => tandem.t.accounts!.register({ email: `${locale.slice(0, 3)}@example.com`, password: NEXT, locale });
    const { id } = await register('fr-CA');
    await tandem.t.accounts!.changePassword(id, { current: NEXT, next: 'encore une autre phrase' });
    await settled();
    await tandem.waitForNotice('account.password_changed', 2);
    assert.equal(of(id)[0]!.locale, 'fr');
    await assert.rejects(register('de\r\nBcc: x'), { code: 'invalid_request' });
  });

  it('of a new phone, and of its loss', async () => {
    const person = await tandem.registerAccount();
    const { browser } = await withPhone(person);
    const added = await tandem.waitForNotice('device.confirmed');
    assert.equal(added.data['phone'], 'Virtual phone');
    assert.match(added.text, /^Phone: Virtual phone$/m);
    const list = await browser.get(tandem.url('/account/devices'));
    const remove = await browser.get(list.links.find((link) => link.endsWith('/remove'))!);
    assert.match((await browser.submit(remove, 'This phone is lost')).text, /locked out/);
    assert.equal((await tandem.waitForNotice('device.revoked')).data['phone'], 'Virtual phone');
    assert.deepEqual([...new Set(of(person.accountId).map(({ kind }) => kind))].sort(), ['device.confirmed', 'device.revoked', 'recovery.codes_made']);
  });

  it('of a new app, of its codes, and of the use of one', async () => {
    const person = await tandem.registerAccount();
    const { browser } = await signedIn(person);
    const add = await browser.get(tandem.url('/account/authenticators/add'));
    const secret = secretOn(add);
    const shown = await browser.submit(add, '/authenticators/add', { code: codeOf(secret, tandem.clock), name: 'Aegis' });
    const [, code] = /<code>([\w-]{19})<\/code>/.exec(shown.body)!;
    const made = tandem.notices.filter(({ kind, accountId }) => kind === 'recovery.codes_made' && accountId !== person.accountId).length;
    await tandem.waitForNotice('recovery.codes_made', made + 1);
    await tandem.waitForNotice('totp.activated');
    assert.deepEqual(of(person.accountId).map(({ kind }) => kind).sort(), ['recovery.codes_made', 'totp.activated']);
    assert.match(of(person.accountId).find(({ kind }) => kind === 'totp.activated')!.text, /^Authenticator app: Aegis$/m);

    const elsewhere = createHttpBrowser();
    const half = await typePassword(elsewhere, await elsewhere.get(authorizationUrl(tandem, { client_id: 'house' })), person);
    const form = await elsewhere.get(half.links.find((href) => href.endsWith('/recovery'))!);
    assert.match((await elsewhere.submit(form, '/recovery', { code: code! })).text, /You are in/);
    const { data, subject } = await tandem.waitForNotice('recovery.used');
    assert.deepEqual([data['kept'], data['left']], [false, 0]);
    assert.match(subject, /recovery code/i);
    await settled();
    assert.equal(of(person.accountId).length, 3, 'what the recovery ended is told by its own notice');
  });

  it('of a guesser who has its password, before the codes are off', async () => {
    const person = await tandem.registerAccount();
    const { browser } = await signedIn(person);
    const add = await browser.get(tandem.url('/account/authenticators/add'));
    const secret = secretOn(add);
    await browser.submit(add, '/authenticators/add', { code: codeOf(secret, tandem.clock), name: 'Aegis' });
    const thief = createHttpBrowser();
    let page = await typePassword(thief, await thief.get(authorizationUrl(tandem, { client_id: 'house' })), person);
    for (let misses = 1; misses <= 11; misses += 1) {
      await settled();
      assert.equal(of(person.accountId).some(({ kind }) => kind === 'totp.guessed'), misses > 10, `after ${misses - 1}`);
      page = await thief.submit(page, '/totp', { code: wrongCodeOf(secret, tandem.clock) });
      assert.equal(page.status, 422);
      if (misses >= 5 && misses <= 10) tandem.clock.advance(30_000 * 2 ** (misses - 5));
    }
    await settled();
    const told = of(person.accountId).filter(({ kind }) => kind === 'totp.guessed');
    assert.equal(told.length, 1);
    assert.match(told[0]!.text, /10 wrong codes[\s\S]+somebody knows your password/);
  });

  it('once of a reset, however much goes with it', async () => {
    const person = await tandem.registerAccount();
    await withPhone(person);
    await tandem.waitForNotice('device.confirmed', 2);
    await tandem.t.secondFactor.reset({ email: person.email, by: 'help desk: grace' });
    const { data, text } = await tandem.waitForNotice('second_factor.reset');
    assert.deepEqual(data, { authenticators: 0, phones: 1 });
    assert.ok(!text.includes('grace'));
    await settled();
    assert.equal(of(person.accountId).filter(({ kind }) => kind === 'device.revoked').length, 0);
  });

  it('of nothing where nothing was done', async () => {
    const person = await tandem.registerAccount();
    await assert.rejects(tandem.t.accounts!.changePassword(person.accountId, { current: 'wrong password', next: NEXT }), { code: 'invalid_credentials' });
    await settled();
    assert.deepEqual(of(person.accountId), []);
  });

  it('nowhere but where the operator said', () => {
    const base = { db: tandem.knex, issuer: tandem.issuer, secrets: { encryption: ['A'.repeat(43)] } };
    assert.throws(() => createTandem({ ...base, notices: { smtp: 'smtp://localhost', from: 'nobody' } }), { name: 'TypeError', message: /notices\.from/ });
  });
});
