import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { CALLBACK, startTandem, type TestTandem } from '../support/tandem.ts';
import { answerOf, authorizationUrl, pkce, signInAndConsent } from './helpers.ts';

onEachDatabase('of a hundred uses at once', (database) => {
  let tandem: TestTandem;
  before(async () => (tandem = await startTandem(database)));
  after(() => tandem.close());
  const hundred = Array.from({ length: 100 });
  const basic = `Basic ${Buffer.from(`rp:${'rp-secret-'.repeat(4).slice(0, -1)}`).toString('base64')}`;

  function post(path: string, fields: Record<string, string>) {
    return fetch(tandem.url(path), { method: 'POST', headers: { authorization: basic }, body: new URLSearchParams(fields) });
  }

  async function newCode(parameters: Record<string, string> = {}) {
    const { verifier, challenge } = pkce();
    const browser = createHttpBrowser();
    const page = await browser.get(authorizationUrl(tandem, { code_challenge: challenge, ...parameters }));
    const code = answerOf(await signInAndConsent(browser, page, await tandem.registerAccount())).get('code')!;
    return { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
  }

  /** One is answered, and all others are refused by `error`. */
  async function oneWins(path: string, fields: Record<string, string>, error: string) {
    const answers = await Promise.all(hundred.map(() => post(path, fields)));
    const refused = await Promise.all(answers.filter(({ ok }) => !ok).map((answer) => answer.json() as Promise<{ error: string }>));
    assert.equal(refused.length, 99);
    assert.deepEqual([...new Set(refused.map((answer) => answer.error))], [error]);
    return (await answers.find(({ ok }) => ok)!.json()) as Record<string, string>;
  }

  // What is used in the same moment may be one client's retry; what comes after is a replay, and ends all.
  it('of a code, one gets tokens, and they end with the next', async () => {
    const code = await newCode();
    const tokens = await oneWins('/token', code, 'invalid_grant');
    assert.equal((await post('/token', code)).status, 400);
    const answer = await fetch(tandem.url('/me'), { headers: { authorization: `Bearer ${tokens['access_token']}` } });
    assert.equal(answer.status, 401);
  });

  it('of a refresh token, one gets another, and it ends with the next', async () => {
    const first = (await (await post('/token', await newCode({ scope: 'openid offline_access', prompt: 'consent' }))).json()) as Record<string, string>;
    const refresh = { grant_type: 'refresh_token', refresh_token: first['refresh_token']! };
    const next = await oneWins('/token', refresh, 'invalid_grant');
    assert.equal((await post('/token', refresh)).status, 400);
    assert.equal((await post('/token', { ...refresh, refresh_token: next['refresh_token']! })).status, 400);
  });

  it('of a pushed request, one gets a code', async () => {
    const pushed = new URL(authorizationUrl(tandem)).searchParams;
    const { request_uri: uri } = (await (await post('/request', Object.fromEntries(pushed))).json()) as { request_uri: string };
    const browser = createHttpBrowser();
    await signInAndConsent(browser, await browser.get(authorizationUrl(tandem)), await tandem.registerAccount());
    const pages = await Promise.all(hundred.map(() => browser.get(tandem.url(`/auth?${new URLSearchParams({ client_id: 'rp', request_uri: uri }).toString()}`))));
    const refused = pages.filter(({ url }) => !url.includes('code='));
    assert.equal(refused.length, 99);
    // At the client, where the request had been read before another used it up.
    for (const { url, status } of refused) assert.ok(url.startsWith(CALLBACK) ? url.includes('error=invalid_request_uri') : status === 400, `${status} ${url}`);
  });
});
