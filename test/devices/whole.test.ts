import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import type { HttpBrowser, Page, RequestOptions } from '../support/http-browser.ts';
import { startTandem } from '../support/tandem.ts';
import type { TestTandem } from '../support/tandem.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { linkOf } from './harness.ts';

onEachDatabase('phones at a whole provider', (database) => {
  let t: TestTandem;
  const browsers: HttpBrowser[] = [];
  before(async () => {
    t = await startTandem(database);
  });
  after(async () => {
    for (const each of browsers) each.close();
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  function browser() {
    const made = createHttpBrowser();
    browsers.push(made);
    return made;
  }

  /** What the QR panel's script does with a phone in reach. */
  async function scan(by: HttpBrowser, page: Page, phone: VirtualPhone): Promise<Page> {
    return (await approve(by, page, phone)).redeemed();
  }

  async function approve(by: HttpBrowser, page: Page, phone: VirtualPhone) {
    const base = /data-base="([^"]+)"/.exec(page.body)?.[1];
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
    assert.ok(base, `no QR panel at ${page.url}: ${page.text.slice(0, 300)}`);
    const post = (path: string, fields = {}) => by.post(base + path, { csrf, ...fields }, { headers: { accept: 'application/json' } });
    const { frame } = (await post('/qr/start')).json<{ frame: string }>();
    const { confirmCode } = await phone.approve(frame);
    if (confirmCode) await post('/qr/confirm', { code: confirmCode });
    return { redeemed: (options?: RequestOptions) => by.post(`${base}/redeem`, { csrf }, options) };
  }

  /** Signs in by password where the page asks for it, and enrols. */
  async function enrol(by: HttpBrowser, page: Page, phone: VirtualPhone): Promise<Page> {
    const shown = await by.submit(page, 'Show the code');
    const { confirmCode } = await phone.enrol(linkOf(shown));
    return await by.submit(shown, 'Connect this phone', { code: confirmCode });
  }

  const add = (by: HttpBrowser) => by.get(t.url('/account/devices/add'));

  it('enrol after a password, vouch for the next phone, and prove level 2 a day later', async () => {
    const { email, password } = await t.registerAccount();
    const desk = browser();
    const first = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
    const signedIn = await desk.submit(await add(desk), '/password', { email, password });
    assert.match((await enrol(desk, signedIn, first)).text, /Your phone is connected/);

    const asked = await add(desk);
    assert.match(asked.text, /Confirm with a phone that you have/);
    const signIn = await desk.get(asked.links.find((href) => href.includes('proof=phone'))!);
    const vouched = await scan(desk, signIn, first);
    assert.match(vouched.url, /\/account\/devices\/add\?proof=phone$/);
    const second = createVirtualPhone({ issuer: t.issuer, clock: t.clock });
    assert.match((await enrol(desk, vouched, second)).text, /Your phone is connected/);

    t.clock.advance(25 * 3_600_000);
    const next = browser();
    const byPassword = await next.submit(await add(next), '/password', { email, password });
    const stronger = await next.get(byPassword.links.find((href) => href.includes('proof=phone'))!);
    await assert.rejects(scan(next, stronger, second), { code: 'uv_required' });
    const again = await next.get(t.url('/account/devices/add?proof=phone'));
    const proven = await scan(next, again, first);
    assert.match(proven.text, /Show the code/);
  });

  it('signs out what a lost phone had signed in, and nothing else', async () => {
    const { email, password } = await t.registerAccount();
    const desk = browser();
    const phone = createVirtualPhone({ issuer: t.issuer, clock: t.clock });
    const signedIn = await desk.submit(await add(desk), '/password', { email, password });
    await enrol(desk, signedIn, phone);

    const elsewhere = browser();
    const list = await scan(elsewhere, await elsewhere.get(t.url('/account/devices')), phone);
    assert.match(list.text, /Your phones/);

    const mine = await desk.get(t.url('/account/devices'));
    assert.ok(mine.links.includes(t.url('/account')));
    const remove = await desk.get(mine.links.find((href) => href.endsWith('/remove'))!);
    assert.match((await desk.submit(remove, 'This phone is lost')).text, /locked out/);
    assert.match((await desk.get(t.url('/account/devices'))).text, /No phone is connected/);
    assert.match((await elsewhere.get(t.url('/account/devices'))).url, /\/interaction\//);
    assert.equal((await phone.status()).state, 'revoked');
  });

  it('signs nobody in by an approval that a lost phone gave before, however late the browser comes back', async () => {
    const { email, password } = await t.registerAccount();
    const desk = browser();
    const phone = createVirtualPhone({ issuer: t.issuer, clock: t.clock });
    await enrol(desk, await desk.submit(await add(desk), '/password', { email, password }), phone);

    const thief = browser();
    const { redeemed } = await approve(thief, await thief.get(t.url('/account/devices')), phone);
    const back = await redeemed({ follow: false });
    const remove = await desk.get((await desk.get(t.url('/account/devices'))).links.find((href) => href.endsWith('/remove'))!);
    await desk.submit(remove, 'This phone is lost');
    const late = await thief.get(String(back.headers.location));
    assert.doesNotMatch(late.text, /Your phones/);
    assert.match((await thief.get(t.url('/account/devices'))).url, /\/interaction\//);
  });

  it('enrol at a provider that is mounted under a path', async () => {
    const mounted = await startTandem(database, { mount: '/oidc' });
    try {
      const { email, password } = await mounted.registerAccount();
      const desk = browser();
      const phone = createVirtualPhone({ issuer: mounted.issuer, userVerifying: true });
      const signedIn = await desk.submit(await desk.get(mounted.url('/account/devices/add')), '/password', { email, password });
      const done = await enrol(desk, signedIn, phone);
      assert.equal(done.url, mounted.url('/account/devices?done=added'));
      assert.equal((await phone.status()).userVerifying, true);
      assert.equal((await desk.get(phone.account.issuer + '/e/2.x')).status, 404);
    } finally {
      await mounted.close();
    }
  });

  it('notes each step in the audit log', async () => {
    const { accountId, email, password } = await t.registerAccount();
    const desk = browser();
    const phone = createVirtualPhone({ issuer: t.issuer, clock: t.clock });
    await enrol(desk, await desk.submit(await add(desk), '/password', { email, password }), phone);
    await desk.submit(await desk.get(t.url('/account/devices')), 'Save', { name: 'Mine' });
    await phone.retire();
    const rows = (await t.knex('tandem_events').where({ account_id: accountId }).orderBy('id')) as Array<{ name: string }>;
    assert.deepEqual(
      rows.map(({ name }) => name).filter((name) => name.startsWith('device.')),
      ['device.enrolment_started', 'device.enrolled', 'device.confirmed', 'device.renamed', 'device.revoked'],
    );
  });
});
