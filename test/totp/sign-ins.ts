import assert from 'node:assert/strict';
import { answerOf, authorizationUrl, payloadOf, pkce, tokenRequest, typePassword, type Person } from '../oidc/helpers.ts';
import { approveAt, createDesktop, enrolPhone } from '../phone/desktop.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { CALLBACK } from '../support/tandem.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { startWithTotp, typeCode, type App, type TotpTandem } from './app.ts';

/** Where a test is: a provider, and somebody with an authenticator at a browser of their own. */
interface Here {
  tandem: TotpTandem;
  person: Person;
  app: App;
  browser: HttpBrowser;
}

/** Starts a provider for the suite that this is called in, and brings somebody new for each of its tests. */
export function signIns(database: Pick<TestDatabase, 'open'>) {
  const here = {} as Here;
  const { verifier, challenge } = pkce();
  before(async () => {
    here.tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    here.person = await here.tandem.registerAccount();
    here.app = await here.tandem.addApp(here.person.accountId);
    here.browser = createHttpBrowser({ now: here.tandem.clock });
  });
  afterEach(() => assert.deepEqual(here.tandem.errors, []));
  after(() => here.tandem.close());

  const url = (parameters: Record<string, string> = {}) => authorizationUrl(here.tandem, { client_id: 'house', code_challenge: challenge, ...parameters });
  const halfSignedIn = async (parameters?: Record<string, string>) => typePassword(here.browser, await here.browser.get(url(parameters)), here.person);
  const signIn = async (parameters?: Record<string, string>) => typeCode(here.browser, await halfSignedIn(parameters), here.app.code());

  async function idToken(page: Page | URLSearchParams) {
    const answer = page instanceof URLSearchParams ? page : answerOf(page);
    const form = { grant_type: 'authorization_code', code: answer.get('code') ?? '', redirect_uri: CALLBACK, code_verifier: verifier };
    return payloadOf((await tokenRequest(here.tandem, 'house', form)).json['id_token']);
  }

  /** A phone of the person, and the computer beside it. */
  async function addPhone(userVerifying: boolean): Promise<VirtualPhone> {
    const desktop = createDesktop(here.tandem);
    const page = await desktop.browser.get(here.tandem.url('/account/devices/add'));
    const back = await typeCode(desktop.browser, await typePassword(desktop.browser, page, here.person), here.app.code());
    assert.equal(new URL(back.url).pathname, '/account/devices/add', back.text);
    return enrolPhone(here.tandem, desktop, { userVerifying });
  }

  async function approve(phone: VirtualPhone, parameters: Record<string, string> = {}, desktop = createDesktop(here.tandem)) {
    return approveAt(await desktop.wait({ client_id: 'house', scope: 'openid', code_challenge: challenge, ...parameters }), phone);
  }

  return { here, url, halfSignedIn, signIn, idToken, addPhone, approve };
}
