import assert from 'node:assert/strict';
import { createDesktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import { startWithTotp, type TotpTandem } from './app.ts';

onEachDatabase('the proof that adding an app takes', (database) => {
  let tandem: TotpTandem;
  before(async () => {
    tandem = await startWithTotp(database);
  });
  after(() => tandem.close());

  it('is asked of the phone, and not of the app that is to be added', async () => {
    const person = await tandem.registerAccount();
    const desktop = createDesktop(tandem);
    await desktop.signIn(person);
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock });
    const { link, confirm } = await desktop.addPhone();
    await confirm((await phone.enrol(link)).confirmCode);

    const browser = createHttpBrowser();
    const signIn = await browser.get(tandem.url('/account/authenticators/add'));
    const proof = await browser.submit(signIn, '/password', { email: person.email, password: person.password });
    assert.match(proof.text, /Confirm with a phone that you have/);
    const page = await browser.get(tandem.url('/account/authenticators/add?proof=ask'));
    assert.match(page.text, /Sign in with your phone/);
    assert.doesNotMatch(page.text, /Set up an app now/);
  });
});
