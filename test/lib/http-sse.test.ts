import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { openStream, type Stream } from '../../src/lib/http/sse.ts';
import { route } from '../../src/lib/http/route.ts';
import { startBareApp, type BareApp } from '../support/bare-app.ts';

describe('an event stream', () => {
  let app: BareApp;
  let opened: (stream: Stream) => void;

  beforeEach(async () => {
    app = await startBareApp((router) => {
      route(router, { method: 'GET', path: '/events', kind: 'sse' }, async (ctx) => opened(openStream(ctx)));
      route(router, { method: 'GET', path: '/refused', kind: 'sse' }, async (ctx) => ctx.throw(403, 'no'));
      route(router, { method: 'GET', path: '/breaks', kind: 'sse' }, async (ctx) => {
        openStream(ctx);
        throw new Error('too late for an answer');
      });
    });
  });
  afterEach(() => app.close());

  async function open() {
    const stream = new Promise<Stream>((resolve) => (opened = resolve));
    const abort = new AbortController();
    const answer = await fetch(`${app.url}/events`, { signal: abort.signal });
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    const next = async () => (await reader.read()).value;
    assert.equal(await next(), 'retry: 2000\n\n');
    return { stream: await stream, answer, next, abort };
  }

  it('sends events as they come', async () => {
    const { stream, answer, next } = await open();
    assert.match(answer.headers.get('content-type')!, /^text\/event-stream/);
    assert.equal(answer.headers.get('x-accel-buffering'), 'no');
    stream.send('state', { state: 'scanned' });
    assert.equal(await next(), 'event: state\ndata: {"state":"scanned"}\n\n');
  });

  it('is opened by no page of another site', async () => {
    for (const site of ['cross-site', 'same-site', 'nonsense']) {
      const answer = await fetch(`${app.url}/events`, { headers: { 'sec-fetch-site': site } });
      assert.deepEqual([answer.status, ((await answer.json()) as { error: string }).error], [403, 'access_denied'], site);
    }
    assert.equal(app.http.streams.size, 0);
    for (const site of ['same-origin', 'none']) {
      const stream = new Promise<Stream>((resolve) => (opened = resolve));
      const answer = await fetch(`${app.url}/events`, { headers: { 'sec-fetch-site': site } });
      assert.equal(answer.status, 200, site);
      (await stream).close();
      await answer.body!.cancel();
    }
  });

  it('is not held open for HEAD, which has no body to read', async () => {
    const answer = await fetch(`${app.url}/events`, { method: 'HEAD' });
    assert.equal(answer.status, 405);
  });

  it('lets no data break out of its event', async () => {
    const { stream, next } = await open();
    stream.send('frame', 'a\nevent: state\ndata: approved\r\n\r\nid: 1');
    assert.equal(await next(), 'event: frame\ndata: a\ndata: event: state\ndata: data: approved\ndata: \ndata: id: 1\n\n');
  });

  it('tells when the reader has gone, and forgets it', async () => {
    const { stream, abort } = await open();
    assert.equal(app.http.streams.size, 1);
    const closed = new Promise<void>((resolve) => stream.onClose(resolve));
    abort.abort();
    await closed;
    assert.equal(app.http.streams.size, 0);
    stream.send('state', {});
  });

  it('says nothing of a reader that has hung up, which is no error', async () => {
    const closed = new Promise<void>((resolve) => (opened = (stream) => stream.onClose(resolve)));
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data');
    socket.resetAndDestroy();
    await closed;
    await new Promise(setImmediate);
    assert.deepEqual([...app.uncaught, ...app.errors], []);
  });

  it('ends when it is closed, and all end with the server', async () => {
    const one = await open();
    one.stream.close();
    assert.equal(await one.next(), undefined);
    const two = await open();
    app.http.close();
    assert.equal(await two.next(), undefined);
  });

  it('answers as JSON what goes wrong before it is open, and breaks off after', async () => {
    const answer = await fetch(`${app.url}/refused`);
    assert.equal(answer.status, 403);
    assert.equal(((await answer.json()) as { error: string }).error, 'access_denied');
    await assert.rejects(async () => (await fetch(`${app.url}/breaks`)).text());
  });
});
