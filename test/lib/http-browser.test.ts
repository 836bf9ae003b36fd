import assert from 'node:assert/strict';
import type Router from '@koa/router';
import { newEncryptionKey } from '../../src/lib/key-ring.ts';
import type { Http } from '../../src/lib/http/http.ts';
import { route } from '../../src/lib/http/route.ts';
import { describeBrowser } from '../../src/lib/http/user-agent.ts';
import { startBareApp, type BareApp } from '../support/bare-app.ts';

function define(router: Router, { browsers }: Http) {
  route(router, { method: 'GET', path: '/id', kind: 'json' }, async (ctx) => {
    ctx.body = { before: browsers.id(ctx) ?? null, id: browsers.ensure(ctx), again: browsers.ensure(ctx) };
  });
  route(router, { method: 'GET', path: '/remember/:account', kind: 'json' }, async (ctx) => {
    browsers.remember(ctx, ctx.params['account']!);
    ctx.body = {};
  });
  route(router, { method: 'GET', path: '/knows/:account', kind: 'json' }, async (ctx) => {
    const marks = browsers.knownAccounts(ctx);
    ctx.body = { knows: browsers.knows(marks, ctx.params['account']!), at: browsers.lastSignIn(marks, ctx.params['account']!) ?? null, marks };
  });
  route(router, { method: 'GET', path: '/agent', kind: 'json' }, async (ctx) => {
    ctx.body = describeBrowser(ctx);
  });
}

const cookieOf = (answer: Response) => answer.headers.getSetCookie().map((each) => each.split(';')[0]!).join('; ');

