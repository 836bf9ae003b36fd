import assert from 'node:assert/strict';
import type { TestDatabase } from '../support/databases.ts';
import type { HttpBrowser } from '../support/http-browser.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { startQr, type QrHarness, type WaitingPage } from './harness.ts';

/** A six-digit code that is not this one. */
export const wrong = (code: string) => (code === '000000' ? '000001' : '000000');

/**
 * A provider and a person's phone for a suite of attacks, which must end without an error logged.
 *
 * @param given - is handed both before the tests, and again whenever the phone is another one.
 */
export function underAttack(database: TestDatabase, given: (target: { t: QrHarness; phone: VirtualPhone }) => void) {
  let t: QrHarness;
  let phone: VirtualPhone;
  before(async () => {
    t = await startQr(database);
    await phoneUnlocked();
  });
  after(async () => {
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  /** Ten misses lock the account that all of these tests share. */
  async function phoneUnlocked() {
    ({ phone } = await t.person());
    given({ t, phone });
  }

  async function approved(by?: HttpBrowser): Promise<{ page: WaitingPage; code: string; link: string }> {
    const page = await t.waiting(by, { prompt: 'login' });
    const link = await page.frame();
    const { confirmCode } = await phone.approve(link);
    return { page, code: confirmCode!, link };
  }

  async function confirmed() {
    const made = await approved();
    assert.equal((await made.page.post('/qr/confirm', { code: made.code })).status, 200);
    return made;
  }

  return { approved, confirmed, phoneUnlocked };
}
