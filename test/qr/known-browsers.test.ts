import assert from 'node:assert/strict';
import type { HttpBrowser } from '../support/http-browser.ts';
import { onEachDatabase } from '../support/databases.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { startQr, type QrHarness } from './harness.ts';

const PASSWORD = 'seven grey herons at noon';

onEachDatabase('a browser on which the account has signed in', (database) => {
  let t: QrHarness;
  before(async () => {
    t = await startQr(database);
  });
  after(async () => {
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  /** Signs in, typing the code where one is due; tells whether the phone knew the browser, and whether a code was due. */
  async function signIn(by: HttpBrowser, phone: VirtualPhone) {
    const page = await t.waiting(by, { prompt: 'login' });
    const { confirmCode, claimed } = await phone.approve(await page.frame());
    if (confirmCode !== undefined) await page.post('/qr/confirm', { code: confirmCode });
    assert.match((await page.redeem()).url, /\/cb\?code=/);
    assert.equal(claimed.request.confirm, confirmCode !== undefined);
    return { known: claimed.request.browser.known, asked: confirmCode !== undefined };
  }

  async function known() {
    const owner = await t.person();
    const thief = t.browser();
    await thief.submit(await t.authorize(thief), '/password', { email: owner.email, password: PASSWORD });
    assert.deepEqual(await signIn(thief, owner.phone), { known: true, asked: false });
    return { ...owner, thief };
  }

  async function remove(desk: HttpBrowser, deviceId: string, reason: string) {
    t.clock.advance(1000);
    const page = await desk.get(`${t.issuer}/account/devices/${deviceId}/remove`);
    await desk.submit(page, '/remove', { reason });
    await t.t.sweep();
    t.clock.advance(1000);
  }

  it('is as good as new once the password has changed, until it signs in again', async () => {
    const { accountId, phone, thief, desk } = await known();
    const other = await known();
    t.clock.advance(1000);
    await t.t.accounts!.changePassword(accountId, { current: PASSWORD, next: 'eleven white storks at dusk' });
    // The sessions end right after the commit; a page that was opened in between would end with them.
    await t.t.sweep();
    t.clock.advance(1000);
    for (const browser of [thief, desk]) {
      assert.deepEqual(await signIn(browser, phone), { known: false, asked: true });
      assert.deepEqual(await signIn(browser, phone), { known: true, asked: false });
    }
    assert.deepEqual(await signIn(other.thief, other.phone), { known: true, asked: false });
  });

  it('is as good as new once a phone was lost, each time', async () => {
    const { email, accountId, phone, thief, desk } = await known();
    let current = phone;
    for (const round of [1, 2]) {
      await remove(desk, current.account.deviceId, 'lost');
      current = t.phone();
      await t.enrol(desk, current, (await desk.get(`${t.issuer}/account/devices`)).url.includes('/interaction/') ? { email, password: PASSWORD } : undefined);
      assert.deepEqual(await signIn(thief, current), { known: false, asked: true }, `round ${round}`);
      assert.deepEqual(await signIn(thief, current), { known: true, asked: false });
    }
    assert.equal(Number((await t.knex('tandem_browser_trust').where({ account_id: accountId }).count({ n: '*' }))[0]!['n']), 1);
  });

  it('stays known when a phone is put away, and when the change did not come about', async () => {
    const { accountId, phone, thief, desk } = await known();
    const second = t.phone();
    await signIn(desk, phone);
    await t.enrol(desk, second);
    await signIn(desk, second);
    await remove(desk, phone.account.deviceId, 'retired');
    await assert.rejects(t.t.accounts!.changePassword(accountId, { current: 'wrong', next: 'eleven white storks at dusk' }));
    assert.deepEqual(await signIn(thief, second), { known: true, asked: false });
  });
});