describe('the browser cookie', () => {
  let app: BareApp;
  before(async () => {
    app = await startBareApp(define);
  });
  after(() => app.close());

  const get = async <T>(path: string, cookie = '') => {
    const answer = await fetch(app.url + path, { headers: { cookie } });
    return { answer, cookie: cookieOf(answer), body: (await answer.json()) as T };
  };

  it('is set once, and then kept', async () => {
    const first = await get<{ before: null; id: string; again: string }>('/id');
    assert.equal(first.body.before, null);
    assert.equal(first.body.id, first.body.again);
    assert.equal(Buffer.from(first.body.id, 'base64url').length, 32);
    assert.equal(first.answer.headers.getSetCookie().length, 1);
    const second = await get<{ before: string }>('/id', first.cookie);
    assert.equal(second.body.before, first.body.id);
    assert.equal(second.answer.headers.getSetCookie().length, 0);
  });

  it('is replaced when it is no identifier of ours', async () => {
    for (const bad of ['tandem=', 'tandem=short', `tandem=${'x'.repeat(44)}`, `tandem=${'!'.repeat(43)}`]) {
      const { body } = await get<{ before: null }>('/id', bad);
      assert.equal(body.before, null, bad);
    }
  });

  it('carries no Secure on http loopback, and the __Host- prefix on https', async () => {
    const loopback = (await get('/id')).answer.headers.get('set-cookie')!;
    assert.match(loopback, /^tandem=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
    // Behind a proxy that ends TLS, the request itself is http.
    const https = await startBareApp(define, { issuer: 'https://id.example.com' });
    try {
      const cookie = (await fetch(`${https.url}/id`)).headers.get('set-cookie')!;
      assert.match(cookie, /^__Host-tandem=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
    } finally {
      await https.close();
    }
  });

  it('remembers the accounts that have signed in, newest first and ten at most', async () => {
    let cookie = '';
    for (let n = 0; n < 12; n += 1) cookie = (await get(`/remember/account-${n}`, cookie)).cookie;
    const knows = async (account: string) => (await get<{ knows: boolean; marks: string[] }>(`/knows/${account}`, cookie)).body;
    assert.equal((await knows('account-11')).knows, true);
    assert.equal((await knows('account-2')).knows, true);
    assert.equal((await knows('account-1')).knows, false, 'forgotten');
    assert.equal((await knows('someone-else')).knows, false);
    assert.equal((await knows('account-11')).marks.length, 10);
    cookie = (await get('/remember/account-5', cookie)).cookie;
    assert.equal((await knows('account-2')).knows, true, 'nobody is forgotten for one who is known already');
  });

  it('tells when an account last signed in, and of nothing that was not dated', async () => {
    const times: number[] = [];
    let cookie = '';
    for (const account of ['ada', 'bea', 'ada']) {
      times.push(Date.now());
      ({ cookie } = await get(`/remember/${account}`, cookie));
    }
    const at = async (account: string) => (await get<{ at: number | null }>(`/knows/${account}`, cookie)).body.at;
    assert.ok((await at('ada'))! >= times[2]! && (await at('ada'))! <= Date.now());
    assert.ok((await at('bea'))! >= times[1]!);
    assert.equal(await at('eve'), null);
    const newer = cookie.replace(/:\w+/, ':zzzzzzzz');
    assert.equal((await get<{ at: number | null }>('/knows/ada', newer)).body.at, null, 'a date that nobody signed');
  });

  it('does not say whose accounts they are', async () => {
    const { answer, cookie } = await get('/remember/ada');
    assert.ok(!cookie.includes('ada'));
    assert.match(answer.headers.get('set-cookie')!, /Max-Age=31536000/);
  });

  it('knows nobody when the list has been altered', async () => {
    const { cookie } = await get('/remember/ada');
    const mallory = (await get('/remember/mallory')).cookie;
    const [list] = cookie.slice('tandem-known='.length).split('~');
    const signature = mallory.split('~')[1];
    for (const forged of [`${cookie}x`, `tandem-known=${list}~${signature}`, `tandem-known=${list}`, `tandem-known=${list}~`, 'tandem-known=~']) {
      assert.equal((await get<{ knows: boolean }>('/knows/ada', forged)).body.knows, false, forged);
    }
    assert.equal((await get<{ knows: boolean }>('/knows/ada', cookie)).body.knows, true);
  });

  it('still knows after the key has been replaced', async () => {
    const [older, newer] = [newEncryptionKey(), newEncryptionKey()];
    const before = await startBareApp(define, { keys: [older] });
    const cookie = cookieOf(await fetch(`${before.url}/remember/ada`));
    await before.close();
    const now = await startBareApp(define, { keys: [newer, older] });
    try {
      const { knows } = (await (await fetch(`${now.url}/knows/ada`, { headers: { cookie } })).json()) as { knows: boolean };
      assert.equal(knows, true);
    } finally {
      await now.close();
    }
  });

  const AGENTS: ReadonlyArray<readonly [string, string, string, boolean]> = [
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox', 'Windows', false],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36 Edg/147.0.0.0', 'Edge', 'Windows', false],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15', 'Safari', 'macOS', false],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1', 'Safari', 'iPhone', true],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/147.0.0.0 Mobile/15E148 Safari/604.1', 'Chrome', 'iPhone', true],
    ['Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Mobile Safari/537.36', 'Chrome', 'Android', true],
    ['Mozilla/5.0 (Linux; Android 15; SAMSUNG SM-S938B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36', 'Samsung Internet', 'Android', true],
    ['Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36', 'Chrome', 'ChromeOS', false],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox', 'Linux', false],
    ['curl/8.5.0', 'Browser', 'Unknown system', false],
    ['<script>alert(1)</script>', 'Browser', 'Unknown system', false],
    ['', 'Browser', 'Unknown system', false],
  ];
  for (const [agent, family, os, mobile] of AGENTS) {
    it(`calls ${agent.slice(0, 60) || 'nothing'}… ${family} on ${os}`, async () => {
      const answer = await fetch(`${app.url}/agent`, { headers: { 'user-agent': agent } });
      assert.deepEqual(await answer.json(), { family, os, mobile });
    });
  }
});
