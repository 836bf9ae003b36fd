import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createHash, randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import Koa from 'koa';
import { protect, type ProtectOptions, type Requirements, type TokenAuth } from '../../src/index.ts';
import { createHttpBrowser, type HttpBrowser } from '../support/http-browser.ts';
import { startTandem, TEST_CLIENTS, type TestTandem, type TestTandemOptions } from '../support/tandem.ts';
import { tokenRequest, tokensByCode, type Person } from '../oidc/helpers.ts';

/** One API by format of its tokens, and one that is somebody else's. */
export const RESOURCES = { opaque: 'https://api.example.com', jwt: 'https://jwt.example.com', other: 'https://other.example.com', otherJwt: 'https://other-jwt.example.com' } as const;
export type Format = 'opaque' | 'jwt';
/** Where the guard runs: at a resource server of its own, or beside the provider. */
export type Place = 'over the wire' | 'in process';

export const CASES: ReadonlyArray<{ place: Place; format: Format }> = [
  { place: 'over the wire', format: 'opaque' },
  { place: 'over the wire', format: 'jwt' },
  { place: 'in process', format: 'opaque' },
  { place: 'in process', format: 'jwt' },
];

export const INTROSPECTION = { clientId: TEST_CLIENTS.service.client_id, clientSecret: TEST_CLIENTS.service.client_secret };
const scopes = { read: 'read your notes', write: 'change your notes' };
const everything = Object.fromEntries(Object.values(RESOURCES).map((resource) => [resource, ['read', 'write']]));

/** A provider with those resources, and clients that may ask for all of them. */
export function startProvider(database: Parameters<typeof startTandem>[0], options: TestTandemOptions = {}): Promise<TestTandem> {
  return startTandem(database, {
    clients: [
      { ...TEST_CLIENTS.rp, tandem_resources: everything },
      { ...TEST_CLIENTS.house, tandem_resources: everything },
      { ...TEST_CLIENTS.service, tandem_resources: everything, tandem_introspects: [RESOURCES.opaque] },
    ],
    ...options,
    tandem: {
      resources: {
        [RESOURCES.opaque]: { scopes },
        [RESOURCES.jwt]: { scopes, format: 'jwt' },
        [RESOURCES.other]: { scopes },
        [RESOURCES.otherJwt]: { scopes, format: 'jwt' },
      },
      ...options.tandem,
    },
  });
}

export interface Answer {
  readonly status: number;
  readonly challenge: string | null;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

export interface Api {
  readonly origin: string;
  /** What the app emitted as errors. */
  readonly errors: Error[];
  call(path: string, token?: string, options?: { method?: string; headers?: Record<string, string>; scheme?: string }): Promise<Answer>;
  /** The same without a client that tidies up: header lines as they are given. */
  raw(path: string, lines: readonly string[]): Promise<Answer>;
  close(): Promise<void>;
}

/** A real API: a Koa app on a port of its own, each path behind a guard with these requirements, which answers what it learnt. */
export async function startApi(tandem: TestTandem, place: Place, format: Format, routes: Readonly<Record<string, Requirements>>, options: Partial<ProtectOptions> = {}): Promise<Api> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const guardOf = (requirements: Requirements) =>
    place === 'in process'
      ? tandem.t.protect({ resource: RESOURCES[format], origin, ...requirements })
      : protect({ issuer: tandem.issuer, audience: RESOURCES[format], origin, introspection: INTROSPECTION, clock: tandem.clock, ...requirements, ...options });

  const app = new Koa();
  const errors: Error[] = [];
  app.on('error', (error: Error) => errors.push(error));
  const guards = new Map(Object.entries(routes).map(([path, requirements]) => [path, guardOf(requirements)]));
  app.use(async (ctx, next) => {
    if (ctx.is('urlencoded') === 'urlencoded') (ctx.request as { body?: unknown }).body = Object.fromEntries(new URLSearchParams(await read(ctx.req)));
    await next();
  });
  app.use(async (ctx) => {
    const guard = guards.get(ctx.path);
    if (!guard) return;
    await guard(ctx as never, async () => {
      const { claims: _, ...auth } = (ctx.state as { auth: TokenAuth }).auth;
      ctx.body = auth;
    });
  });
  server.on('request', app.callback() as RequestListener);

  return {
    origin,
    errors,
    async call(path, token, { method = 'GET', headers = {}, scheme = 'Bearer' } = {}) {
      const response = await fetch(origin + path, { method, headers: { ...(token !== undefined && { authorization: `${scheme} ${token}` }), ...headers } });
      return answerOf(response.status, response.headers, await response.text());
    },
    raw: (path, lines) => rawRequest(server, path, lines),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function answerOf(status: number, headers: Headers, body: string): Answer {
  return { status, headers, challenge: headers.get('www-authenticate'), json: body.startsWith('{') ? (JSON.parse(body) as Record<string, unknown>) : {} };
}

async function rawRequest(server: Server, path: string, lines: readonly string[]): Promise<Answer> {
  const { connect } = await import('node:net');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write([`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...lines, '', ''].join('\r\n'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
  const [status = '', ...fields] = head.split('\r\n');
  const headers = new Headers(fields.map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
  return answerOf(Number(status.split(' ')[1]), headers, body);
}

/** An access token of a person, by code. */
export async function personToken(tandem: TestTandem, person: Person, resource: string, parameters: Record<string, string> = {}, browser: HttpBrowser = createHttpBrowser()) {
  const { status, json } = await tokensByCode(tandem, browser, person, { scope: 'openid read', resource, ...parameters });
  if (status !== 200) throw new Error(JSON.stringify(json));
  return json as { access_token: string; id_token: string; refresh_token?: string; scope: string };
}

/** An access token of a client for itself. */
export async function serviceToken(tandem: TestTandem, resource: string, scope = 'read'): Promise<string> {
  const { json } = await tokenRequest(tandem, 'service', { grant_type: 'client_credentials', scope, resource });
  return json['access_token'] as string;
}

/** A client's key, with which it proves that a token is its own. */
export async function createHolder(clock: () => number) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = (await exportJWK(publicKey)) as JWK;
  return {
    keys: { privateKey, publicKey },
    privateKey,
    jwk,
    thumbprint: await calculateJwkThumbprint(jwk),
    /** A proof after RFC 9449 §4.2; `claims` and `header` change it. */
    proof(method: string, url: string, token?: string, { claims = {}, header = {} }: { claims?: Record<string, unknown>; header?: Record<string, unknown> } = {}): Promise<string> {
      const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') };
      return new SignJWT({ jti: randomUUID(), htm: method, htu: url, iat: Math.floor(clock() / 1000), ...ath, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
        .sign(privateKey);
    },
  };
}

export type Holder = Awaited<ReturnType<typeof createHolder>>;

/** A token of a client for itself that is bound to the holder's key. */
export async function boundToken(tandem: TestTandem, holder: Holder, resource: string): Promise<string> {
  const { client_id: id, client_secret: secret } = TEST_CLIENTS.service;
  const response = await fetch(tandem.url('/token'), {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`, dpop: await holder.proof('POST', tandem.url('/token'), undefined, { claims: { iat: Math.floor(Date.now() / 1000) } }) },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read', resource }),
  });
  const json = (await response.json()) as { access_token: string; token_type: string };
  if (json.token_type !== 'DPoP') throw new Error(JSON.stringify(json));
  return json.access_token;
}
