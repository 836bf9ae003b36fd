import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { openDatabase } from '../../src/index.ts';
import { createLog } from '../../src/server/log.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { raw, runningServers } from './running.ts';

describe('the server', () => {
  const { folder, running, start } = runningServers();

  it('tells that it lives and is ready, and answers health from nothing else', async () => {
    const { issuer } = await start();
    for (const path of ['/health/live', '/health/ready']) {
      const { status, body, headers } = await raw(issuer, path, {});
      assert.deepEqual([status, body, headers['cache-control']], [200, '{"status":"ok"}', 'no-store']);
    }
    assert.equal((await raw(issuer, '/health/other', {})).status, 404);
  });

  it('stops while a browser waits on a connection of its own', async () => {
    const { issuer } = await start();
    const socket = connect(Number(new URL(issuer).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data');
    await running.pop()!.close();
    await assert.rejects(raw(issuer, '/jwks', {}));
    socket.destroy();
  });

  it('ends the streams of waiting pages when it stops', async () => {
    const { issuer } = await start();
    const browser = createHttpBrowser();
    const signIn = await browser.get(`${issuer}/account`);
    const uid = /\/interaction\/([\w-]+)/.exec(signIn.url)![1]!;
    const csrf = signIn.forms.flatMap(({ fields }) => [...fields]).find(([name]) => name === 'csrf')![1];
    const started = await browser.post(`${issuer}/interaction/${uid}/qr/start`, { csrf }, { headers: { accept: 'application/json' } });
    assert.equal(started.status, 200, started.body);
    const stream = connect(Number(new URL(issuer).port), '127.0.0.1');
    await once(stream, 'connect');
    const cookie = browser.cookies.header(new URL(`${issuer}/interaction/${uid}/qr/events`));
    stream.write(`GET /interaction/${uid}/qr/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nCookie: ${cookie}\r\n\r\n`);
    const [head] = (await once(stream, 'data')) as [Buffer];
    assert.match(String(head), /^HTTP\/1\.1 200 [\s\S]*text\/event-stream/);
    let rest = '';
    stream.on('data', (chunk) => (rest += String(chunk)));
    const ended = once(stream, 'close');
    await running.pop()!.close();
    await ended;
    assert.ok(rest.endsWith('0\r\n\r\n'), 'the stream was ended, not cut off');
    browser.close();
  });

  it('leads a person at the bare address to their account', async () => {
    const { issuer } = await start();
    const { status, headers } = await raw(issuer, '/', { accept: 'text/html,*/*;q=0.8' });
    assert.deepEqual([status, headers.location], [302, `${issuer}/account`]);
    assert.equal((await raw(issuer, '/', {})).status, 404);
  });

  it('answers paths that nobody serves, by a page or as JSON', async () => {
    const { issuer } = await start();
    for (const path of ['/no/such/path', '/account/none', '/token', '/assets/none.js', '/%', '/assets/%E0']) {
      const page = await raw(issuer, path, { accept: 'text/html,*/*;q=0.8' });
      assert.equal(page.status, 404, path);
      assert.match(page.body, /<!doctype html>[^]*<html lang="en"/i, path);
      assert.match(page.headers['content-security-policy']!, /default-src 'none'/);
      const json = await raw(issuer, path, {});
      assert.deepEqual([json.status, (JSON.parse(json.body) as { error: string }).error], [404, 'not_found'], path);
    }
  });

  it('logs what breaks once, under a reference that the caller is told, and nothing of those who hang up', async () => {
    const lines: Array<Record<string, unknown>> = [];
    const out = new Writable({ write: (chunk, _encoding, done) => (lines.push(JSON.parse(String(chunk)) as Record<string, unknown>), done()) });
    const printed: unknown[] = [];
    const { error: print } = console;
    console.error = (...words: unknown[]) => void printed.push(words);
    const { issuer, config } = await start({ LOG_LEVEL: 'debug' }, createLog({ level: 'debug', production: true }, out));
    const problems = () => lines.filter(({ level }) => Number(level) >= 50);
    try {
      const socket = connect(Number(new URL(issuer).port), '127.0.0.1');
      socket.write('POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\n');
      await once(socket, 'connect');
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.resetAndDestroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.deepEqual(problems(), []);

      const knex = openDatabase(config.databaseUrl);
      await knex.schema.dropTable('tandem_oidc');
      await knex.destroy();
      const ticket = 'gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8';
      for (const [path, headers] of [['/auth?client_id=shop', { accept: 'text/html' }], ['/me', { authorization: `Bearer ${ticket}` }]] as const) {
        lines.length = 0;
        const answer = await raw(issuer, path, headers);
        assert.equal(answer.status, 500, answer.body);
        assert.equal(problems().length, 1, JSON.stringify(lines));
        const { reference } = problems()[0] as { reference: string };
        assert.match(reference, /^[\da-f-]{36}$/);
        assert.ok(answer.body.includes(reference), answer.body);
        assert.ok(!JSON.stringify(lines).includes(ticket), JSON.stringify(lines));
      }
    } finally {
      console.error = print;
    }
    assert.deepEqual(printed, []);
  });

  it('registers the clients of a file', async () => {
    const client = { client_id: 'shop', client_name: 'Shop', token_endpoint_auth_method: 'none', redirect_uris: ['https://shop.example/cb'] };
    await writeFile(folder.path('clients.json'), JSON.stringify([client]));
    const { issuer } = await start({ CLIENTS_FILE: folder.path('clients.json') });
    const query = new URLSearchParams({
      client_id: 'shop', response_type: 'code', scope: 'openid', redirect_uri: 'https://shop.example/cb',
      code_challenge: 'a'.repeat(43), code_challenge_method: 'S256', state: 'x',
    });
    const { headers } = await raw(issuer, `/auth?${query}`, {});
    assert.ok(headers.location?.startsWith(`${issuer}/interaction/`), headers.location);
  });

  it('keeps secrets out of the log, and what else an error carries', () => {
    let written = '';
    const out = new Writable({ write: (chunk, _encoding, done) => ((written += String(chunk)), done()) });
    for (const production of [true, false]) {
      const secretive = createLog({ level: 'info', production }, out);
      const error = Object.assign(new Error('it failed', { cause: new Error('because') }), { code: 'E1', detail: 's3cret', parameters: ['s3cret'] });
      secretive.error({ error, password: 's3cret', body: { client_secret: 's3cret', code: 's3cret', nested: { token: 's3cret' } }, account: 'ada' }, 'oops');
    }
    assert.ok(!written.includes('s3cret'), written);
    for (const word of ['it failed', 'because', 'E1', 'oops', 'ada']) assert.ok(written.includes(word), word);
    const [json, ...lines] = written.split('\n');
    assert.equal((JSON.parse(json!) as { level: number }).level, 50);
    assert.match(lines[0]!, /^\d\d:\d\d:\d\d error oops account=ada|^\d\d:\d\d:\d\d error oops/);
  });
});
