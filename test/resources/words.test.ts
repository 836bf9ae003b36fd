import assert from 'node:assert/strict';
import { accounts, admin, qr } from '../../src/index.ts';
import { createDesktop, enrolPhone } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type Page } from '../support/http-browser.ts';
import { API, TEST_CLIENTS } from '../support/tandem.ts';
import { authorizationUrl, typePassword, type Person } from '../oidc/helpers.ts';
import { HOST, ORDERS, startRegistry, type RegistryTandem } from './harness.ts';

const READ = { en: 'Read your orders', de: 'Ihre Bestellungen lesen', 'fr-CA': 'Lire vos commandes' };
const CLIENT = { ...TEST_CLIENTS.rp, tandem_resources: { [ORDERS]: ['read', 'odd'], [API]: ['read'] } };

onEachDatabase('what people read of a scope', (database) => {
  let tandem: RegistryTandem;
  let person: Person;
  before(async () => {
    tandem = await startRegistry(database, {
      features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), admin()],
      clients: [CLIENT, TEST_CLIENTS.house],
    });
    const scopes = [
      { name: 'read', description: READ, level: 1 as const },
      { name: 'odd', description: { en: 'Keep <b>all</b> & "more"' }, level: 1 as const },
    ];
    await tandem.resources.create({ identifier: ORDERS, scopes }, HOST);
    person = await tandem.registerAccount();
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  /** The consent page of somebody who has not been there. */
  async function consentPage(parameters: Record<string, string>, more: readonly string[] = []): Promise<Page> {
    const stranger = await tandem.registerAccount();
    const browser = createHttpBrowser();
    const url = new URL(authorizationUrl(tandem, { scope: 'openid read', ...parameters }));
    for (const resource of more) url.searchParams.append('resource', resource);
    return typePassword(browser, await browser.get(url.href), stranger);
  }

  it('is in the language of the consent page, or English', async () => {
    for (const [language, words] of [['en', READ.en], ['de', READ.de], ['fr', READ['fr-CA']], ['nl', READ.en]] as const) {
      const page = await consentPage({ resource: ORDERS, ui_locales: language });
      assert.ok(page.text.includes(words), `${language}: ${page.text}`);
      for (const other of Object.values(READ)) assert.equal(page.text.includes(other), other === words, language);
    }
  });

  it('is of the resource servers that are asked for, each of them', async () => {
    const one = await consentPage({ resource: API });
    assert.deepEqual([one.text.includes('read your notes'), one.text.includes(READ.en)], [true, false]);
    const other = await consentPage({ resource: ORDERS });
    assert.deepEqual([other.text.includes('read your notes'), other.text.includes(READ.en)], [false, true]);
    const both = await consentPage({}, [API, ORDERS]);
    assert.deepEqual([both.text.includes('read your notes'), both.text.includes(READ.en)], [true, true]);
  });

  it('is text, whatever is in it', async () => {
    const page = await consentPage({ resource: ORDERS, scope: 'openid odd' });
    assert.match(page.body, /Keep &lt;b&gt;all&lt;\/b&gt; &amp; (&quot;|&#34;)more(&quot;|&#34;)/);
  });

  it('is what it was last changed to', async () => {
    await tandem.resources.putScope(ORDERS, { name: 'odd', description: { en: 'Keep your orders' }, level: 1 }, HOST);
    assert.match((await consentPage({ resource: ORDERS, scope: 'openid odd' })).text, /Keep your orders/);
  });

  it('is on the card of the phone, too', async () => {
    const desktop = createDesktop(tandem);
    await desktop.signIn(person);
    const phone = await enrolPhone(tandem, desktop, { userVerifying: false });
    const stranger = createDesktop(tandem);
    const waiting = await stranger.wait({ scope: 'openid read', resource: ORDERS, ui_locales: 'de' });
    const { request } = await phone.claim(await waiting.frame());
    assert.deepEqual(request.scopes.find(({ scope }) => scope === 'read'), { scope: 'read', description: READ.de });
  });
});
