import assert from 'node:assert/strict';
import { answerOf, authorizationUrl, payloadOf, pkce, tokenRequest, typePassword, type Person } from '../../oidc/helpers.ts';
import { createDesktop } from '../../phone/desktop.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../../support/http-browser.ts';
import { elements } from '../../support/html.ts';
import { codeOf, wrongCodeOf } from '../../support/otp.ts';
import { CALLBACK } from '../../support/tandem.ts';
import { createVirtualPhone } from '../../support/virtual-phone.ts';
import { asksForCode, startWithTotp, typeCode, type TotpTandem, secretOn } from '../app.ts';

const LEVEL_2 = 'urn:tandem:acr:2';
const ESSENTIAL = JSON.stringify({ id_token: { acr: { essential: true, value: LEVEL_2 } } });

onEachDatabase('an authenticator that is set up in the middle of a sign-in', (database) => {
  let tandem: TotpTandem;
  let person: Person;
  let browser: HttpBrowser;
  const { verifier, challenge } = pkce();
  before(async () => {
    tandem = await startWithTotp(database);
  });
  beforeEach(async () => {
    person = await tandem.registerAccount();
    browser = createHttpBrowser({ now: tandem.clock });
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  const request = (parameters: Record<string, string> = {}) => authorizationUrl(tandem, { client_id: 'house', code_challenge: challenge, claims: ESSENTIAL, ...parameters });
  const enrolLink = (page: Page) => page.links.find((link) => link.endsWith('/authenticator'));
  const apps = async () => Number((await tandem.knex('tandem_authenticators').where({ account_id: person.accountId, expires_at: null }).count({ n: '*' }))[0]!['n']);
  const nextCode = (secret: string) => {
    tandem.clock.advance(30_000);
    return codeOf(secret, tandem.clock);
  };

  async function stepUp(by = browser, parameters: Record<string, string> = {}) {
    const page = await typePassword(by, await by.get(request(parameters)), person);
    const link = enrolLink(page);
    assert.ok(link, `no way to set up an app: ${page.url} ${page.status} ${page.text.slice(0, 400)}`);
    return { page, link };
  }

  /** Up to the page that shows the recovery codes. */
  async function enrol(by = browser) {
    const { link } = await stepUp(by);
    const page = await by.get(link);
    const secret = secretOn(page);
    return { link, secret, codes: await by.submit(page, '/authenticator', { code: nextCode(secret) }) };
  }

  async function idToken(page: Page) {
    const form = { grant_type: 'authorization_code', code: answerOf(page).get('code') ?? '', redirect_uri: CALLBACK, code_verifier: verifier };
    return payloadOf((await tokenRequest(tandem, 'house', form)).json['id_token']);
  }

  it('ends at the site, at level 2, by way of the recovery codes', async () => {
    const { link } = await stepUp();
    const page = await browser.get(link);
    assert.match(page.text, /House asks for a second factor/);
    const secret = secretOn(page);
    assert.equal(secretOn(await browser.get(page.url)), secret);
    const wrong = await browser.submit(page, '/authenticator', { code: wrongCodeOf(secret, tandem.clock) });
    assert.equal(wrong.status, 422);
    assert.equal(secretOn(wrong), secret);
    assert.equal(await apps(), 0);

    const codes = await browser.submit(wrong, '/authenticator', { code: nextCode(secret) });
    assert.equal(elements(codes.body, 'code').length, 10, codes.text);
    const claims = await idToken(await browser.submit(codes, 'Continue to House'));
    assert.equal(claims['acr'], LEVEL_2);
    assert.deepEqual(claims['amr'], ['pwd', 'otp', 'mfa']);

    const again = createHttpBrowser({ now: tandem.clock });
    const later = await typePassword(again, await again.get(request()), person);
    assert.equal(enrolLink(later), undefined);
    assert.equal((await idToken(await typeCode(again, later, nextCode(secret))))['acr'], LEVEL_2);
    again.close();
  });

  it('follows the presence of a phone as well', async () => {
    const desktop = createDesktop(tandem);
    await desktop.signIn(person);
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock });
    const { link: ticket, confirm } = await desktop.addPhone();
    await confirm((await phone.enrol(ticket)).confirmCode);
    const other = createDesktop(tandem);
    const waiting = await other.wait({ client_id: 'house', scope: 'openid' });
    const decided = await phone.approve(await waiting.frame());
    if (decided.confirmCode !== undefined) await waiting.confirm(decided.confirmCode);
    await waiting.redeem();

    const page = await other.browser.get(enrolLink(await other.browser.get(request())) ?? assert.fail('no way to set up an app'));
    const claims = await idToken(await other.browser.submit(page, '/authenticator', { code: nextCode(secretOn(page)) }));
    assert.equal(claims['acr'], LEVEL_2);
    assert.deepEqual(claims['amr'], ['swk', 'user', 'mca', 'otp', 'mfa'], 'the codes came with the phone, so that nothing is shown on the way');
  });

  it('is for who has no authenticator', async () => {
    const { link } = await stepUp();
    await tandem.addApp(person.accountId);
    const page = await browser.get(link);
    assert.ok(asksForCode(page), page.text);
    assert.equal(await apps(), 1);
  });

  it('is for a step up that a code would end', async () => {
    const login = await browser.get(request({ claims: '' }));
    const uid = /\/interaction\/([\w-]+)/.exec(login.url)![1]!;
    assert.equal((await browser.get(tandem.url(`/interaction/${uid}/authenticator`))).status, 409);
    const desktop = createHttpBrowser({ now: tandem.clock });
    const values = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:tandem:acr:2:qr' } } });
    const qrOnly = await typePassword(desktop, await desktop.get(request({ claims: values })), person);
    assert.equal(enrolLink(qrOnly), undefined);
    desktop.close();
  });

  it('wants the first factor to be fresh, and says how to go on', async () => {
    const { link } = await stepUp();
    const page = await browser.get(link);
    tandem.clock.advance(301_000);
    for (const answer of [await browser.get(link), await browser.submit(page, '/authenticator', { code: codeOf(secretOn(page), tandem.clock) })]) {
      assert.equal(answer.status, 403);
      assert.match(answer.text, /signed in a while ago/);
      assert.ok(answer.links.includes(tandem.url('/account/authenticators/add')));
    }
    assert.equal(await apps(), 0);
  });

  it('wants what adding a factor wants', async () => {
    const desktop = createDesktop(tandem);
    await desktop.signIn(person);
    const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock });
    const { link: ticket, confirm } = await desktop.addPhone();
    const { link } = await stepUp();
    const open = await browser.get(link);
    await confirm((await phone.enrol(ticket)).confirmCode);
    const refused = await browser.submit(open, '/authenticator', { code: nextCode(secretOn(open)) });
    assert.equal(refused.status, 403);
    assert.match(refused.text, /must vouch for the app/);

    // The thief of a password, once more: the phone is reported lost, and the app added on the way to a site.
    const list = await desktop.browser.get(tandem.url('/account/devices'));
    const remove = await desktop.browser.get(list.links.find((each) => each.endsWith('/remove'))!);
    await desktop.browser.submit(remove, 'This phone is lost');
    for (const answer of [await browser.get(link), await browser.submit(open, '/authenticator', { code: nextCode(secretOn(open)) })]) {
      assert.equal(answer.status, 403);
      assert.match(answer.text, /reported lost/);
    }
    assert.equal(await apps(), 0);
  });

  it('is of one account and one sign-in', async () => {
    const { link } = await stepUp();
    const page = await browser.get(link);
    const stranger = createHttpBrowser({ now: tandem.clock });
    assert.equal((await stranger.get(link)).status, 410);
    const [own, mine] = [person, secretOn(page)];
    person = await tandem.registerAccount();
    const theirs = await stepUp(stranger);
    const form = await stranger.get(theirs.link);
    const id = page.forms.find(({ action }) => action.endsWith('/authenticator'))!.fields.find(([name]) => name === 'id')![1];
    assert.equal((await stranger.get(`${theirs.link}?id=${id}`)).status, 404);
    assert.equal((await stranger.submit(form, '/authenticator', { id, code: codeOf(mine, tandem.clock) })).status, 404);
    assert.equal((await browser.submit(page, '/authenticator', { code: nextCode(mine), csrf: 'x' })).status, 403);
    person = own;
    assert.equal(await apps(), 0);
    stranger.close();
  });

  describe('goes on', () => {
    it('by the proof of this sign-in alone', async () => {
      const { link, codes, secret } = await enrol();
      const form = codes.forms.find(({ action }) => action === `${link}/continue`)!;
      const [until = '', mac = ''] = form.fields.find(([name]) => name === 'proof')![1].split('.');
      const own = person;
      person = await tandem.registerAccount();
      const stranger = createHttpBrowser({ now: tandem.clock });
      const theirs = await enrol(stranger);
      const foreign = theirs.codes.forms.find(({ action }) => action.endsWith('/continue'))!.fields.find(([name]) => name === 'proof')![1];
      person = own;
      for (const proof of [foreign, `${Number(until) + 1}.${mac}`, `${until}.`, `${until}.${mac}x`, '.', 'NaN.x']) {
        const page = await browser.submit(codes, '/continue', { proof });
        assert.ok(asksForCode(page), `${proof}: ${page.url} ${page.text.slice(0, 200)}`);
      }
      tandem.clock.advance(15 * 60_000 + 1000);
      const late = await browser.submit(codes, '/continue');
      assert.ok(asksForCode(late));
      assert.equal((await idToken(await typeCode(browser, late, nextCode(secret))))['acr'], LEVEL_2);
      stranger.close();
    });

    it('once', async () => {
      const { codes } = await enrol();
      assert.ok(answerOf(await browser.submit(codes, '/continue')).get('code'));
      assert.equal((await browser.submit(codes, '/continue')).status, 410);
    });

    it('by the next code where the page of the codes is loaded again', async () => {
      const { link, secret } = await enrol();
      const page = await browser.get(`${link}/continue`);
      assert.ok(answerOf(await typeCode(browser, page, nextCode(secret))).get('code'));
    });

    it('at once where the account has codes already', async () => {
      await tandem.knex('tandem_recovery_sets').insert({ account_id: person.accountId, salt: 'x'.repeat(22), made_at: 0 });
      await tandem.knex('tandem_recovery_codes').insert({ account_id: person.accountId, hash: 'x', used_at: null });
      const { codes } = await enrol();
      assert.equal((await idToken(codes))['acr'], LEVEL_2);
    });
  });
});
