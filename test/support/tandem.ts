import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import type { Knex } from 'knex';
import { Provider, type ClientMetadata, type Configuration } from 'oidc-provider';
import { accounts, newEncryptionKey, qr, tandem, type Feature, type Notice, type NoticeKind, type Tandem, type TandemOptions } from '../../src/index.ts';
import type { TestDatabase } from './databases.ts';

/** A clock that a test puts forward. */
export interface TestClock {
  (): number;
  /** Puts it forward by so many milliseconds. */
  advance(ms: number): void;
}

export interface TestTandem {
  readonly issuer: string;
  /** A URL under the issuer. */
  url(path: string): string;
  readonly t: Tandem;
  readonly provider: Provider;
  readonly knex: Knex;
  readonly clock: TestClock;
  readonly clients: Readonly<Record<'rp' | 'spa' | 'service' | 'house', ClientMetadata>>;
  registerAccount(input?: { email?: string; password?: string; name?: string }): Promise<{ accountId: string; email: string; password: string }>;
  /** What accounts were told about their security. */
  readonly notices: readonly Notice[];
  /** Waits until so many notices of a kind have been sent; returns the last of them. */
  waitForNotice(kind: NoticeKind, count?: number): Promise<Notice>;
  /** What the provider and Tandem logged as errors. */
  readonly errors: object[];
  /** Ends the server, and the database handle that was opened for it. */
  close(): Promise<void>;
}

export interface TestTandemOptions {
  readonly features?: readonly Feature[];
  readonly configuration?: Configuration;
  /** Or made of the issuer, which is known only once there is a port. */
  readonly clients?: readonly ClientMetadata[] | ((issuer: string) => readonly ClientMetadata[]);
  /** Mounts the provider under a path of a Koa app. */
  readonly mount?: string;
  readonly tandem?: Partial<TandemOptions>;
}

/** Where the test clients are sent back to; nothing listens there, tests read the Location. */
export const CALLBACK = 'http://localhost:1/cb';
export const API = 'https://api.example.com';

export const TEST_CLIENTS = {
  /** A confidential site of somebody else: consent is asked. */
  rp: {
    client_id: 'rp',
    client_secret: 'rp-secret-rp-secret-rp-secret-rp-secret',
    client_name: 'Relying Party',
    redirect_uris: [CALLBACK],
    post_logout_redirect_uris: ['http://localhost:1/out'],
    grant_types: ['authorization_code', 'refresh_token'],
    tandem_resources: { [API]: ['read', 'write'] },
  },
  /** A public client in a browser. */
  spa: {
    client_id: 'spa',
    client_name: 'Single Page',
    redirect_uris: [CALLBACK],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  },
  /** A client without people. */
  service: {
    client_id: 'service',
    client_secret: 'service-secret-service-secret-service',
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    tandem_resources: { [API]: ['read'] },
    tandem_introspects: [API],
  },
  /** A site of the provider's own house: no consent is asked. */
  house: {
    client_id: 'house',
    client_secret: 'house-secret-house-secret-house-secret',
    client_name: 'House',
    redirect_uris: [CALLBACK],
    tandem_consent: 'implicit',
  },
} satisfies Record<string, ClientMetadata>;

/**
 * Starts a provider with Tandem: a real server on a free port, which is its issuer, on a fresh database.
 *
 * @example
 * const tandem = await startTandem(database);
 * const page = await browser.get(tandem.url('/auth?client_id=rp&…'));
 */
export async function startTandem(database: Pick<TestDatabase, 'open'>, options: TestTandemOptions = {}): Promise<TestTandem> {
  const knex = await database.open();
  const { server, origin } = await listen();
  const issuer = origin + (options.mount ?? '');
  const clock = createTestClock();
  const errors: object[] = [];
  const { notices, send, waitForNotice } = collectNotices();
  const t = tandem({
    db: knex,
    issuer,
    secrets: { encryption: [newEncryptionKey()] },
    features: options.features ?? [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr()],
    resources: { [API]: { scopes: { read: 'read your notes', write: 'change your notes' } } },
    clock,
    log: { debug() {}, info() {}, warn() {}, error: (fields) => void errors.push(fields) },
    notices: { send },
    ...options.tandem,
  });
  await t.migrate();
  const { clients: given = Object.values(TEST_CLIENTS) } = options;
  const clients = [...(typeof given === 'function' ? given(issuer) : given)];
  const provider = new Provider(issuer, t.configure({ clients, ...options.configuration }));
  provider.use(t.attach(provider));
  server.on('request', handlerOf(provider, options.mount));
  let made = 0;

  return {
    issuer,
    url: (path) => issuer + path,
    t,
    provider,
    knex,
    clock,
    clients: TEST_CLIENTS,
    errors,
    notices,
    waitForNotice,
    async registerAccount({ email = `person${(made += 1)}@example.com`, password = 'seven blue lanterns over Ghent', name } = {}) {
      const account = await t.accounts!.register({ email, password, ...(name !== undefined && { name }) });
      return { accountId: account.id, email, password };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await t.close();
      await knex.destroy();
    },
  };
}

/** A host's hook that keeps what it is given. */
export function collectNotices() {
  const notices: Notice[] = [];
  return {
    notices,
    send: (notice: Notice) => void notices.push(notice),
    async waitForNotice(kind: NoticeKind, count = 1): Promise<Notice> {
      const given = () => notices.filter((notice) => notice.kind === kind);
      for (let tries = 0; given().length < count; tries += 1) {
        if (tries === 500) throw new Error(`no notice ${kind} came; there are ${notices.map((notice) => notice.kind).join(', ') || 'none'}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return given()[count - 1]!;
    },
  };
}

export function createTestClock(): TestClock {
  let offset = 0;
  return Object.assign(() => Date.now() + offset, { advance: (ms: number) => void (offset += ms) });
}

/** Listens before there is anything to serve, as the port belongs to the issuer. */
export async function listen(): Promise<{ server: Server; origin: string }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}

type RequestHandler = (req: IncomingMessage, res: ServerResponse) => void;

function handlerOf(provider: Provider, mount: string | undefined): RequestHandler {
  if (!mount) return provider.callback() as RequestHandler;
  const app = new Koa();
  app.use(mountAt(mount, provider));
  return app.callback() as RequestHandler;
}

/** What koa-mount does: the app's middleware, with the prefix taken from the path. */
export function mountAt(prefix: string, provider: Provider): Koa.Middleware {
  const run = (provider.middleware as Koa.Middleware[]).slice();
  return async (ctx, next) => {
    if (ctx.path !== prefix && !ctx.path.startsWith(`${prefix}/`)) return next();
    const before = ctx.path;
    const state = ctx as { mountPath?: string };
    state.mountPath = prefix;
    ctx.path = before.slice(prefix.length) || '/';
    const dispatch = (index: number): Promise<unknown> =>
      index === run.length ? restored() : Promise.resolve(run[index]!(ctx, () => dispatch(index + 1)));
    const restored = async () => {
      ctx.path = before;
      await next();
      ctx.path = before.slice(prefix.length) || '/';
    };
    await dispatch(0);
    ctx.path = before;
  };
}
