import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { z } from 'zod';
import { AppError } from '../../src/errors.ts';
import { route } from '../../src/lib/http/route.ts';
import { startBareApp, type BareApp } from '../support/bare-app.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('the route guard', () => {
  let app: BareApp;
  const taken: string[] = [];

  before(async () => {
    const limit = {
      async take(key: string) {
        taken.push(key);
        if (taken.length > 2) throw new AppError('rate_limited', 'too often', { retryAfter: 12.3 });
      },
      async check() {},
      async forget() {},
      async refund() {},
    };
    app = await startBareApp((router) => {
      route(router, { method: 'GET', path: '/page', kind: 'page', query: z.object({ a: z.string().optional() }) }, async (ctx, { query }) => {
        ctx.body = { a: query.a };
      });
      route(router, { method: 'POST', path: '/json', kind: 'json', body: z.object({ a: z.string() }) }, async (ctx, { body }) => {
        ctx.body = body;
      });
      route(router, { method: 'POST', path: '/empty', kind: 'json' }, async (ctx, { body }) => {
        ctx.body = body;
      });
      route(router, { method: 'POST', path: '/jose', kind: 'jose' }, async (ctx, { body }) => {
        ctx.body = { length: body.length };
      });
      route(router, { method: 'POST', path: '/api-form', kind: 'api-form', body: z.object({ a: z.string(), csrf: z.string().optional() }) }, async (ctx, { body }) => {
        ctx.body = body;
      });
      route(router, { method: 'DELETE', path: '/json', kind: 'json' }, async (ctx) => {
        ctx.body = {};
      });
      route(router, { method: 'GET', path: '/limited', kind: 'json', limit: { limit, by: () => 'everybody' } }, async (ctx) => {
        ctx.body = {};
      });
      route(router, { method: 'GET', path: '/breaks', kind: 'page' }, async () => {
        throw new Error('SELECT secret FROM vault');
      });
      route(router, { method: 'POST', path: '/breaks', kind: 'json' }, async () => {
        throw new TypeError('SELECT secret FROM vault');
      });
      route(router, { method: 'GET', path: '/gone', kind: 'page' }, async () => {
        throw new AppError('not_found', '<script>alert(1)</script>', { extra: { hint: 'x' } });
      });
      route(router, { method: 'POST', path: '/gone', kind: 'json' }, async () => {
        throw new AppError('not_found', 'nothing here', { extra: { hint: 'x', error: 'overwritten' } });
      });
      route(router, { method: 'GET', path: '/koa', kind: 'json' }, async (ctx) => ctx.throw(403, 'no entry'));
    });
  });
  after(() => app.close());

  const send = (path: string, body: string | Uint8Array, headers: Record<string, string> = JSON_TYPE) =>
    fetch(app.url + path, { method: 'POST', body: body as never, headers });
  const errorOf = async (answer: Response) => (await answer.json()) as { error: string; error_description: string; [more: string]: unknown };

  it('hands on what the schema accepts', async () => {
    const answer = await send('/json', '{"a":"ü"}');
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), { a: 'ü' });
  });

  it('takes an empty body as an empty object', async () => {
    const answer = await fetch(`${app.url}/empty`, { method: 'POST' });
    assert.equal(answer.status, 200);
  });

  for (const [title, body] of Object.entries({
    'broken JSON': '{"a":',
    'JSON that is no object': '[]',
    'a JSON string': '"a"',
    null: 'null',
    'a missing field': '{}',
    'a field of another type': '{"a":1}',
    'text that is not UTF-8': new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
  })) {
    it(`refuses ${title} with 400 and a reason`, async () => {
      const answer = await send('/json', body);
      assert.equal(answer.status, 400);
      const { error, error_description } = await errorOf(answer);
      assert.equal(error, 'invalid_request');
      assert.ok(error_description.length > 3);
    });
  }

  it('names the field that is wrong, and the field that it does not know', async () => {
    assert.match((await errorOf(await send('/json', '{"a":1}'))).error_description, /"a"/);
    assert.match((await errorOf(await send('/json', '{"a":"x","isAdmin":true}'))).error_description, /"isAdmin"/);
    assert.match((await errorOf(await send('/json', '{"a":"x","__proto__":{"x":1}}'))).error_description, /__proto__/);
  });

  it('refuses other content types with 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', '']) {
      const answer = await send('/json', '{"a":"x"}', { 'content-type': type });
      assert.equal(answer.status, 415, type);
      assert.equal((await errorOf(answer)).error, 'unsupported_media_type');
    }
    assert.equal((await send('/jose', 'a.b.c')).status, 415);
    assert.equal((await send('/jose', 'a.b.c', { 'content-type': 'application/jose; charset=utf-8' })).status, 200);
    assert.equal((await send('/jose', '{}', { 'content-type': 'application/jose+json' })).status, 200);
  });

  describe('a form from a program', () => {
    const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
    const form = (text: string, headers: Record<string, string> = {}) => send('/api-form', text, { ...FORM, ...headers });

    it('needs no token, and has no field that is not its own', async () => {
      const answer = await form('a=%C3%BC+%26');
      assert.equal(answer.status, 200);
      assert.deepEqual(await answer.json(), { a: 'ü &' });
      assert.deepEqual(await (await form('a=x&csrf=y')).json(), { a: 'x', csrf: 'y' });
      for (const text of ['', 'b=x', 'a=x&b=y', 'a=x&a=y']) assert.equal((await form(text, { accept: 'text/html' })).status, 400, text);
    });

    it('answers in JSON, whatever Accept says', async () => {
      const answer = await form('b=x', { accept: 'text/html' });
      assert.match(answer.headers.get('content-type')!, /^application\/json/);
      assert.equal((await send('/api-form', '{"a":"x"}')).status, 415);
    });

    it('is not for the pages of other sites', async () => {
      for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site', origin: app.url }]) {
        const answer = await form('a=x', headers as Record<string, string>);
        assert.equal(answer.status, 403, JSON.stringify(headers));
        assert.equal((await errorOf(answer)).error, 'access_denied');
      }
      assert.equal((await form('a=x', { origin: app.url, 'sec-fetch-site': 'same-origin' })).status, 200);
      assert.equal((await form('a=x', { 'sec-fetch-site': 'none' })).status, 200);
    });

    it('leaves a caller to the route who brings credentials, which no other site can add', async () => {
      assert.equal((await form('a=x', { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site', authorization: 'Basic eDp5' })).status, 200);
    });
  });

  it('refuses a compressed body, which could be a bomb', async () => {
    const answer = await send('/json', '{"a":"x"}', { ...JSON_TYPE, 'content-encoding': 'gzip' });
    assert.equal(answer.status, 415);
  });

  it('takes 64 KiB and not one byte more', async () => {
    const type = { 'content-type': 'application/jose' };
    assert.equal((await send('/jose', 'x'.repeat(65_536), type)).status, 200);
    const answer = await send('/jose', 'x'.repeat(65_537), type);
    assert.equal(answer.status, 413);
    assert.equal((await errorOf(answer)).error, 'payload_too_large');
  });

  it('counts the bytes of a body that does not say its length', async () => {
    const chunk = new TextEncoder().encode('x'.repeat(10_000));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if ((sent += 1) > 8) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const answer = await fetch(`${app.url}/jose`, { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/jose' } } as never);
    assert.equal(answer.status, 413);
  });

  it('survives a body that breaks off', async () => {
    const { hostname, port } = new URL(app.url);
    const before = app.errors.length;
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write('POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":');
        setTimeout(() => socket.destroy(), 20);
      });
      socket.once('close', () => resolve());
    });
    assert.equal((await send('/json', '{"a":"x"}')).status, 200);
    assert.equal(app.errors.length, before, 'a caller that goes away is no error of ours');
  });

  it('answers 405 with Allow where the path is known and the method is not', async () => {
    const answer = await fetch(`${app.url}/json`, { method: 'PUT' });
    assert.equal(answer.status, 405);
    assert.deepEqual(answer.headers.get('allow')!.split(', ').sort(), ['DELETE', 'POST']);
    assert.equal((await errorOf(answer)).error, 'method_not_allowed');
    const page = await fetch(`${app.url}/page`, { method: 'POST', headers: { accept: 'text/html' } });
    assert.equal(page.status, 405);
    assert.match(page.headers.get('content-type')!, /html/);
  });

  it('leaves unknown paths to whoever comes next', async () => {
    const answer = await fetch(`${app.url}/unknown`);
    assert.equal(answer.status, 404);
    assert.equal(await answer.text(), 'Not Found');
  });

  it('ignores what other sites add to the query of a page, and refuses what is sent twice', async () => {
    assert.deepEqual(await (await fetch(`${app.url}/page?a=1&utm_source=x`)).json(), { a: '1' });
    assert.equal((await fetch(`${app.url}/page?a=1&a=2`)).status, 400);
  });

  it('tells how long to wait', async () => {
    taken.length = 0;
    await fetch(`${app.url}/limited`);
    await fetch(`${app.url}/limited`);
    const answer = await fetch(`${app.url}/limited`);
    assert.equal(answer.status, 429);
    assert.equal(answer.headers.get('retry-after'), '13');
    assert.deepEqual(taken, ['everybody', 'everybody', 'everybody']);
  });

  it('hides the unexpected behind a reference into the log', async () => {
    for (const method of ['GET', 'POST']) {
      app.errors.length = 0;
      const answer = await fetch(`${app.url}/breaks`, { method });
      assert.equal(answer.status, 500);
      const text = await answer.text();
      assert.doesNotMatch(text, /SELECT|vault|TypeError|\.ts|at \w+ \(|node_modules/);
      const [logged] = app.errors as Array<{ reference: string; err: Error }>;
      assert.ok(logged && text.includes(logged.reference), 'the reference is in both');
      assert.match(logged.err.message, /vault/);
      assert.equal(app.errors.length, 1, 'logged once');
    }
  });

  it('shapes errors for people as pages and for programs as JSON', async () => {
    const page = await fetch(`${app.url}/gone`, { headers: { 'accept-language': 'nl-BE,nl;q=0.9,en;q=0.5' } });
    assert.equal(page.status, 404);
    assert.match(page.headers.get('content-type')!, /text\/html/);
    const html = await page.text();
    assert.match(html, /<html lang="nl">/);
    assert.match(html, /Pagina niet gevonden/);
    assert.ok(!html.includes('<script>alert'), 'escaped');

    const json = await fetch(`${app.url}/gone`, { method: 'POST' });
    assert.deepEqual(await json.json(), { hint: 'x', error: 'not_found', error_description: 'nothing here' });
  });

  it('tells errors that Koa and the provider throw in the same shape', async () => {
    const answer = await fetch(`${app.url}/koa`);
    assert.equal(answer.status, 403);
    assert.deepEqual(await answer.json(), { error: 'access_denied', error_description: 'no entry' });
  });

  it('sends the security headers with every answer, errors included', async () => {
    for (const path of ['/page', '/gone', '/breaks']) {
      const { headers } = await fetch(app.url + path);
      assert.equal(headers.get('cache-control'), 'no-store', path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('referrer-policy'), 'same-origin');
      assert.equal(headers.get('x-frame-options'), 'DENY');
      const csp = headers.get('content-security-policy')!;
      for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
        assert.ok(csp.includes(part), part);
      }
      assert.doesNotMatch(csp, /unsafe-inline|unsafe-eval|form-action/);
    }
    const { headers } = await send('/json', '{}');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  });

  it('reads what a body parser of the host has read before', async () => {
    const { bodyParser } = await import('@koa/bodyparser');
    const host = await startBareApp(
      (router, http) => {
        route(router, { method: 'GET', path: '/t', kind: 'page' }, async (ctx) => void (ctx.body = http.csrf.token(ctx)));
        route(router, { method: 'POST', path: '/f', kind: 'form', body: z.object({ a: z.string() }) }, async (ctx, { body }) => void (ctx.body = body));
        route(router, { method: 'POST', path: '/j', kind: 'json', body: z.object({ a: z.string() }) }, async (ctx, { body }) => void (ctx.body = body));
      },
      { before: bodyParser() as never },
    );
    try {
      const page = await fetch(`${host.url}/t`);
      const cookie = page.headers.get('set-cookie')!.split(';')[0]!;
      const form = new URLSearchParams({ a: 'ü & ö', csrf: await page.text() });
      assert.deepEqual(await (await fetch(`${host.url}/f`, { method: 'POST', body: form, headers: { cookie } })).json(), { a: 'ü & ö' });
      assert.deepEqual(await (await fetch(`${host.url}/j`, { method: 'POST', body: '{"a":"x"}', headers: JSON_TYPE })).json(), { a: 'x' });
    } finally {
      await host.close();
    }
  });
});
