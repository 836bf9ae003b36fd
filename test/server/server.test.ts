import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { request } from 'node:http';
import { get } from 'node:https';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';
import { openDatabase } from '../../src/index.ts';
import { openTandem, startServer } from '../../src/server/app.ts';
import type { RunningServer } from '../../src/server/app.ts';
import { readConfig } from '../../src/server/config.ts';
import { createLog } from '../../src/server/log.ts';
import { CERTIFICATE, CERTIFICATE_KEY } from '../support/certificate.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import type { Page } from '../support/http-browser.ts';
import { temporaryFolder } from './program.ts';

const key = randomBytes(32).toString('base64url');
const demoProgram = new URL('../../src/demo/main.ts', import.meta.url);
const log = createLog({ level: 'silent', production: true });

describe('the server', () => {
  const folder = temporaryFolder();
  const running: RunningServer[] = [];
  afterEach(async () => {
    for (const server of running.splice(0)) await server.close();
  });

  async function start(env: Record<string, string> = {}, to = log) {
    const name = `${randomBytes(4).toString('hex')}.sqlite`;
    const config = readConfig({ DATABASE_URL: folder.url(name), ENCRYPTION_KEY: key, PORT: '0', DEMO: 'false', ...env });
    const server = await startServer(config, { log: to, demoProgram });
    running.push(server);
    return { ...server, config };
  }

  const FORGED = {
    'host': 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '444',
    'forwarded': 'host=evil.example;proto=https',
    'x-forwarded-prefix': '/evil',
  };

  for (const proxies of ['0', '1']) {
    it(`takes its URLs from the issuer, whatever the Host, behind ${proxies} proxies`, async () => {
      const { issuer } = await start({ TRUST_PROXY: proxies });
      const { body } = await raw(issuer, '/.well-known/openid-configuration', FORGED);
      const metadata = JSON.parse(body) as Record<string, unknown>;
      assert.equal(metadata['issuer'], issuer);
      assert.ok(!body.includes('evil.example'));
      for (const [name, value] of Object.entries(metadata)) {
        if (name.endsWith('_endpoint') || name === 'jwks_uri') assert.ok(String(value).startsWith(`${issuer}/`), name);
      }
      const account = await raw(issuer, '/account', { ...FORGED, accept: 'text/html' });
      assert.ok(account.headers.location?.startsWith(`${issuer}/`));
      const page = await raw(issuer, '/account/register', { ...FORGED, accept: 'text/html' });
      assert.equal(page.status, 200);
      assert.ok(!page.body.includes('evil.example'));
    });
  }

  /** The address that the audit log keeps of somebody who registers. */
  async function addressOf(env: Record<string, string>, headers: Record<string, string>): Promise<string> {
    const { issuer, config } = await start(env);
    const browser = createHttpBrowser({ headers });
    const page = await browser.get(`${issuer}/account/register`);
    const done = await browser.submit(page, 0, { email: 'ada@example.com', password: 'difference engine no. 2', name: 'Ada' });
    assert.ok(done.status < 400, String(done.status));
    const knex = openDatabase(config.databaseUrl);
    try {
      const event = await knex('tandem_events').where({ name: 'account.registered' }).first();
      return event.address;
    } finally {
      await knex.destroy();
    }
  }

  it('believes nobody about the caller’s address, unless a proxy is trusted', async () => {
    const lie = { 'x-forwarded-for': '203.0.113.7' };
    assert.match(await addressOf({}, lie), /^(::ffff:)?127\.0\.0\.1$/);
    assert.equal(await addressOf({ TRUST_PROXY: '1' }, lie), '203.0.113.7');
  });

  it('believes a trusted proxy only for what that proxy itself has seen', async () => {
    const lies = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' };
    assert.equal(await addressOf({ TRUST_PROXY: '1' }, lies), '203.0.113.7');
    assert.equal(await addressOf({ TRUST_PROXY: '2' }, lies), '198.51.100.1');
  });

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

  for (const proxies of ['0', '1']) {
    it(`sets Secure cookies for an https issuer though the request came by http, behind ${proxies} proxies`, async () => {
      const { config } = await start({ ISSUER: 'https://id.example.com', TRUST_PROXY: proxies, PORT: String(await freePort()) });
      const { status, headers } = await raw(`http://localhost:${config.port}`, '/account', { accept: 'text/html' });
      assert.equal(status, 303);
      assert.ok(headers.location?.startsWith('https://id.example.com/auth?'));
      const { pathname, search } = new URL(headers.location!);
      const authorization = await raw(`http://localhost:${config.port}`, pathname + search, { accept: 'text/html' });
      assert.equal(authorization.status, 303, authorization.body);
      const cookies = [authorization.headers['set-cookie'] ?? []].flat() as string[];
      assert.ok(cookies.length > 0 && cookies.every((cookie) => /; secure/i.test(cookie)), cookies.join('\n'));
    });
  }

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

  it('tells browsers of an https issuer to come by https alone, in production', async () => {
    for (const [scheme, environment, expected] of [['https', 'production', 'max-age=31536000'], ['http', 'production', undefined], ['https', 'development', undefined]] as const) {
      const port = await freePort();
      await start({ NODE_ENV: environment, ISSUER: `${scheme}://localhost:${port}`, PORT: String(port), HOST: '127.0.0.1' });
      for (const path of ['/.well-known/openid-configuration', '/account/register', '/none']) {
        const { headers } = await raw(`http://localhost:${port}`, path, {});
        assert.equal(headers['strict-transport-security'], expected, `${environment} ${scheme} ${path}`);
      }
    }
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

  it('serves https where a certificate is given', async () => {
    const [cert, keyFile] = [folder.path('cert.pem'), folder.path('key.pem')];
    await writeFile(cert, CERTIFICATE);
    await writeFile(keyFile, CERTIFICATE_KEY);
    const { issuer } = await start({ TLS_CERT: cert, TLS_KEY: keyFile });
    assert.match(issuer, /^https:\/\/localhost:\d+$/);
    const body = await new Promise<string>((resolve, reject) => {
      get(`${issuer}/.well-known/openid-configuration`, { ca: CERTIFICATE }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text));
      }).on('error', reject);
    });
    assert.equal((JSON.parse(body) as { issuer: string }).issuer, issuer);
    await assert.rejects(start({ TLS_CERT: keyFile, TLS_KEY: cert }), /^ConfigError: TLS_CERT: .*must be a PEM certificate/);
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

onEachDatabase('rotation under a running server', (database) => {
  const folder = temporaryFolder();
  const person = { email: 'ada@example.com', password: 'difference engine no. 2' };
  const callback = 'http://localhost:1/cb';

  it('is taken into use without breaking sign-ins under way or tokens alive', async () => {
    const client = { client_id: 'spa', token_endpoint_auth_method: 'none', redirect_uris: [callback], id_token_signed_response_alg: 'RS256' };
    await writeFile(folder.path('clients.json'), JSON.stringify([client]));
    const config = readConfig({
      DATABASE_URL: await database.url(), ENCRYPTION_KEY: key, PORT: '0', DEMO: 'false', CLIENTS_FILE: folder.path('clients.json'),
    });
    const server = await startServer(config, { log, demoProgram });
    const { issuer } = server;
    const browser = createHttpBrowser();
    const jwks = async () => (await (await fetch(`${issuer}/jwks`)).json()) as JSONWebKeySet;
    const verifier = 'v'.repeat(43);

    async function ask() {
      const query = new URLSearchParams({
        client_id: 'spa', response_type: 'code', scope: 'openid', redirect_uri: callback, state: 's', prompt: 'login consent',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
      });
      return browser.get(`${issuer}/auth?${query}`);
    }

    /** From the sign-in page to the ID token. */
    async function finish(signIn: Page): Promise<string> {
      const consent = await browser.submit(signIn, '/password', person);
      const back = await browser.submit(consent, '/consent');
      const code = new URL(back.url).searchParams.get('code');
      assert.ok(code, back.url);
      const body = new URLSearchParams({ client_id: 'spa', grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier });
      const answer = (await (await fetch(`${issuer}/token`, { method: 'POST', body })).json()) as { id_token: string };
      return answer.id_token;
    }

    try {
      await browser.submit(await browser.get(`${issuer}/account/register`), 0, { ...person, name: 'Ada' });
      const before = await jwks();
      const old = await finish(await ask());
      const underWay = await ask();
      assert.equal(await server.refreshKeys(), false, 'nothing has changed yet');

      const commandLine = await openTandem(config, { issuer, log });
      await commandLine.t.keys.rotate({ now: true });
      await commandLine.close();
      assert.equal(await server.refreshKeys(), true);
      assert.equal(await server.refreshKeys(), false);

      const after = await jwks();
      assert.ok(after.keys.every(({ d, p }) => d === undefined && p === undefined), 'no private part is published');
      const recent = await finish(underWay);
      assert.notEqual(decodeProtectedHeader(recent).kid, decodeProtectedHeader(old).kid);
      await jwtVerify(old, createLocalJWKSet(after), { issuer, audience: 'spa' });
      await jwtVerify(recent, createLocalJWKSet(after), { issuer, audience: 'spa' });
      await jwtVerify(recent, createLocalJWKSet(before), { issuer, audience: 'spa' });
    } finally {
      browser.close();
      await server.close();
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function raw(issuer: string, path: string, headers: Record<string, string>) {
  const { hostname, port } = new URL(issuer);
  return new Promise<{ status: number; body: string; headers: Record<string, string | undefined> }>((resolve, reject) => {
    request({ hostname: hostname === 'localhost' ? '127.0.0.1' : hostname, port, path, headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk)).on('end', () => resolve({ status: response.statusCode!, body, headers: response.headers as Record<string, string> }));
    }).on('error', reject).end();
  });
}
