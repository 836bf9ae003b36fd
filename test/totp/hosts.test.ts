import assert from 'node:assert/strict';
import { startForeign } from '../plugin/foreign-provider.ts';
import { accounts, newEncryptionKey, qr, tandem, totp, type Feature } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { secretOn } from './app.ts';
import { codeOf } from '../support/otp.ts';

const find = async (accountId: string) => (accountId === 'user-1' ? { accountId, label: `${accountId}@host`, name: 'Grace Hopper' } : undefined);

onEachDatabase('authenticators at a host with accounts of its own', (database) => {
  const signIn = async (browser: HttpBrowser, page: Page) => browser.get(page.links.find((link) => link.includes('/login'))!);

  it('are all that there is of the account here, where nothing else is on', async () => {
    const host = await startForeign(database, { options: { features: [totp({ accounts: { find } })] } });
    const browser = createHttpBrowser({ now: host.clock });
    const account = await browser.get(host.url('/account'), { follow: false });
    assert.deepEqual([account.status, account.headers.location], [303, host.url('/account/authenticators')]);

    const add = await signIn(browser, await browser.get(host.url('/account/authenticators/add')));
    const secret = secretOn(add);
    const uri = decodeURIComponent(add.links.find((link) => link.startsWith('otpauth:'))!);
    assert.match(uri, /user-1@host/);
    await browser.submit(add, '/authenticators/add', { code: codeOf(secret, host.clock) });
    const list = await browser.get(host.url('/account/authenticators'));
    assert.match(list.text, /Recovery codes You have 10 codes left/);
    assert.ok(list.links.includes(host.url('/account/recovery-codes')));

    const other = createHttpBrowser({ now: host.clock });
    const asked = await signIn(other, await other.get(host.url('/account/authenticators')));
    host.clock.advance(30_000);
    const page = await other.submit(asked, '/totp', { code: codeOf(secret, host.clock) });
    assert.equal(page.url, host.url('/account/authenticators'));
    await host.close();
  });

  it('stand beside its phones, in whatever order they are switched on', async () => {
    const features = [totp({ accounts: { find } }), qr({ accounts: { find } })];
    for (const order of [features, [...features].reverse()]) {
      const host = await startForeign(database, { options: { features: order } });
      const browser = createHttpBrowser({ now: host.clock });
      const phones = await signIn(browser, await browser.get(host.url('/account')));
      assert.equal(phones.url, host.url('/account/devices'));
      assert.ok(phones.links.includes(host.url('/account/authenticators')));
      const apps = await browser.get(host.url('/account/authenticators'));
      assert.ok(apps.links.includes(host.url('/account/devices')));
      assert.ok(!apps.links.includes(host.url('/account')));
      await host.close();
    }
  });

  it('take with them what they have signed in, once they are taken away', async () => {
    const host = await startForeign(database, { options: { features: [totp({ accounts: { find } })] } });
    const [adding, signing] = [createHttpBrowser({ now: host.clock }), createHttpBrowser({ now: host.clock })];
    const add = await signIn(adding, await adding.get(host.url('/account/authenticators/add')));
    const secret = secretOn(add);
    await adding.submit(add, '/authenticators/add', { code: codeOf(secret, host.clock) });
    const asked = await signIn(signing, await signing.get(host.url('/account/authenticators')));
    host.clock.advance(30_000);
    await signing.submit(asked, '/totp', { code: codeOf(secret, host.clock) });
    for (const browser of [adding, signing]) assert.equal((await browser.get(host.url('/account/authenticators'))).status, 200);

    await host.t.secondFactor.reset({ accountId: 'user-1', by: 'help desk' });
    await host.t.sweep();
    for (const browser of [adding, signing]) assert.equal((await browser.get(host.url('/account/authenticators'), { follow: false })).status, 303);
    await host.close();
  });

  it('need to know the accounts', async () => {
    const knex = await database.open();
    const make = (features: Feature[]) => tandem({ db: knex, issuer: 'https://id.example.com', secrets: { encryption: [newEncryptionKey()] }, features });
    assert.throws(() => make([totp()]), /totp\(\) needs to know the accounts: add accounts\(\), or give totp\(\{ accounts \}\)/);
    for (const order of [[totp(), accounts()], [accounts(), totp()]]) assert.ok(make(order));
  });
});
