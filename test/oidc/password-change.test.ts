import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser } from '../support/http-browser.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';
import { answerOf, authorizationUrl, signedInBrowser, tokenRequest, tokensByCode, type Person } from './helpers.ts';

onEachDatabase('a changed password', (database) => {
  let tandem: TestTandem;
  let person: Person;
  const next = 'a quite different set of words';
  before(async () => {
    tandem = await startTandem(database);
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
  });
  after(() => tandem.close());

  const change = async (browser: HttpBrowser) => {
    const page = await browser.get(tandem.url('/account/password'));
    const done = await browser.submit(page, '/account/password', { current: person.password, password: next });
    assert.ok(done.url.endsWith('/account?done=password'), done.text);
  };
  const silently = async (browser: HttpBrowser) =>
    answerOf(await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none' })));
  const refresh = ({ json }: { json: Record<string, unknown> }) =>
    tokenRequest(tandem, 'rp', { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']) });
  const asked = { scope: 'openid offline_access', prompt: 'consent' };

  it('ends the account’s other sessions with what they granted, and nothing else', async () => {
    const stranger = await tandem.registerAccount();
    const [here, there, elsewhere] = [await signedInBrowser(tandem, person), await signedInBrowser(tandem, person), await signedInBrowser(tandem, stranger)];
    const [mine, theirs] = [await tokensByCode(tandem, here, person, asked), await tokensByCode(tandem, there, person, asked)];
    assert.equal(typeof theirs.json['refresh_token'], 'string');
    await change(here);
    await tandem.t.sweep();
    assert.equal((await silently(there)).get('error'), 'login_required');
    assert.equal((await refresh(theirs)).json['error'], 'invalid_grant');
    for (const browser of [here, elsewhere]) assert.ok((await silently(browser)).get('code'));
    assert.equal((await refresh(mine)).status, 200);
    const { events } = await tandem.t.audit.list({ name: 'account.sign_ins_ended', accountId: person.accountId });
    assert.deepEqual(events.map(({ data }) => data), [{ sessions: 1, grants: 2 }]);
    assert.deepEqual(tandem.errors, []);
  });

  it('ends them though a request of theirs was under way', async () => {
    const [here, there] = [await signedInBrowser(tandem, person), await signedInBrowser(tandem, person)];
    // Whoever reads the session before it ends writes it again after.
    const before = await tandem.knex('tandem_oidc').where({ model: 'Session' });
    await change(here);
    await tandem.t.sweep();
    for (const row of before) if (!(await tandem.knex('tandem_oidc').where({ id: row.id }).first())) await tandem.knex('tandem_oidc').insert(row);
    await tandem.t.sweep();
    assert.equal((await silently(there)).get('error'), 'login_required');
    assert.ok((await silently(here)).get('code'));
  });

  it('ends them though there is always a request of theirs under way', async () => {
    const [here, there] = [await signedInBrowser(tandem, person), await signedInBrowser(tandem, person)];
    const before = await tandem.knex('tandem_oidc').where({ model: 'Session' });
    const revive = async () => {
      for (const row of before) if (!(await tandem.knex('tandem_oidc').where({ id: row.id }).first())) await tandem.knex('tandem_oidc').insert(row);
    };
    await change(here);
    for (let minutes = 0; minutes < 12; minutes += 1) {
      await tandem.t.sweep();
      await revive();
      tandem.clock.advance(60_000);
    }
    assert.equal((await there.get(tandem.url('/account'), { follow: false })).status, 303);
    assert.equal((await silently(there)).get('error'), 'access_denied');
    await revive();
    await tandem.t.sweep();
    assert.equal((await silently(there)).get('error'), 'login_required');
    assert.ok((await silently(here)).get('code'));
  });

  it('is not got around by a sign-in that it overtook', async () => {
    const here = await signedInBrowser(tandem, person);
    const there = createHttpBrowser();
    const page = await there.get(authorizationUrl(tandem, { client_id: 'house' }));
    const signedIn = await there.submit(page, '/password', { email: person.email, password: person.password }, { follow: false });
    tandem.clock.advance(2000);
    await change(here);
    const late = await there.get(String(signedIn.headers.location));
    assert.equal(answerOf(late).get('error'), 'access_denied');
    assert.equal((await silently(there)).get('error'), 'login_required');
    const again = await there.get(authorizationUrl(tandem, { client_id: 'house' }));
    assert.ok(answerOf(await there.submit(again, '/password', { email: person.email, password: next })).get('code'));
  });
});
