import { sign as signWith, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import type { Context as KoaContext } from 'koa';
import { migrations } from '../../migrations/index.ts';
import type { Context } from '../../src/context.ts';
import { createDevices } from '../../src/devices/devices.ts';
import { createChangeGate } from '../../src/factors/change-gate.ts';
import { createFactors, type Factors } from '../../src/factors/factors.ts';
import { createKeyRing } from '../../src/lib/key-ring.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { createEvents } from '../../src/lib/events.ts';
import type { TandemEvent } from '../../src/lib/events.ts';
import { createHttp } from '../../src/lib/http/http.ts';
import { methodNotAllowed } from '../../src/lib/http/answers.ts';
import { randomToken, sha256 } from '../../src/lib/crypto.ts';
import { createLimits } from '../../src/lib/limits.ts';
import { silentLog } from '../../src/lib/log.ts';
import { satisfies } from '../../src/oidc/acr.ts';
import type { SignInGate } from '../../src/oidc/sign-in/sign-in.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import type { HttpBrowser, Page } from '../support/http-browser.ts';
import { createVirtualPhone } from '../support/virtual-phone.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';

export type DevicesHarness = Awaited<ReturnType<typeof startDevices>>;

/**
 * The devices room alone, over real HTTP on a real database, at a host with accounts of its own. Who is signed in is
 * what the browser's headers say; the provider's sign-in is tested where it lives.
 */
export async function startDevices(database: TestDatabase, { phoneOrigin }: { phoneOrigin?: string } = {}) {
  const db = createDatabase(await database.open());
  await migrate(db.knex, migrations);
  const app = new Koa();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  let offset = 0;
  const clock = () => Date.now() + offset;
  const events = createEvents({ clock, log: silentLog });
  const emitted: TandemEvent[] = [];
  let failing: string | undefined;
  events.subscribe((tx, event) => {
    tx.afterCommit(() => emitted.push(event));
    return event.name === failing ? Promise.reject(new Error('a room failed')) : Promise.resolve();
  });
  const context: Context = { issuer, db, clock, log: silentLog, keyRing: createKeyRing([randomToken()]), limits: createLimits({ db, clock }), events };

  const current = (ctx: KoaContext) => {
    const accountId = ctx.get('x-account');
    const authTime = Number(ctx.get('x-auth-time')) || Math.floor(clock() / 1000);
    return accountId ? { accountId, acr: ctx.get('x-acr'), amr: ['pwd'], authTime, sessionUid: 'session' } : undefined;
  };
  const gate: SignInGate = {
    current: (ctx) => Promise.resolve(current(ctx)),
    require(ctx, { maxAge, acr } = {}) {
      const signedIn = current(ctx);
      const fresh = signedIn && (maxAge === undefined || clock() / 1000 - signedIn.authTime <= maxAge);
      if (fresh && (acr === undefined || satisfies(signedIn.acr, acr))) return Promise.resolve(signedIn);
      ctx.status = 303;
      ctx.redirect(`${issuer}/sign-in?acr=${acr ?? ''}`);
      return Promise.resolve(undefined);
    },
    addFactor: () => Promise.resolve(),
    signOut: () => Promise.reject(new Error('no page here signs out')),
  };
  const accounts = {
    find: (accountId: string) =>
      Promise.resolve(accountId === 'gone' ? undefined : { accountId, label: `${accountId}@example.com`, name: undefined }),
  };

  const http = createHttp(context);
  const withApp = new Set<string>();
  const factors: Factors = createFactors({
    phones: (...account) => service.reach(...account),
    lostUnproven: (...account) => service.lostUnproven(...account),
    authenticators: async (accountId) => withApp.has(accountId),
  });
  const changes = createChangeGate(context, { factors, gate, views: http.views });
  const { service, routes } = createDevices(context, { accounts, factors, changes, gate, browsers: http.browsers, views: http.views, phoneOrigin });
  const router = new Router();
  routes(router);
  app.use(http.middleware).use(http.views.assets).use(router.routes()).use(methodNotAllowed());
  const handle = app.callback();
  server.on('request', (request, response) => void handle(request, response));
  const browsers: HttpBrowser[] = [];

  /** A browser in which somebody is signed in. */
  function browser(accountId = 'alice', { acr = 'urn:tandem:acr:1', age = 0, headers = {} }: { acr?: string; age?: number; headers?: Record<string, string> } = {}) {
    const made = createHttpBrowser({
      headers: {
        ...(accountId && { 'x-account': accountId, 'x-acr': acr }),
        ...(age && { 'x-auth-time': String(Math.floor(clock() / 1000) - age) }),
        ...headers,
      },
    });
    browsers.push(made);
    return made;
  }

  function phone(options: Partial<Parameters<typeof createVirtualPhone>[0]> = {}) {
    return createVirtualPhone({ issuer, clock, ...options });
  }

  /** Up to the page that shows the QR. */
  async function start(by: HttpBrowser) {
    const page = await by.submit(await by.get(`${issuer}/account/devices/add`), 'Show the code');
    return { page, link: linkOf(page) };
  }

  /** A phone that is enrolled and confirmed. */
  async function enrolled(options: Parameters<typeof phone>[0] & { by?: HttpBrowser } = {}) {
    const { by = browser(), ...rest } = options;
    const made = phone(rest);
    const { page, link } = await start(by);
    const { confirmCode } = await made.enrol(link);
    await by.submit(page, 'Connect this phone', { code: confirmCode });
    return made;
  }

  return {
    issuer,
    db,
    service,
    factors,
    /** The accounts that have an authenticator app. */
    withApp,
    emitted,
    clock,
    advance(ms: number) {
      offset += ms;
    },
    /** Makes a room fail at this event, as a broken audit table would. */
    fail(name: string | undefined) {
      failing = name;
    },
    browser,
    phone,
    start,
    enrolled,
    names: () => emitted.map(({ name }) => name),
    async close() {
      for (const each of browsers) each.close();
      http.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await db.close();
    },
  };
}

/** The link that a page shows beside its QR. */
export function linkOf(page: Page): string {
  const link = /data-link="([^"]+)"/.exec(page.body)?.[1];
  if (!link) throw new Error(`no enrolment link at ${page.url} (${page.status}): ${page.text.slice(0, 300)}`);
  return link;
}

