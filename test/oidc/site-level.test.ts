import assert from 'node:assert/strict';
import { newEncryptionKey, tandem as withOptions } from '../../src/index.ts';
import { createDesktop, enrolPhone } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { API, CALLBACK, TEST_CLIENTS } from '../support/tandem.ts';
import { FEATURES, startWithTotp, typeCode, type TotpTandem } from '../totp/app.ts';
import { answerOf, authorizationUrl, typePassword, type Person } from './helpers.ts';

onEachDatabase('level 2 of the whole site', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  before(async () => {
    tandem = await startWithTotp(database, { tandem: { level: 2 } });
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  it('is asked of everybody, at every client and on the account pages', async () => {
    const app = await tandem.addApp(person.accountId);
    for (const target of [authorizationUrl(tandem, { client_id: 'house' }), tandem.url('/account')]) {
      const browser = createHttpBrowser({ now: tandem.clock });
      const back = await typeCode(browser, await typePassword(browser, await browser.get(target), person), app.code());
      assert.ok(back.url.startsWith(CALLBACK) || new URL(back.url).pathname === '/account', back.url);
    }
  });

  it('is an error to a silent request', async () => {
    const browser = createHttpBrowser({ now: tandem.clock });
    await typePassword(browser, await browser.get(authorizationUrl(tandem, { client_id: 'house' })), person);
    const silent = answerOf(await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none' })));
    assert.equal(silent.get('error'), 'interaction_required');
  });

  it('lets who has no second factor add one', async () => {
    const browser = createHttpBrowser({ now: tandem.clock });
    const page = await typePassword(browser, await browser.get(tandem.url('/account')), person);
    assert.ok(page.links.some((link) => link.endsWith('/authenticator')), page.text);
  });
});

onEachDatabase('level 2 of a site where phones are the only second factor', (database) => {
  it('lets an account come to its first phone by password, and from then on asks for the phone', async () => {
    const tandem = await startWithTotp(database, { features: FEATURES.filter(({ name }) => name !== 'totp'), tandem: { level: 2 } });
    const person = await tandem.registerAccount();
    const desktop = createDesktop(tandem);
    const signIn = async () => typePassword(desktop.browser, await desktop.browser.get(tandem.url('/account')), person);
    assert.equal(new URL((await signIn()).url).pathname, '/account');
    await enrolPhone(tandem, desktop, { userVerifying: true });
    const page = await desktop.browser.get(tandem.url('/account'));
    assert.match(page.title, /second factor/);
    assert.match(page.body, /data-qr/);
    await tandem.close();
  });
});

onEachDatabase('what may be said of levels', (database) => {
  it('is refused where it makes no sense', async () => {
    const base = { db: await database.open(), issuer: 'https://id.example.com', secrets: { encryption: [newEncryptionKey()] } };
    assert.throws(() => withOptions({ ...base, level: 3 as 2 }), /level must be 1 or 2/);
    const read = (scope: unknown) => () => withOptions({ ...base, resources: { [API]: { scopes: { read: scope as string } } } });
    assert.throws(read({ description: 'read', level: 3 }), /scopes\["read"\]\.level must be 1 or 2/);
    assert.throws(read({ level: 2 }), /scopes\["read"\]\.description must be a string/);
    assert.throws(read({ description: 'read', lvl: 2 }), /there is no .*scopes\["read"\]\.lvl/);
    assert.throws(read(2), /must be words/);
  });

  it('is refused of a client’s metadata', async () => {
    const started = await startWithTotp(database, { clients: [{ ...TEST_CLIENTS.house, tandem_level: 3 }] });
    await assert.rejects(started.provider.Client.find('house'), { error: 'invalid_client_metadata' });
    await started.close();
  });
});
