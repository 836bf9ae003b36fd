import assert from 'node:assert/strict';
import { createDesktop, type Desktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem, CALLBACK, type TestTandem } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';
import { answerOf, authorizationUrl, payloadOf, pkce, tokenRequest, type Person } from './helpers.ts';

onEachDatabase('a stronger sign-in', (database) => {
  let tandem: TestTandem;
  let desktop: Desktop;
  let phone: VirtualPhone;
  let person: Person;
  beforeEach(async () => {
    tandem = await startTandem(database);
    person = await tandem.registerAccount();
    desktop = createDesktop(tandem);
    phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, userVerifying: true });
    await desktop.signIn(person);
    const { link, confirm } = await desktop.addPhone();
    await confirm((await phone.enrol(link)).confirmCode);
    await uncap();
  });
  afterEach(async () => {
    assert.deepEqual(tandem.errors, []);
    await tandem.close();
  });

  /** As after a day: until then a first phone counts as level 1. */
  const uncap = () => tandem.knex('tandem_devices').update({ capped_until: null });
  const { verifier, challenge } = pkce();
  const essential = (...values: string[]) => JSON.stringify({ id_token: { acr: { essential: true, values } } });

  async function approve(parameters: Record<string, string>, by = phone): Promise<URLSearchParams> {
    const waiting = await desktop.wait({ client_id: 'house', scope: 'openid', code_challenge: challenge, ...parameters });
    const decided = await by.approve(await waiting.frame());
    if (decided.confirmCode !== undefined) await waiting.confirm(decided.confirmCode);
    return waiting.redeem();
  }

  async function idToken(answer: URLSearchParams) {
    const form = { grant_type: 'authorization_code', code: answer.get('code')!, redirect_uri: CALLBACK, code_verifier: verifier };
    return payloadOf((await tokenRequest(tandem, 'house', form)).json['id_token']);
  }

  it('is given by the user-verifying phone inside the session, and carries the value asked for', async () => {
    const claims = await idToken(await approve({ claims: essential('urn:tandem:acr:2') }));
    assert.equal(claims['acr'], 'urn:tandem:acr:2');
    assert.deepEqual(claims['amr'], ['swk', 'user', 'mca', 'mfa']);
  });

  it('carries the first value that it satisfies, else the strongest that it is', async () => {
    assert.equal((await idToken(await approve({ claims: essential('urn:example:gold', 'urn:tandem:acr:2:qr', 'urn:tandem:acr:2') })))['acr'], 'urn:tandem:acr:2:qr');
    const later = await desktop.browser.get(authorizationUrl(tandem, { client_id: 'house', code_challenge: challenge }));
    assert.equal((await idToken(answerOf(later)))['acr'], 'urn:tandem:acr:2:qr');
    const weaker = await desktop.browser.get(authorizationUrl(tandem, { client_id: 'house', code_challenge: challenge, acr_values: 'urn:tandem:acr:1' }));
    assert.equal((await idToken(answerOf(weaker)))['acr'], 'urn:tandem:acr:1');
  });

  it('is enough for later requests, also silent ones', async () => {
    await approve({ acr_values: 'urn:tandem:acr:2' });
    const silent = await desktop.browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none', claims: essential('urn:tandem:acr:2') }));
    assert.ok(answerOf(silent).get('code'));
  });

  it('is not given by another person’s phone', async () => {
    const other = createDesktop(tandem);
    const stranger = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, userVerifying: true });
    await other.signIn(await tandem.registerAccount());
    const { link, confirm } = await other.addPhone();
    await confirm((await stranger.enrol(link)).confirmCode);
    await uncap();
    await assert.rejects(approve({ claims: essential('urn:tandem:acr:2') }, stranger), { code: 'wrong_account' });
  });

  it('ends with the phone that gave it, when that is lost, and with it what it granted', async () => {
    const answer = await approve({ client_id: 'rp', scope: 'openid offline_access', prompt: 'login consent' });
    const form = { grant_type: 'authorization_code', code: answer.get('code')!, redirect_uri: CALLBACK, code_verifier: verifier };
    const { json } = await tokenRequest(tandem, 'rp', form);
    const refresh = () => tokenRequest(tandem, 'rp', { grant_type: 'refresh_token', refresh_token: json['refresh_token'] as string });
    assert.equal(typeof json['refresh_token'], 'string');
    const list = await desktop.browser.get(tandem.url('/account/devices'));
    const remove = await desktop.browser.get(list.links.find((url) => url.endsWith('/remove'))!);
    await desktop.browser.submit(remove, '/remove', { reason: 'lost' });
    await tandem.t.sweep();
    assert.equal((await refresh()).json['error'], 'invalid_grant');
    const { json: introspection } = await tokenRequest(tandem, 'rp', { token: json['access_token'] as string }, '/token/introspection');
    assert.deepEqual(introspection, { active: false });
    const silent = await desktop.browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none' }));
    assert.equal(answerOf(silent).get('error'), 'login_required');
    const { events } = await tandem.t.audit.list({ name: 'device.sign_ins_ended' });
    assert.equal(events.length, 1);
  });

  it('leaves what a phone granted when that is merely retired', async () => {
    const answer = await approve({ client_id: 'rp', scope: 'openid offline_access', prompt: 'login consent' });
    const form = { grant_type: 'authorization_code', code: answer.get('code')!, redirect_uri: CALLBACK, code_verifier: verifier };
    const { json } = await tokenRequest(tandem, 'rp', form);
    await phone.retire();
    await tandem.t.sweep();
    const refreshed = await tokenRequest(tandem, 'rp', { grant_type: 'refresh_token', refresh_token: json['refresh_token'] as string });
    assert.equal(refreshed.status, 200);
  });
});
