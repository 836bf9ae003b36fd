import assert from 'node:assert/strict';
import { approveAt, createDesktop, enrolPhone, type Desktop } from '../phone/desktop.ts';
import { onEachDatabase } from '../support/databases.ts';
import { CALLBACK } from '../support/tandem.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { startWithTotp, typeCode, type TotpTandem } from '../totp/app.ts';
import { answerOf, authorizationUrl, payloadOf, pkce, signInAndConsent, tokenRequest, typePassword, type Person } from './helpers.ts';

const [ONE, ONE_QR, TWO, TWO_QR] = ['urn:tandem:acr:1', 'urn:tandem:acr:1:qr', 'urn:tandem:acr:2', 'urn:tandem:acr:2:qr'];
const essential = (...values: string[]) => ({ claims: JSON.stringify({ id_token: { acr: { essential: true, values } } }) });
type Parameters = Readonly<Record<string, string>>;

onEachDatabase('the proof of a sign-in', (database) => {
  const { verifier, challenge } = pkce();
  let tandem: TotpTandem;
  let person: Person;
  let desktop: Desktop;
  before(async () => {
    tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    // Codes put it forward.
    tandem.clock.advance(Date.now() - tandem.clock());
    person = await tandem.registerAccount();
    desktop = createDesktop(tandem);
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const asking = (parameters: Parameters) => ({ scope: 'openid offline_access', prompt: 'consent', code_challenge: challenge, ...parameters });
  const ask = (parameters: Parameters) => desktop.browser.get(authorizationUrl(tandem, asking(parameters)));

  /** A phone that was added at another computer. */
  async function addPhone(userVerifying: boolean): Promise<VirtualPhone> {
    const elsewhere = createDesktop(tandem);
    await elsewhere.signIn(person);
    return enrolPhone(tandem, elsewhere, { userVerifying });
  }

  const approve = async (phone: VirtualPhone, parameters: Parameters) => (await approveAt(await desktop.wait(asking(parameters)), phone)).redeem();

  const byPassword = async (parameters: Parameters) => answerOf(await signInAndConsent(desktop.browser, await ask(parameters), person));

  async function byPasswordAndCode(parameters: Parameters) {
    const app = await tandem.addApp(person.accountId);
    const half = await typePassword(desktop.browser, await ask(parameters), person);
    return answerOf(await signInAndConsent(desktop.browser, await typeCode(desktop.browser, half, app.code()), person));
  }

  const byPhone = (userVerifying: boolean) => async (parameters: Parameters) => approve(await addPhone(userVerifying), parameters);

  async function byPresenceAndCode(parameters: Parameters) {
    const phone = await addPhone(false);
    const app = await tandem.addApp(person.accountId);
    await approve(phone, {});
    const page = await typeCode(desktop.browser, await ask({ ...essential(TWO), ...parameters }), app.code());
    return answerOf(await signInAndConsent(desktop.browser, page, person));
  }

  async function tokensOf(form: Record<string, string>) {
    const { json } = await tokenRequest(tandem, 'rp', form);
    const { acr, amr, auth_time: authTime } = payloadOf(json['id_token']);
    return { proof: { acr, amr, authTime }, refresh: () => tokensOf({ grant_type: 'refresh_token', refresh_token: String(json['refresh_token']) }) };
  }

  const redeem = (answer: URLSearchParams) =>
    tokensOf({ grant_type: 'authorization_code', code: answer.get('code') ?? '', redirect_uri: CALLBACK, code_verifier: verifier });

  /** In the ID token of the code, and those of two refreshes. */
  async function check(answer: URLSearchParams, acr: string, amr: readonly string[]) {
    let tokens = await redeem(answer);
    const { proof } = tokens;
    assert.deepEqual([proof.acr, proof.amr, typeof proof.authTime], [acr, amr, 'number']);
    for (let count = 0; count < 2; count += 1) {
      tandem.clock.advance(60_000);
      tokens = await tokens.refresh();
      assert.deepEqual(tokens.proof, proof);
    }
  }

  for (const [title, signIn, acr, amr] of [
    ['password', byPassword, ONE, ['pwd']],
    ['presence key', byPhone(false), ONE_QR, ['swk', 'user', 'mca']],
    ['password and code', byPasswordAndCode, TWO, ['pwd', 'otp', 'mfa']],
    ['presence key and code', byPresenceAndCode, TWO, ['swk', 'user', 'mca', 'otp', 'mfa']],
    ['user-verifying key', () => byPhone(true)(essential(TWO_QR)), TWO_QR, ['swk', 'user', 'mca', 'mfa']],
  ] as const) {
    it(`by ${title} is ${acr} in every ID token, by code and by refresh`, async () => {
      await check(await signIn({}), acr, amr);
    });
  }

  it('is carried as the class that was asked for, by code and by refresh', async () => {
    await check(await byPasswordAndCode({ acr_values: `${TWO_QR} ${ONE}` }), ONE, ['pwd', 'otp', 'mfa']);
  });

  it('is not raised by a later step up, which is another request', async () => {
    const weak = await redeem(await byPassword({}));
    const app = await tandem.addApp(person.accountId);
    const page = await typeCode(desktop.browser, await ask(essential(TWO)), app.code());
    await check(answerOf(await signInAndConsent(desktop.browser, page, person)), TWO, ['pwd', 'otp', 'mfa']);
    assert.deepEqual((await weak.refresh()).proof, weak.proof);
  });
});
