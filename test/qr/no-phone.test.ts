import assert from 'node:assert/strict';
import { authorizationUrl } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';

onEachDatabase('a step up to a phone', (database) => {
  let tandem: TestTandem;
  before(async () => {
    tandem = await startTandem(database);
  });
  after(() => tandem.close());

  it('leads an account without one to where it is added', async () => {
    const { email, password } = await tandem.registerAccount();
    const browser = createHttpBrowser();
    const signIn = await browser.get(authorizationUrl(tandem, { client_id: 'house', acr_values: 'urn:tandem:acr:1:qr' }));
    assert.ok(!signIn.links.includes(tandem.url('/account/devices/add')), 'nobody is known yet');
    const stepUp = await browser.submit(signIn, '/password', { email, password });
    assert.match(stepUp.text, /Prove that it is you/);
    assert.match(stepUp.text, /Your account has no phone yet/);
    assert.ok(stepUp.links.includes(tandem.url('/account/devices/add')));
  });
});
