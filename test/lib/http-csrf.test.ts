import assert from 'node:assert/strict';
import { z } from 'zod';
import { newEncryptionKey } from '../../src/lib/key-ring.ts';
import { csrfToken } from '../../src/lib/http/csrf.ts';
import { route } from '../../src/lib/http/route.ts';
import type { Http } from '../../src/lib/http/http.ts';
import type Router from '@koa/router';
import { startBareApp, type BareApp } from '../support/bare-app.ts';

function define(router: Router, http: Http) {
  route(router, { method: 'GET', path: '/form', kind: 'page' }, async (ctx) => {
    ctx.body = csrfToken(ctx);
  });
  route(router, { method: 'POST', path: '/form', kind: 'form', body: z.object({ amount: z.string() }) }, async (ctx, { body }) => {
    ctx.body = { spent: body.amount, browser: http.browsers.hash(http.browsers.id(ctx)!) };
  });
}

/** The form as a browser gets it: its token, and the cookie that came with it. */
async function openForm(url: string) {
  const page = await fetch(`${url}/form`);
  return { token: await page.text(), cookie: page.headers.get('set-cookie')!.split(';')[0]! };
}

describe('the guard of forms', () => {
  let app: BareApp;
  before(async () => {
    app = await startBareApp(define);
  });
  after(() => app.close());

  const post = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${app.url}/form`, { method: 'POST', body: new URLSearchParams(fields), headers });

  async function refused(answer: Response) {
    assert.equal(answer.status, 403);
    const text = await answer.text();
    assert.ok(!text.includes('spent'));
  }

  it('lets the own form through', async () => {
    const { token, cookie } = await openForm(app.url);
    const headers = { cookie, origin: app.url, 'sec-fetch-site': 'same-origin' };
    const answer = await post({ amount: '1', csrf: token }, headers);
    assert.equal(answer.status, 200);
    assert.equal(((await answer.json()) as { spent: string }).spent, '1');
  });

  it('refuses a form without a token, and with a wrong one', async () => {
    const { cookie, token } = await openForm(app.url);
    for (const csrf of ['', 'x', token.slice(1), `${token}x`, token.toLowerCase()]) await refused(await post({ amount: '1', csrf }, { cookie }));
    await refused(await post({ amount: '1' }, { cookie }));
  });

  it("refuses another browser's token", async () => {
    const [victim, attacker] = [await openForm(app.url), await openForm(app.url)];
    await refused(await post({ amount: '1', csrf: attacker.token }, { cookie: victim.cookie }));
  });

  it('refuses a token without the cookie', async () => {
    const { token } = await openForm(app.url);
    await refused(await post({ amount: '1', csrf: token }));
    await refused(await post({ amount: '1', csrf: token }, { cookie: 'tandem=short' }));
  });

  it('refuses other origins even with the right token', async () => {
    const { token, cookie } = await openForm(app.url);
    for (const origin of ['https://evil.example', 'null', app.url.replace('127.0.0.1', 'localhost'), `${app.url}.evil.example`]) {
      await refused(await post({ amount: '1', csrf: token }, { cookie, origin }));
    }
    for (const site of ['cross-site', 'same-site']) {
      await refused(await post({ amount: '1', csrf: token }, { cookie, 'sec-fetch-site': site }));
    }
  });

  it('refuses content types that a page of another site can post without asking', async () => {
    const { token, cookie } = await openForm(app.url);
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/json']) {
      const answer = await fetch(`${app.url}/form`, {
        method: 'POST',
        body: `amount=1&csrf=${token}`,
        headers: { cookie, 'content-type': type },
      });
      assert.equal(answer.status, 415, type);
    }
  });

  it('refuses a field sent twice, and one that it does not know', async () => {
    const { token, cookie } = await openForm(app.url);
    const send = (body: string) =>
      fetch(`${app.url}/form`, { method: 'POST', body, headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' } });
    assert.equal((await send(`amount=1&amount=2&csrf=${token}`)).status, 400);
    assert.equal((await send(`amount=1&csrf=${token}&csrf=${token}`)).status, 400);
    assert.equal((await send(`amount=1&csrf=${token}&admin=1`)).status, 400);
    assert.equal((await send(`amount=1&csrf=${token}`)).status, 200);
  });

  it('answers our scripts in JSON, and browsers with a page', async () => {
    const json = await post({ amount: '1' }, { accept: 'application/json' });
    assert.deepEqual(Object.keys((await json.json()) as object), ['error', 'error_description']);
    const html = await post({ amount: '1' }, { accept: 'text/html,*/*;q=0.8' });
    assert.match(html.headers.get('content-type')!, /html/);
  });

  it('accepts tokens made under a key that has been replaced', async () => {
    const [older, newer] = [newEncryptionKey(), newEncryptionKey()];
    const before = await startBareApp(define, { keys: [older] });
    const form = await openForm(before.url);
    await before.close();
    const now = await startBareApp(define, { keys: [newer, older] });
    try {
      const body = new URLSearchParams({ amount: '1', csrf: form.token });
      assert.equal((await fetch(`${now.url}/form`, { method: 'POST', body, headers: { cookie: form.cookie } })).status, 200);
    } finally {
      await now.close();
    }
  });
});
