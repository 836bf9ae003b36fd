import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import type { HttpBrowser, Page, RequestOptions } from '../support/http-browser.ts';
import { startTandem } from '../support/tandem.ts';
import type { TestTandem } from '../support/tandem.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { authorizationUrl } from '../oidc/helpers.ts';
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
    const confirmed = await by.submit(shown, 'Connect this phone', { code: confirmCode });
    // With the account's first factor come its recovery codes.
    const onwards = /data-next="([^"]+)"/.exec(confirmed.body)?.[1];
    return onwards === undefined ? confirmed : await by.get(onwards);
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
    const signIn = await desk.get(asked.links.find((href) => href.includes('proof=ask'))!);
    const vouched = await scan(desk, signIn, first);
    assert.match(vouched.url, /\/account\/devices\/add\?proof=ask$/);
    const second = createVirtualPhone({ issuer: t.issuer, clock: t.clock });
    assert.match((await enrol(desk, vouched, second)).text, /Your phone is connected/);

    t.clock.advance(25 * 3_600_000);
    const next = browser();
    const byPassword = await next.submit(await add(next), '/password', { email, password });
    const stronger = await next.get(byPassword.links.find((href) => href.includes('proof=ask'))!);
    await assert.rejects(scan(next, stronger, second), { code: 'uv_required' });
    const again = await next.get(t.url('/account/devices/add?proof=ask'));
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

  const removalOf = async (by: HttpBrowser) => await by.get((await by.get(t.url('/account/devices'))).links.find((href) => href.endsWith('/remove'))!);
  const rowsOf = async (accountId: string, name: string) =>
    ((await t.knex('tandem_events').where({ account_id: accountId, name }).orderBy('id')) as Array<{ data: string }>).map(({ data }) => JSON.parse(data) as Record<string, unknown>);

  it('gives whoever has the password alone no phone of level 2 in place of the owner’s, for a week', async () => {
    const { accountId, email, password } = await t.registerAccount();
    const desk = browser();
    const owners = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
    await enrol(desk, await desk.submit(await add(desk), '/password', { email, password }), owners);
    t.clock.advance(25 * 3_600_000);

    const thief = browser();
    assert.match((await thief.submit(await add(thief), '/password', { email, password })).text, /Confirm with a phone that you have/);
    const removal = await removalOf(thief);
    assert.ok(!removal.body.includes('value="retired"'));
    const refused = await thief.submit(removal, 'This phone is lost', { reason: 'retired' });
    assert.match(refused.url, /\/remove$/);
    assert.equal((await owners.status()).state, 'active');

    assert.match(removal.text, /7 days/);
    assert.match((await thief.submit(removal, 'This phone is lost')).text, /locked out/);
    assert.deepEqual((await rowsOf(accountId, 'device.revoked')).map(({ reason, proven }) => ({ reason, proven })), [{ reason: 'lost', proven: false }]);
    const first = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
    assert.match((await enrol(thief, await add(thief), first)).text, /Your phone is connected/);
    const confirmed = (await rowsOf(accountId, 'device.confirmed')).at(-1)!;
    assert.equal(confirmed['afterUnprovenLoss'], true);
    assert.ok(Number(confirmed['cappedUntil']) > t.clock() + 6.9 * 24 * 3_600_000);

    // What the thief's phone vouches for counts no sooner than it does.
    const again = browser();
    const asked = await again.submit(await add(again), '/password', { email, password });
    const proven = await scan(again, await again.get(asked.links.find((href) => href.includes('proof=ask'))!), first);
    const second = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
    assert.match((await enrol(again, proven, second)).text, /Your phone is connected/);

    const strong = async (phone: VirtualPhone) => {
      const by = browser();
      return await approve(by, await by.get(authorizationUrl(t, { acr_values: 'urn:tandem:acr:2' })), phone);
    };
    t.clock.advance(6.9 * 24 * 3_600_000);
    for (const phone of [first, second]) await assert.rejects(strong(phone), { code: 'uv_required' });
    t.clock.advance(0.2 * 24 * 3_600_000);
    for (const phone of [first, second]) assert.ok(await strong(phone));
  });

  it('lets a phone that vouches for its own removal be followed by a first one as ever', async () => {
    const { accountId, email, password } = await t.registerAccount();
    const desk = browser();
    const phone = createVirtualPhone({ issuer: t.issuer, clock: t.clock });
    await enrol(desk, await desk.submit(await add(desk), '/password', { email, password }), phone);
    const removal = await removalOf(desk);
    const signIn = await desk.get(removal.links.find((href) => href.includes('proof=ask'))!);
    const back = await scan(desk, signIn, phone);
    assert.match(back.url, /\/remove\?proof=ask$/);
    assert.match((await desk.submit(back, 'Remove this phone')).text, /The phone is removed/);
    assert.deepEqual((await rowsOf(accountId, 'device.revoked')).map(({ reason, proven }) => ({ reason, proven })), [{ reason: 'retired', proven: true }]);
    await enrol(desk, await add(desk), createVirtualPhone({ issuer: t.issuer, clock: t.clock }));
    const [, confirmed] = await rowsOf(accountId, 'device.confirmed');
    assert.equal(confirmed!['afterUnprovenLoss'], false);
    assert.ok(Number(confirmed!['cappedUntil']) <= t.clock() + 24 * 3_600_000);
  });

  it('counts a first phone for a day again once a week has passed since the report', async () => {
    const { accountId, email, password } = await t.registerAccount();
    const desk = browser();
    await enrol(desk, await desk.submit(await add(desk), '/password', { email, password }), createVirtualPhone({ issuer: t.issuer, clock: t.clock }));
    await desk.submit(await removalOf(desk), 'This phone is lost');
    t.clock.advance(7 * 24 * 3_600_000 + 1000);
    const later = browser();
    await enrol(later, await later.submit(await add(later), '/password', { email, password }), createVirtualPhone({ issuer: t.issuer, clock: t.clock }));
    assert.equal((await rowsOf(accountId, 'device.confirmed'))[1]!['afterUnprovenLoss'], false);
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
