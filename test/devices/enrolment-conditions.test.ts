import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { enrolling, MINUTE } from './enrolling.ts';
import { linkOf, type DevicesHarness } from './harness.ts';

onEachDatabase('enrolling a phone', (database) => {
  let t: DevicesHarness;
  const { someone } = enrolling(database, (given) => {
    t = given;
  });

  it('wants a sign-in no older than five minutes', async () => {
    const account = someone();
    const stale = t.browser(account, { age: 301 });
    const page = await stale.get(`${t.issuer}/account/devices/add`, { follow: false });
    assert.equal(page.status, 303);
    assert.match(page.headers.location ?? '', /\/sign-in/);

    const browser = t.browser(account, { age: 290 });
    const open = await browser.get(`${t.issuer}/account/devices/add`);
    t.advance(20_000);
    const refused = await browser.submit(open, 'Show the code', {}, { follow: false });
    assert.equal(refused.status, 303);
    assert.equal(refused.headers.location, `${t.issuer}/account/devices/add`);
    const anonymous = await t.browser('').get(`${t.issuer}/account/devices/add`, { follow: false });
    assert.equal(anonymous.status, 303);
  });

  it('wants what the phones of the account can prove before another is added', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account) });
    const add = async (acr: string) => await t.browser(account, { acr }).get(`${t.issuer}/account/devices/add?proof=ask`, { follow: false });
    assert.match((await add('urn:tandem:acr:1')).headers.location ?? '', /acr=urn:tandem:acr:1:qr/);
    for (const acr of ['urn:tandem:acr:1:qr', 'urn:tandem:acr:2', 'urn:tandem:acr:2:qr']) assert.equal((await add(acr)).status, 200);

    // A page opened before the first phone came does not help.
    const other = someone();
    const early = t.browser(other);
    const open = await early.get(`${t.issuer}/account/devices/add`);
    await t.enrolled({ by: t.browser(other), userVerifying: true });
    assert.equal((await early.submit(open, 'Show the code', {}, { follow: false })).status, 303);

    t.advance(24 * 60 * MINUTE + 1);
    const weak = await t.browser(other, { acr: 'urn:tandem:acr:1:qr' }).get(`${t.issuer}/account/devices/add?proof=ask`, { follow: false });
    assert.equal(weak.headers.location, `${t.issuer}/sign-in?acr=urn:tandem:acr:2`);
    const asked = await t.browser(other).get(`${t.issuer}/account/devices/add`);
    assert.match(asked.text, /Confirm with a phone that you have/);
    assert.equal((await t.browser(other, { acr: 'urn:tandem:acr:2:qr' }).get(`${t.issuer}/account/devices/add`)).status, 200);
  });

  it('takes one phone on the word of a password, however many are enrolled and confirmed at once', async () => {
    const account = someone();
    const pages = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const browser = t.browser(account);
        const add = await browser.get(`${t.issuer}/account/devices/add`);
        return { browser, add };
      }),
    );
    const shown = await Promise.all(pages.map(async ({ browser, add }) => ({ browser, page: await browser.submit(add, 'Show the code') })));
    const enrolled = await Promise.allSettled(shown.map(async ({ page }) => (await t.phone().enrol(linkOf(page))).confirmCode));
    await Promise.all(
      enrolled.map(async (each, index) => {
        if (each.status === 'rejected') return;
        const { browser, page } = shown[index]!;
        const answer = await browser.submit(page, 'Connect this phone', { code: each.value });
        assert.ok(answer.status < 500, answer.text);
      }),
    );
    assert.equal((await t.service.list(account)).length, 1);
  });

  it('counts a first phone, and one vouched for by a password, as level 1 for 24 hours', async () => {
    const account = someone();
    await t.enrolled({ by: t.browser(account), userVerifying: true });
    const [first] = await t.service.list(account);
    assert.equal(first?.levelCap, 1);
    await t.enrolled({ by: t.browser(account, { acr: 'urn:tandem:acr:1:qr' }) });
    await t.enrolled({ by: t.browser(account, { acr: 'urn:tandem:acr:2' }) });
    assert.deepEqual((await t.service.list(account)).map(({ levelCap }) => levelCap), [1, 1, 2]);
    t.advance(24 * 60 * MINUTE + 1);
    assert.deepEqual((await t.service.list(account)).map(({ levelCap }) => levelCap), [2, 2, 2]);

    const other = someone();
    await t.enrolled({ by: t.browser(other), userVerifying: true });
    await t.db.transaction((tx) => t.service.liftCap(other, tx));
    assert.equal((await t.service.list(other))[0]?.levelCap, 2);
  });

  it('gives an account no more than twenty tickets an hour', async () => {
    const browser = t.browser(someone());
    for (let index = 0; index < 20; index += 1) await t.start(browser);
    const page = await browser.get(`${t.issuer}/account/devices/add`);
    const refused = await browser.submit(page, 'Show the code');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    assert.ok(await t.start(t.browser(someone())));
  });
});
