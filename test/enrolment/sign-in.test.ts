import assert from 'node:assert/strict';
import { answerOf, authorizationUrl } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { startEnrolment, type EnrolmentHarness } from './harness.ts';

const CODE = /[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}/g;

onEachDatabase('who was enrolled by a client', (database) => {
  let t: EnrolmentHarness;
  before(async () => {
    t = await startEnrolment(database);
  });
  after(() => t.close());
  afterEach(() => assert.deepEqual(t.errors, []));

  /** Signs in by QR; returns what the browser then shows. */
  async function byPhone(browser: HttpBrowser, phone: VirtualPhone, open: () => Promise<Page> = () => browser.get(authorizationUrl(t, { client_id: 'house' }))): Promise<Page> {
    const page = await open();
    const base = /data-base="([^"]+)"/.exec(page.body)?.[1];
    const csrf = page.forms.flatMap(({ fields }) => fields).find(([name]) => name === 'csrf')?.[1];
    assert.ok(base && csrf, page.text.slice(0, 300));
    const post = (path: string, fields: Record<string, string> = {}, accept = 'application/json') => browser.post(base + path, { csrf, ...fields }, { headers: { accept } });
    const { frame } = (await post('/qr/start')).json<{ frame: string }>();
    const { confirmCode } = await phone.approve(frame);
    if (confirmCode !== undefined) await post('/qr/confirm', { code: confirmCode });
    return post('/redeem', {}, 'text/html');
  }

  it('sees the recovery codes at the first sign-in, once, and goes on to the client', async () => {
    const phone = await t.enrolled(await t.account('shop', 'first@example.com'));
    const browser = createHttpBrowser({ now: t.clock });
    const shown = await byPhone(browser, phone);
    assert.equal(shown.status, 200, shown.text.slice(0, 300));
    assert.equal(new Set(shown.text.match(CODE)).size, 10);
    assert.match(shown.text, /first@example\.com/);
    const next = shown.links.find((href) => href.startsWith(`${t.issuer}/auth/`));
    assert.ok(next, shown.links.join(' '));
    assert.ok(answerOf(await browser.get(next)).get('code'));
    browser.close();

    const elsewhere = createHttpBrowser({ now: t.clock });
    assert.ok(answerOf(await byPhone(elsewhere, phone)).get('code'), 'the second time there is nothing to show');
    elsewhere.close();
  });

  it('is led on without codes where they enrolled the phone themselves', async () => {
    const { enrolPhone, createDesktop } = await import('../phone/desktop.ts');
    const desktop = createDesktop(t);
    await desktop.signIn(await t.registerAccount());
    const phone = await enrolPhone(t, desktop, { userVerifying: false });
    const browser = createHttpBrowser({ now: t.clock });
    assert.ok(answerOf(await byPhone(browser, phone)).get('code'));
    browser.close();
    desktop.browser.close();
  });

  it('may set a password, soon after a sign-in, and once', async () => {
    const phone = await t.enrolled(await t.account('shop', 'later@example.com'));
    const browser = createHttpBrowser({ now: t.clock });
    await browser.get((await byPhone(browser, phone)).links.find((href) => href.startsWith(`${t.issuer}/auth/`))!);
    const home = await browser.get(t.url('/account'));
    assert.match(home.text, /You have none: you sign in with your phone/);
    const form = await browser.get(t.url('/account/password'));
    assert.match(form.text, /Set a password/);
    assert.equal(form.body.includes('name="current"'), false);

    const weak = await browser.submit(form, '/account/password', { password: 'short' });
    assert.equal(weak.status, 422);
    assert.match(weak.text, /Too short/);
    const password = 'four green boats at dusk';
    const set = await browser.submit(weak, '/account/password', { password });
    assert.match(set.text, /Your password has been set/);
    assert.equal((await t.t.accounts!.verifyPassword('later@example.com', password)).email, 'later@example.com');
    const notice = await t.waitForNotice('account.password_changed');
    assert.equal(notice.email, 'later@example.com');

    // The old page, sent again, would now be a change without the current one.
    const again = await browser.submit(form, '/account/password', { password: 'five green boats at dusk' });
    assert.equal(again.status, 401);
    assert.match(again.text, /This is not your current password/);
    assert.ok(again.body.includes('name="current"'));
    await assert.rejects(t.t.accounts!.setPassword((await t.t.accounts!.findByEmail('later@example.com'))!.id, 'five green boats at dusk'), { code: 'conflict' });

    t.clock.advance(5 * 60_000 + 1000);
    const stale = await browser.get(t.url('/account/password'), { follow: false });
    assert.equal(stale.status, 303, 'an old sign-in does not do');
    browser.close();
  });

  it('adds the next phone with the first', async () => {
    const account = await t.account('shop', 'second@example.com');
    await t.enrolled(account);
    const refused = await t.call('POST', '/omi/qr/enrol', { account });
    assert.equal(refused.status, 409);
    assert.equal(refused.json['account_url'], `${t.issuer}/account/devices/add`);
  });
});
