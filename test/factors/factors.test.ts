import assert from 'node:assert/strict';
import { typePassword, type Person } from '../oidc/helpers.ts';
import { createDesktop, type Desktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { elements } from '../support/html.ts';
import { codeOf } from '../support/otp.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { startWithTotp, typeCode, type TotpTandem } from '../totp/app.ts';

const DAY = 24 * 3_600_000;
const PHONES = '/account/devices';
const APPS = '/account/authenticators';
const CODES = '/account/recovery-codes';

onEachDatabase('what adding or removing a factor needs', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  let desktop: Desktop;
  let browser: HttpBrowser;
  before(async () => {
    tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
    desktop = createDesktop(tandem);
    browser = desktop.browser;
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const at = (path: string, by = browser) => by.get(tandem.url(path));
  const secretOn = (page: Page) => /data-key>([A-Z2-7 ]+)</.exec(page.body)?.[1]?.replaceAll(' ', '');
  const addsApps = (page: Page) => secretOn(page) !== undefined;
  const addsPhones = (page: Page) => page.forms.some(({ action }) => action.endsWith('/devices/add'));
  const asksForProof = (page: Page) => /Confirm with (a phone|your second factor|a recovery code)/.test(page.text);
  const phonesOf = () => tandem.knex('tandem_devices').where({ account_id: person.accountId, state: 'active' });
  const appsOf = () => tandem.knex('tandem_authenticators').where({ account_id: person.accountId, expires_at: null });
  const codeNow = (secret: string) => {
    tandem.clock.advance(30_000);
    return codeOf(secret, tandem.clock);
  };

  async function addPhone(userVerifying = false): Promise<VirtualPhone> {
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, userVerifying });
    const { link, confirm } = await desktop.addPhone();
    await confirm((await phone.enrol(link)).confirmCode);
    return phone;
  }

  /** A computer on which only the password was typed. */
  async function byPassword(): Promise<Desktop> {
    const other = createDesktop(tandem);
    await other.signIn(person);
    return other;
  }

  async function byPhone(phone: VirtualPhone, parameters: Record<string, string> = {}): Promise<Desktop> {
    const other = createDesktop(tandem);
    const waiting = await other.wait({ client_id: 'house', scope: 'openid', ...parameters });
    const decided = await phone.approve(await waiting.frame());
    if (decided.confirmCode !== undefined) await waiting.confirm(decided.confirmCode);
    await waiting.redeem();
    return other;
  }

  async function addApp(by: HttpBrowser): Promise<{ page: Page; secret: string }> {
    const page = await at(`${APPS}/add`, by);
    const secret = secretOn(page);
    assert.ok(secret, `no seed: ${page.status} ${page.text.slice(0, 300)}`);
    return { page: await by.submit(page, '/authenticators/add', { code: codeNow(secret) }), secret };
  }

  async function reportLost(by: HttpBrowser) {
    const list = await at(PHONES, by);
    const page = await by.get(list.links.find((link) => link.endsWith('/remove'))!);
    await by.submit(page, 'This phone is lost');
  }

  it('is a password while there is no factor', async () => {
    await desktop.signIn(person);
    assert.ok(addsPhones(await at(`${PHONES}/add`)));
    assert.ok(addsApps(await at(`${APPS}/add`)));
  });

  it('is the presence of the phone once there is one, also for an authenticator', async () => {
    await desktop.signIn(person);
    const phone = await addPhone();
    const { browser: weak } = await byPassword();
    for (const path of [`${APPS}/add`, `${PHONES}/add`, `${CODES}/new`]) {
      const page = await at(path, weak);
      assert.ok(asksForProof(page) && !addsApps(page) && !addsPhones(page), path);
    }
    const asked = await weak.get(tandem.url(`${APPS}/add?proof=ask`), { follow: false });
    assert.equal(new URL(asked.headers.location ?? '').searchParams.get('acr_values'), 'urn:tandem:acr:1:qr urn:tandem:acr:2');

    const { browser: strong } = await byPhone(phone);
    assert.ok(addsPhones(await at(`${PHONES}/add`, strong)));
    await addApp(strong);
    assert.equal((await appsOf()).length, 1);
  });

  it('is level 2 once a phone of the account can prove that', async () => {
    await desktop.signIn(person);
    const presence = await addPhone();
    await tandem.knex('tandem_devices').where({ account_id: person.accountId }).update({ capped_until: null });
    const { browser: before } = await byPhone(presence);
    desktop = await byPhone(presence);
    const verifying = await addPhone(true);
    assert.ok(addsApps(await at(`${APPS}/add`, before)), 'a capped phone proves no more than the others');
    await tandem.knex('tandem_devices').where({ account_id: person.accountId }).update({ capped_until: null });

    const { browser: weak } = await byPhone(presence);
    assert.ok(asksForProof(await at(`${APPS}/add`, weak)));
    assert.ok(asksForProof(await at(`${PHONES}/add`, weak)));
    const { browser: strong } = await byPhone(verifying, { acr_values: 'urn:tandem:acr:2' });
    assert.ok(addsApps(await at(`${APPS}/add`, strong)));
    assert.ok(addsPhones(await at(`${PHONES}/add`, strong)));
  });

  it('is level 2 with an authenticator, for phones as well', async () => {
    await desktop.signIn(person);
    const phone = await addPhone();
    const signedIn = await byPhone(phone);
    await addApp(signedIn.browser);

    const { browser: weak } = await byPhone(phone);
    for (const path of [`${APPS}/add`, `${PHONES}/add`, `${CODES}/new`]) assert.ok(asksForProof(await at(path, weak)), path);
    const list = await at(APPS, weak);
    const remove = list.links.find((link) => link.endsWith('/remove'))!;
    assert.ok(asksForProof(await weak.get(remove)));
    const csrf = list.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
    await weak.post(remove, { csrf });
    assert.equal((await appsOf()).length, 1);
    const [device] = (await phonesOf()) as Array<{ id: string }>;
    await weak.post(tandem.url(`${PHONES}/${device!.id}/remove`), { csrf, reason: 'retired' });
    assert.equal((await phonesOf()).length, 1, 'a phone may not put itself away by its presence alone');

    assert.ok(addsPhones(await at(`${PHONES}/add`, signedIn.browser)), 'the code that was just typed has raised the sign-in');
  });

  it('leads through a code, and back', async () => {
    const app = await tandem.addApp(person.accountId);
    await typeCode(browser, await typePassword(browser, await at(APPS), person), app.code());
    tandem.clock.advance(10 * 60_000);
    const asked = await at(`${PHONES}/add`);
    const back = await typeCode(browser, await typePassword(browser, asked, person), app.code());
    assert.equal(back.url, tandem.url(`${PHONES}/add`));
    assert.ok(addsPhones(back));
  });

  it('caps the first phone of a password, and not the first one of a code', async () => {
    await desktop.signIn(person);
    await addPhone();
    assert.ok((await phonesOf())[0].capped_until > tandem.clock());

    person = await tandem.registerAccount();
    desktop = createDesktop(tandem);
    const app = await tandem.addApp(person.accountId);
    await typeCode(desktop.browser, await typePassword(desktop.browser, await at(APPS, desktop.browser), person), app.code());
    await addPhone(true);
    assert.equal((await phonesOf())[0].capped_until, null);
  });

  it('is counted for the phone that was first, once a code has followed the password', async () => {
    await desktop.signIn(person);
    const phone = await addPhone(true);
    const { secret } = await addApp((await byPhone(phone)).browser);
    assert.ok((await phonesOf())[0].capped_until > tandem.clock(), 'the first code of an app says nothing that its seed did not');
    const other = createHttpBrowser({ now: tandem.clock });
    await typeCode(other, await typePassword(other, await at(APPS, other), person), codeNow(secret));
    assert.equal((await phonesOf())[0].capped_until, null);
  });

  it('is no less because a phone has put itself away by its presence alone', async () => {
    await desktop.signIn(person);
    const phone = await addPhone(true);
    await tandem.knex('tandem_devices').where({ account_id: person.accountId }).update({ capped_until: null });
    const codes = await tandem.knex('tandem_recovery_codes').where({ account_id: person.accountId });
    // Whoever has the phone, unlocked, but not the PIN of its key.
    const { browser: finder } = await byPhone(phone);
    await phone.retire();
    assert.equal((await phonesOf()).length, 0);

    for (const by of [finder, (await byPassword()).browser]) {
      for (const path of [`${APPS}/add`, `${CODES}/new`]) assert.ok(asksForProof(await at(path, by)), path);
    }
    assert.equal((await tandem.knex('tandem_recovery_codes').where({ account_id: person.accountId })).length, codes.length, 'the owner keeps the codes');
    desktop = await byPassword();
    await addPhone(true);
    assert.ok((await phonesOf())[0].capped_until > tandem.clock() + 6 * DAY);
  });

  it('is asked again when the code is typed, whatever was shown before', async () => {
    await desktop.signIn(person);
    const { browser: early } = await byPassword();
    const page = await at(`${APPS}/add`, early);
    await addPhone();
    const late = await early.submit(page, '/authenticators/add', { code: codeNow(secretOn(page)!) });
    assert.ok(asksForProof(late), late.text);
    assert.equal((await appsOf()).length, 0);
  });

  describe('of a thief who has the password', () => {
    let thief: HttpBrowser;
    let phone: VirtualPhone;
    beforeEach(async () => {
      await desktop.signIn(person);
      phone = await addPhone();
      ({ browser: thief } = await byPassword());
      await reportLost(thief);
      assert.equal((await phonesOf()).length, 0);
    });

    it('is level 2 for an app and for codes, for a week after the phone was reported lost', async () => {
      for (const path of [`${APPS}/add`, `${CODES}/new`]) assert.match((await at(path, thief)).text, /reported lost/, path);
      const reported = (days: number) => tandem.knex('tandem_devices').where({ account_id: person.accountId }).update({ revoked_at: tandem.clock() - days * DAY });
      await reported(6.9);
      assert.match((await at(`${APPS}/add`, thief)).text, /reported lost/);
      await reported(7.1);
      assert.ok(addsApps(await at(`${APPS}/add`, thief)));
    });

    it('is not reached by way of another phone', async () => {
      desktop = await byPassword();
      const own = await addPhone(true);
      assert.ok((await phonesOf())[0].capped_until > tandem.clock() + 6 * DAY);
      const { browser: raised } = await byPhone(own);
      assert.match((await at(`${APPS}/add`, raised)).text, /reported lost/);
      assert.match((await at(`${CODES}/new`, raised)).text, /reported lost/);
      assert.equal((await appsOf()).length, 0);
    });

    it('is not reached by a page that was opened before', async () => {
      [person, desktop] = [await tandem.registerAccount(), createDesktop(tandem)];
      await desktop.signIn(person);
      const early = await at(`${APPS}/add`, desktop.browser);
      await addPhone();
      await reportLost(desktop.browser);
      const posted = await desktop.browser.submit(early, '/authenticators/add', { code: codeNow(secretOn(early)!) });
      assert.match(posted.text, /reported lost/);
      assert.equal((await appsOf()).length, 0);
    });

    it('leaves the owner a way: a recovery code', async () => {
      assert.ok(phone);
      const page = await thief.get(tandem.url(`${APPS}/add?proof=ask`));
      assert.ok(page.links.some((link) => link.endsWith('/recovery')) || elements(page.body, 'a').length > 0, page.text);
      assert.match(page.text, /recovery code/i);
    });
  });
});
