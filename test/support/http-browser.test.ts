import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpBrowser } from './http-browser.ts';

describe('the browser of the HTTP tests', () => {
  let origin: string;
  let seen: Array<{ method: string; url: string; headers: http.IncomingHttpHeaders; body: string }>;
  let answers: Record<string, [number, Record<string, string | string[]>, string]>;
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      const [status, headers, text] = answers[request.url!] ?? [200, {}, 'ok'];
      response.writeHead(status, headers).end(text);
    });
  });

  before((done) => {
    server.listen(0, 'localhost', () => {
      origin = `http://localhost:${(server.address() as AddressInfo).port}`;
      done();
    });
  });
  after((done) => {
    server.close(done);
    server.closeAllConnections();
  });
  beforeEach(() => {
    seen = [];
    answers = {};
  });

  it('sends a cookie only below its path, and forgets it when it expires', async () => {
    let now = Date.now();
    const browser = createHttpBrowser({ now: () => now });
    answers['/set'] = [200, { 'set-cookie': ['a=1; Path=/deep', 'b=2; Path=/; Max-Age=60; HttpOnly', '__Host-c=3; Path=/x; Secure'] }, ''];
    await browser.get(`${origin}/set`);
    await browser.get(`${origin}/deeper`);
    await browser.get(`${origin}/deep/er`);
    now += 61_000;
    await browser.get(`${origin}/deep`);
    assert.deepEqual(seen.map(({ headers }) => headers.cookie), [undefined, 'b=2', 'a=1; b=2', 'a=1']);
    browser.close();
  });

  it('hides HttpOnly cookies from scripts, and sends Secure ones to a loopback host only', async () => {
    const browser = createHttpBrowser();
    answers['/set'] = [200, { 'set-cookie': ['a=1; Path=/; HttpOnly', 'b=2; Path=/; Secure'] }, ''];
    await browser.get(`${origin}/set`);
    assert.equal(browser.cookies.readable(new URL(origin)), 'b=2');
    assert.equal(browser.cookies.header(new URL(origin)), 'a=1; b=2');
    browser.cookies.store(new URL('http://id.example/'), ['c=3; Secure']);
    assert.equal(browser.cookies.header(new URL('http://id.example/')), undefined);
    browser.close();
  });

  it('turns a post into a get after 303, repeats it after 307, and stops at addresses that nobody answers', async () => {
    const browser = createHttpBrowser();
    answers['/303'] = [303, { location: '/next' }, ''];
    answers['/307'] = [307, { location: '/next' }, ''];
    answers['/out'] = [303, { location: 'http://localhost:1/cb?code=x' }, ''];
    await browser.post(`${origin}/303`, { a: 'b' });
    await browser.post(`${origin}/307`, { a: 'b' });
    const page = await browser.get(`${origin}/out`);
    assert.deepEqual(seen.map(({ method, body }) => `${method} ${body}`), ['POST a=b', 'GET ', 'POST a=b', 'POST a=b', 'GET ']);
    assert.equal(page.url, 'http://localhost:1/cb?code=x');
    browser.close();
  });

  it('gives up on a redirect loop', async () => {
    const browser = createHttpBrowser({ hops: 3 });
    answers['/loop'] = [302, { location: '/loop' }, ''];
    await assert.rejects(browser.get(`${origin}/loop`), /more than 3 redirects/);
    browser.close();
  });

  it('sends a form with its hidden fields, the button pressed, and the origin of its page', async () => {
    const browser = createHttpBrowser();
    answers['/page'] = [200, {}, `<title>A &amp; B</title><form method="post" action="/a"><input name="x"></form>
      <form method="post" action="/go?q=1"><input type="hidden" name="csrf" value="t&quot;k"><input type="checkbox" name="no">
      <select name="s"><option value="1">1</option><option value="2" selected>2</option></select>
      <button name="do" value="deny">Deny</button><button name="do" value="yes">Approve <b>it</b></button></form>`];
    const page = await browser.get(`${origin}/page`);
    assert.equal(page.title, 'A & B');
    await browser.submit(page, 'Approve it', { email: 'a@b' });
    const sent = seen.at(-1)!;
    assert.equal(sent.url, '/go?q=1');
    assert.deepEqual(Object.fromEntries(new URLSearchParams(sent.body)), { csrf: 't"k', s: '2', do: 'yes', email: 'a@b' });
    assert.equal(sent.headers.origin, origin);
    assert.equal(sent.headers['sec-fetch-site'], 'same-origin');
    await assert.rejects(browser.submit(page, 'Nothing'), /no form "Nothing"/);
    browser.close();
  });
});
