import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import { Provider, type ClientMetadata } from 'oidc-provider';
import { accounts, newEncryptionKey, tandem, type Tandem } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createTestClock, TEST_CLIENTS, type TestTandem } from '../support/tandem.ts';
import { payloadOf } from '../oidc/helpers.ts';
import { RESOURCES, serviceToken, startApi } from './harness.ts';

const CLIENTS: ClientMetadata[] = [{ ...TEST_CLIENTS.service, tandem_resources: { [RESOURCES.opaque]: ['read'], [RESOURCES.jwt]: ['read'] }, tandem_introspects: [RESOURCES.opaque] }];

onEachDatabase('an API whose provider changes or is away', (database) => {
  let server: Server;
  let t: Tandem;
  let host: TestTandem;
  /** Stands in the way of every request to the provider. */
  let trouble: Koa.Middleware | undefined;
  let asked: string[];
  const clock = createTestClock();

  beforeEach(async () => {
    // What the test before put forward.
    clock.advance(Date.now() - clock());
    const knex = await database.open();
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
    t = tandem({
      db: knex,
      issuer,
      secrets: { encryption: [newEncryptionKey()] },
      features: [accounts()],
      resources: { [RESOURCES.opaque]: { scopes: { read: 'read' } }, [RESOURCES.jwt]: { scopes: { read: 'read' }, format: 'jwt', ttl: 24 * 3600 } },
      clock,
    });
    await t.migrate();
    trouble = undefined;
    asked = [];
    serve();
    host = { issuer, t, clock, url: (path: string) => issuer + path, clients: TEST_CLIENTS } as unknown as TestTandem;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await t.close();
  });

  /** Puts a provider with today's keys in the place of the one before. */
  function serve() {
    const provider = new Provider(`http://localhost:${(server.address() as AddressInfo).port}`, t.configure({ clients: CLIENTS }));
    provider.use(async (ctx, next) => {
      asked.push(ctx.path);
      return trouble ? trouble(ctx, next) : next();
    });
    provider.use(t.attach(provider));
    server.removeAllListeners('request');
    server.on('request', provider.callback());
  }

  const broken: Koa.Middleware = async (ctx) => {
    ctx.status = 502;
    ctx.body = '<h1>Bad gateway</h1>';
  };

  it('asks for discovery and keys once, however many call at once, and for an opaque token each time', async () => {
    const [jwtApi, opaqueApi] = [await startApi(host, 'over the wire', 'jwt', { '/': {} }), await startApi(host, 'over the wire', 'opaque', { '/': {} })];
    const [jwt, opaque] = [await serviceToken(host, RESOURCES.jwt), await serviceToken(host, RESOURCES.opaque)];
    asked = [];
    for (const { status } of await Promise.all(Array.from({ length: 5 }, () => jwtApi.call('/', jwt)))) assert.equal(status, 200);
    assert.deepEqual(asked, ['/.well-known/openid-configuration', '/jwks']);
    asked = [];
    for (const { status } of [await opaqueApi.call('/', opaque), await opaqueApi.call('/', opaque)]) assert.equal(status, 200);
    assert.deepEqual(asked, ['/.well-known/openid-configuration', '/token/introspection', '/token/introspection']);
    await jwtApi.close();
    await opaqueApi.close();
  });

  it('follows a rotation of the keys, even one that nobody announced', async () => {
    const api = await startApi(host, 'over the wire', 'jwt', { '/': {} });
    const before = await serviceToken(host, RESOURCES.jwt);
    assert.equal((await api.call('/', before)).status, 200);
    await t.keys.rotate({ now: true });
    await t.keys.rotate({ now: true });
    assert.equal(await t.keys.refresh(), true);
    serve();
    const after = await serviceToken(host, RESOURCES.jwt);
    assert.notEqual(headerOf(after)['kid'], headerOf(before)['kid']);
    clock.advance(15_000);
    for (const token of [after, before]) assert.equal((await api.call('/', token)).status, 200);
    await api.close();
  });

  it('does not let unknown keys make it ask again and again', async () => {
    const api = await startApi(host, 'over the wire', 'jwt', { '/': {} });
    const token = await serviceToken(host, RESOURCES.jwt);
    assert.equal((await api.call('/', token)).status, 200);
    asked = [];
    const [, payload, signature] = token.split('.');
    for (let index = 0; index < 20; index += 1) {
      const header = Buffer.from(JSON.stringify({ ...headerOf(token), kid: `k${index}` })).toString('base64url');
      assert.equal((await api.call('/', `${header}.${payload}.${signature}`)).status, 401);
    }
    assert.deepEqual(asked, []);
    await api.close();
  });

  for (const [what, begin] of [
    ['answers with errors', () => (trouble = broken)],
    ['is too busy', () => (trouble = async (ctx) => void (ctx.status = 429))],
    ['answers something else', () => (trouble = async (ctx) => void (ctx.body = 'hello'))],
    ['hangs up', () => (trouble = async (ctx) => {
      ctx.respond = false;
      ctx.res.destroy();
    })],
  ] as const) {
    for (const format of ['opaque', 'jwt'] as const) {
      it(`says 503 where the provider ${what}, and goes on when it is back, with ${format} tokens`, async () => {
        const api = await startApi(host, 'over the wire', format, { '/': {} });
        const token = await serviceToken(host, RESOURCES[format]);
        begin();
        const { status, json, challenge } = await api.call('/', token);
        assert.deepEqual([status, json['error'], challenge], [503, 'temporarily_unavailable', null]);
        assert.equal(api.errors.length, 1);
        assert.ok(api.errors[0]!.cause, 'the cause is for the log');
        trouble = undefined;
        clock.advance(2_000);
        assert.equal((await api.call('/', token)).status, 200);
        await api.close();
      });
    }
  }

  it('reads JWTs by the keys that it has for an hour more, then no longer', async () => {
    const api = await startApi(host, 'over the wire', 'jwt', { '/': {} });
    const token = await serviceToken(host, RESOURCES.jwt);
    assert.equal((await api.call('/', token)).status, 200);
    trouble = broken;
    clock.advance(30 * 60_000);
    assert.equal((await api.call('/', token)).status, 200);
    clock.advance(31 * 60_000);
    assert.equal((await api.call('/', token)).status, 503);
    trouble = undefined;
    clock.advance(2_000);
    assert.equal((await api.call('/', token)).status, 200);
    await api.close();
  });

  it('says 503 where its own credentials are refused: nothing is known about the token', async () => {
    const api = await startApi(host, 'over the wire', 'opaque', { '/': {} }, { introspection: { clientId: 'service', clientSecret: 'wrong' } });
    assert.equal((await api.call('/', await serviceToken(host, RESOURCES.opaque))).status, 503);
    assert.match(String(api.errors[0]!.cause), /client authentication failed|invalid_client|error/i);
    await api.close();
  });

  it('takes JWTs alone where it may not introspect', async () => {
    const options = { introspection: undefined } as never;
    const api = await startApi(host, 'over the wire', 'jwt', { '/': {} }, options);
    assert.equal((await api.call('/', await serviceToken(host, RESOURCES.jwt))).status, 200);
    assert.equal((await api.call('/', await serviceToken(host, RESOURCES.opaque))).status, 401);
    await api.close();
  });

  it('takes nothing for an access token that introspection does not call one', async () => {
    const api = await startApi(host, 'over the wire', 'opaque', { '/': {} });
    const token = await serviceToken(host, RESOURCES.opaque);
    for (const change of [{ token_type: undefined }, { token_type: 'N_A' }, { iss: 'https://evil.example' }, { active: false }, { aud: undefined }, { exp: undefined }, { client_id: undefined }]) {
      trouble = async (ctx, next) => {
        await next();
        if (ctx.path === '/token/introspection') ctx.body = { ...(ctx.body as object), ...change };
      };
      assert.equal((await api.call('/', token)).status, 401, JSON.stringify(Object.keys(change)));
    }
    trouble = undefined;
    assert.equal((await api.call('/', token)).status, 200);
    await api.close();
  });

  it('trusts no document of another issuer', async () => {
    trouble = async (ctx, next) => {
      await next();
      if (ctx.path === '/.well-known/openid-configuration') ctx.body = { ...(ctx.body as object), issuer: 'https://evil.example' };
    };
    const api = await startApi(host, 'over the wire', 'jwt', { '/': {} });
    const token = await serviceToken(host, RESOURCES.jwt);
    assert.equal((await api.call('/', token)).status, 503);
    assert.equal(payloadOf(token)['iss'], host.issuer);
    await api.close();
  });
});

function headerOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()) as Record<string, unknown>;
}
