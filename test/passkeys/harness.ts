import assert from 'node:assert/strict';
import type { TestDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { authorizationUrl, type Person } from '../oidc/helpers.ts';
import { createDesktop, type Desktop } from '../phone/desktop.ts';

/**
 * A provider for a suite of sign-ins by passkey, which must end without an error logged.
 *
 * @param given - is handed the provider before the tests.
 */
export function withPasskeys(database: TestDatabase, given: (t: TestTandem) => void) {
  let t: TestTandem;
  const opened: HttpBrowser[] = [];
  before(async () => {
    t = await startTandem(database);
    given(t);
  });
  after(async () => {
    for (const browser of opened) browser.close();
    await t.close();
    assert.deepEqual(t.errors, []);
  });

  function browser(): HttpBrowser {
    const made = createHttpBrowser({ now: t.clock });
    opened.push(made);
    return made;
  }

  /** A computer at which this person is signed in. */
  async function desktop(person: Person): Promise<Desktop> {
    const made = createDesktop(t);
    opened.push(made.browser);
    await made.signIn(person);
    return made;
  }

  /** An account with a phone, which counts as level 1 for its first day where `capped`. */
  async function someone({ capped = false } = {}): Promise<{ person: Person; phone: VirtualPhone }> {
    const person = await t.registerAccount();
    const computer = await desktop(person);
    const phone = createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying: true });
    const { link, confirm } = await computer.addPhone();
    const { confirmCode } = await phone.enrol(link);
    await confirm(confirmCode);
    if (!capped) await t.knex('tandem_devices').where({ id: phone.account.deviceId }).update({ capped_until: null });
    return { person, phone };
  }

  /** What the button's script does. */
  function button(by: HttpBrowser, page: Page) {
    const base = /data-passkey data-base="([^"]+)"/.exec(page.body)?.[1];
    assert.ok(base, `no passkey is offered at ${page.url}: ${page.text.slice(0, 200)}`);
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
    const post = (path: string, fields = {}) => by.post(base + path, { csrf, ...fields }, { headers: { accept: 'application/json' } });
    const options = async () => (await post('/passkey/options')).json<{ challenge: string; rpId: string; userVerification: string; timeout: number }>();
    const send = (assertion: unknown) => post('/passkey', { assertion: JSON.stringify(assertion) });
    return {
      options,
      send,
      async press(phone: VirtualPhone): Promise<Page> {
        const { challenge, rpId } = await options();
        const answer = await send(await phone.authenticator.get({ challenge, rpId }));
        return answer.status === 200 ? by.get(answer.json<{ location: string }>().location) : answer;
      },
    };
  }

  async function signInPage(parameters: Record<string, string> = {}, by = browser()) {
    const page = await by.get(authorizationUrl(t, parameters));
    return { by, page, ...button(by, page) };
  }

  async function refused(answer: Page | Promise<Page>, error: string) {
    const page = await answer;
    assert.equal(page.json()['error'], error, page.body);
    assert.ok(page.status >= 400 && page.status < 500);
  }

  return { browser, desktop, someone, button, signInPage, refused };
}
