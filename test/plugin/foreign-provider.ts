import { generateKeyPairSync, randomBytes } from 'node:crypto';
import Koa from 'koa';
import { Provider, type Adapter, type AdapterPayload, type ClientMetadata, type Configuration } from 'oidc-provider';
import { newEncryptionKey, qr, tandem, type TandemOptions } from '../../src/index.ts';
import type { TestDatabase } from '../support/databases.ts';
import { CALLBACK, createTestClock, listen, mountAt } from '../support/tandem.ts';

const PEOPLE: Readonly<Record<string, string>> = { 'user-1': 'Grace Hopper', 'user-2': 'Ada Lovelace' };

/** Somebody's provider as it was before Tandem: storage, accounts, keys, clients and a sign-in page of its own. */
export function foreignConfiguration(): Configuration {
  return {
    adapter: createMapAdapter(),
    jwks: { keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid: 'own', alg: 'RS256', use: 'sig' }] } as NonNullable<Configuration['jwks']>,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    clients: [FOREIGN_CLIENT],
    claims: { openid: ['sub'], profile: ['name'] },
    findAccount: (_ctx, sub) => (PEOPLE[sub] ? { accountId: sub, claims: () => ({ sub, name: PEOPLE[sub]! }) } : undefined),
    features: { devInteractions: { enabled: false } },
  };
}

export const FOREIGN_CLIENT = {
  client_id: 'shop',
  client_secret: 'shop-secret-shop-secret-shop-secret',
  client_name: 'Shop',
  redirect_uris: [CALLBACK],
} satisfies ClientMetadata;

/** Starts it with Tandem plugged in, direct or under a path of a Koa app that knows nothing of it. */
export async function startForeign(database: TestDatabase, { mount = '', options = {} }: { mount?: string; options?: Partial<TandemOptions> } = {}) {
  const knex = await database.open();
  const { server, origin } = await listen();
  const issuer = origin + mount;
  const clock = createTestClock();
  const find = (accountId: string) => Promise.resolve(PEOPLE[accountId] ? { accountId, label: `${accountId}@host`, name: PEOPLE[accountId] } : undefined);
  const t = tandem({ db: knex, issuer, secrets: { encryption: [newEncryptionKey()] }, features: [qr({ accounts: { find } })], clock, notices: { send() {} }, ...options });
  await t.migrate();
  const provider = new Provider(issuer, t.configure(foreignConfiguration()));
  provider.use(ownSignIn(provider, issuer));
  provider.use(t.attach(provider));

  const app = new Koa();
  app.use(async (ctx, next) => {
    if (ctx.path !== '/shop') return next();
    ctx.body = 'the rest of the site';
  });
  if (mount) app.use(mountAt(mount, provider));
  server.on('request', (mount ? app : provider).callback());
  return {
    issuer,
    t,
    provider,
    knex,
    clock,
    clients: { shop: FOREIGN_CLIENT },
    url: (path: string) => issuer + path,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await t.close();
    },
  };
}

export type ForeignProvider = Awaited<ReturnType<typeof startForeign>>;

/** The host's own page, at the address that the library calls; a link leads to Tandem's. */
function ownSignIn(provider: Provider, issuer: string): Koa.Middleware {
  return async (ctx, next) => {
    const [, uid, rest = ''] = /^\/interaction\/([\w-]+)(\/login)?$/.exec(ctx.path) ?? [];
    if (!uid) return next();
    const { prompt } = await provider.interactionDetails(ctx.req, ctx.res);
    if (prompt.name !== 'login') return next();
    if (rest) {
      ctx.respond = false;
      const login = { accountId: String(ctx.query['as']), amr: ['pwd'], acr: 'urn:tandem:acr:1' };
      return provider.interactionFinished(ctx.req, ctx.res, { login });
    }
    ctx.type = 'html';
    ctx.body = `<h1>Sign in at the host</h1><a href="${issuer}/interaction/${uid}/login?as=user-1">Grace</a><a href="${issuer}/interaction/${uid}/sign-in">By phone</a>`;
  };
}

/** A storage that is not Tandem's, and counts what it holds. */
function createMapAdapter() {
  const rows = new Map<string, AdapterPayload>();
  return (model: string): Adapter => {
    const key = (id: string) => `${model}:${id}`;
    const where = (test: (payload: AdapterPayload) => boolean) =>
      Promise.resolve([...rows].find(([id, payload]) => id.startsWith(`${model}:`) && test(payload))?.[1]);
    return {
      upsert: (id, payload) => Promise.resolve(void rows.set(key(id), payload)),
      find: (id) => Promise.resolve(rows.get(key(id))),
      findByUid: (uid) => where((payload) => payload.uid === uid),
      findByUserCode: (code) => where((payload) => payload.userCode === code),
      consume: (id) => Promise.resolve(void rows.set(key(id), { ...rows.get(key(id)), consumed: 1 })),
      destroy: (id) => Promise.resolve(void rows.delete(key(id))),
      revokeByGrantId(grantId) {
        for (const [id, payload] of rows) if (id.startsWith(`${model}:`) && payload.grantId === grantId) rows.delete(id);
        return Promise.resolve();
      },
    };
  };
}
