import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import { KEY_ALGORITHMS } from '../../../clients/schema.ts';
import type { RegisteredClient } from '../../../clients/types.ts';
import { AppError } from '../../../errors.ts';
import type { RouteContext } from '../../../lib/http/route.ts';
import { SECTIONS, type Desk } from '../desk.ts';
import { problemOf, wrongField, type Problem } from '../problems.ts';
import { clientPath, nameOr } from '../references.ts';
import { clientHead } from './client.ts';
import { onceOf } from './creation.ts';
import { SECRET_METHODS, stringOf } from './kinds.ts';
import { clientOf } from './listing.ts';
import { snippetsOf } from './snippets.ts';

/** Seconds for which the secrets before a new one go on, by choice; `keep` leaves them. */
const OVERLAPS = { hour: 3600, day: 86_400, week: 604_800, keep: undefined } as const;
type Overlap = keyof typeof OVERLAPS;
type Jwk = Parameters<Desk['admin']['clients']['addKey']>[1];

/** The page of a client's secrets and keys, and what is shown once. */
export function clientCredentials(desk: Desk): void {
  const { admin, issuer, say, date, time } = desk;
  const at = (ctx: RouteContext) => clientPath(ctx.params['id'] ?? '', '/credentials');
  const path = (below = '') => `${SECTIONS.clients}/:id/credentials${below}`;

  function show(ctx: KoaContext, client: RegisteredClient, { problem, jwk = '' }: { problem?: Problem; jwk?: string } = {}) {
    const { clientId, metadata, secrets, keys } = client;
    const method = stringOf(metadata['token_endpoint_auth_method']) || 'client_secret_basic';
    const data = {
      head: clientHead(desk, ctx, client, 'credentials'),
      usesSecrets: SECRET_METHODS.includes(method),
      usesKeys: method === 'private_key_jwt',
      isPublic: method === 'none',
      secrets: secrets.map(({ id, createdAt, expiresAt }) => ({
        id,
        title: say(ctx, 'secret_of', { date: time(ctx, createdAt) }),
        meta: expiresAt === undefined ? say(ctx, 'secret_lasts') : say(ctx, 'secret_ends', { time: time(ctx, expiresAt) }),
      })),
      full: secrets.length >= 2,
      overlaps: Object.keys(OVERLAPS),
      keys: keys.map(({ kid, algorithm, generated, createdAt }) => ({
        kid,
        meta: [algorithm, say(ctx, generated ? 'key_generated' : 'key_uploaded', { date: date(ctx, createdAt) })].join(' · '),
      })),
      algorithms: KEY_ALGORITHMS,
      jwksUri: stringOf(metadata['jwks_uri']),
      hosted: `${issuer}/clients/${encodeURIComponent(clientId)}/jwks`,
      jwk,
      action: (below: string) => clientPath(clientId, `/credentials${below}`),
    };
    desk.show(ctx, 'admin/clients/credentials', data, { section: 'clients', title: nameOr(metadata, clientId), problem });
  }

  function showOnce(ctx: KoaContext, { clientId, metadata }: RegisteredClient, told: { secret?: string; privateKey?: object; title: string; overlap?: Overlap }) {
    const data = {
      name: nameOr(metadata, clientId),
      title: told.title,
      rotation: told.overlap ? say(ctx, `rotation_${told.overlap}`) : '',
      ...onceOf({ clientId, ...told }),
      snippets: snippetsOf({ issuer, clientId, metadata, ...told }).slice(0, 1),
      next: clientPath(clientId, '/credentials'),
    };
    desk.show(ctx, 'admin/clients/once', data, { section: 'clients', title: told.title, status: 201 });
  }

  /** What a form does to the client; its page tells what was not accepted. */
  async function attempt<T>(ctx: RouteContext, work: (client: RegisteredClient) => Promise<T>, jwk?: string): Promise<{ client: RegisteredClient; done: T } | undefined> {
    const client = await clientOf(desk, ctx);
    try {
      return { client, done: await work(client) };
    } catch (error) {
      show(ctx, client, { problem: problemOf(desk, ctx, error), ...(jwk !== undefined && !isPrivate(jwk) && { jwk }) });
      return undefined;
    }
  }

  desk.page({ path: path() }, async (ctx) => show(ctx, await clientOf(desk, ctx)));

  // These two answer with the page itself: there is no second request that could show it again.
  const newSecret = z.strictObject({ overlap: z.enum(Object.keys(OVERLAPS) as [Overlap, ...Overlap[]]) });
  desk.form({ path: path('/secrets'), body: newSecret, at }, async (ctx, { actor, body: { overlap } }) => {
    const made = await attempt(ctx, ({ clientId }) => admin.clients.addSecret(clientId, { endOthersIn: OVERLAPS[overlap] }, actor));
    if (made) showOnce(ctx, made.client, { secret: made.done.value, title: say(ctx, 'new_secret'), ...(made.client.secrets.length > 0 && { overlap }) });
  });

  desk.form({ path: path('/keys/generate'), body: z.strictObject({ algorithm: z.enum(KEY_ALGORITHMS) }), at }, async (ctx, { actor, body: { algorithm } }) => {
    const made = await attempt(ctx, ({ clientId }) => admin.clients.generateKey(clientId, algorithm, actor));
    if (made) showOnce(ctx, made.client, { privateKey: made.done.privateKey, title: say(ctx, 'new_key') });
  });

  desk.form({ path: path('/secrets/remove'), body: z.strictObject({ id: z.string().max(100) }), at }, async (ctx, { actor, body: { id } }) => {
    const done = await attempt(ctx, ({ clientId }) => admin.clients.removeSecret(clientId, id, actor));
    if (done) desk.goOn(ctx, at(ctx), 'secret_removed');
  });

  desk.form({ path: path('/keys'), body: z.strictObject({ jwk: z.string().max(20_000) }), at }, async (ctx, { actor, body: { jwk } }) => {
    const done = await attempt(ctx, async ({ clientId }) => admin.clients.addKey(clientId, jwkOf(jwk), actor), jwk);
    if (done) desk.goOn(ctx, at(ctx), 'key_added');
  });

  desk.form({ path: path('/keys/remove'), body: z.strictObject({ kid: z.string().max(300) }), at }, async (ctx, { actor, body: { kid } }) => {
    const done = await attempt(ctx, ({ clientId }) => admin.clients.removeKey(clientId, kid, actor));
    if (done) desk.goOn(ctx, at(ctx), 'key_removed');
  });
}

/** Whether it may be a private key, which is not shown again. */
const isPrivate = (text: string) => /"[dk]"\s*:/.test(text);

/** What was pasted; what a JWK must be is for the service to say. */
function jwkOf(text: string): Jwk {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrongField('jwk', 'this is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongField('jwk', 'this is not a JSON Web Key');
  if ('d' in value || 'k' in value) throw new AppError('invalid_request', 'this is a private key: paste the public part alone', { extra: { field: 'jwk' } });
  return value as Jwk;
}