/** The status URL of the page that shows a QR. */
export function statusUrlOf(page: Page): string {
  return /data-status="([^"]+)"/.exec(page.body)?.[1] ?? '';
}

/** What a crafted call changes of an honest one. */
export interface Crafted {
  readonly typ?: string;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Signs in place of the phone's key. */
  readonly sign?: (data: Buffer) => Buffer;
  /** Adds an assertion of the phone's authenticator; a function may change its challenge. */
  readonly assert?: boolean | ((challenge: string) => string);
}

/** A call of an enrolled phone, signed for real, with anything changed in it. */
export async function craft(t: Pick<DevicesHarness, 'issuer' | 'clock'>, phone: VirtualPhone, { typ = 'device+jwt', header, claims, sign, assert }: Crafted = {}) {
  const { key, deviceId, credential } = phone.account;
  const seconds = Math.floor(t.clock() / 1000);
  const { nonce } = (await phone.post('/phone/nonce', '', 'application/json')).json;
  const protectedHeader = encode({ alg: key.algorithm, kid: key.kid, typ, ...header });
  const payload = encode({ iss: deviceId, aud: t.issuer, iat: seconds, exp: seconds + 60, jti: randomToken(16), nonce, ...claims });
  const input = `${protectedHeader}.${payload}`;
  const honest = (data: Buffer) =>
    key.algorithm === 'EdDSA'
      ? signWith(null, data, key.handle as KeyObject)
      : signWith('sha256', data, { key: key.handle as KeyObject, dsaEncoding: 'ieee-p1363' });
  const signature = (sign ?? honest)(Buffer.from(input)).toString('base64url');
  if (!assert || !credential) return { body: `${input}.${signature}`, type: 'application/jose' };
  const challenge = sha256(input).toString('base64url');
  const webauthn = await phone.authenticator.get({
    challenge: typeof assert === 'function' ? assert(challenge) : challenge,
    rpId: credential.rpId,
    credentialId: credential.id,
  });
  return { body: JSON.stringify({ protected: protectedHeader, payload, signature, header: { webauthn } }), type: 'application/jose+json' };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
