import { isDeepStrictEqual } from 'node:util';
import type { ZodType } from 'zod';
import type { Context, Transaction } from '../context.ts';
import { AppError } from '../errors.ts';
import { actedBy } from '../lib/actor.ts';
import { uuid } from '../lib/crypto.ts';
import type { Resource, Resources } from '../oidc/configuration/resources.ts';
import { describeFixed, describeRow, nameOf, recordOf, type Defaults, type Description } from './descriptions.ts';
import type {} from './events.ts';
import { assertNotOurs } from './own-names.ts';
import { LIFE, newResourceServerSchema, resourceServerChangesSchema, scopeSchema } from './schema.ts';
import { createSnapshot } from './snapshot.ts';
import { createResourceStore, type ResourceServerRow } from './store.ts';
import type { NewResourceServer, ResourceRegistry, ResourceServer, Scope, ScopeHolders } from './types.ts';

export interface ResourcesOptions {
  /** Those that are not in the database, by resource indicator. They go before the registry's. */
  readonly fixed: Resources;
  /** Resource indicator and name of Tandem's own API. */
  readonly own: { readonly identifier: string; readonly name: string };
  /** Who holds scopes; none until there are clients in the database. */
  readonly holders: () => ScopeHolders | undefined;
  readonly defaults: Defaults;
}

/**
 * Creates the registry of resource servers and scopes: those of Tandem and of the host's options as they are, and those in the database, which
 * can be changed. In this process a change counts once it has committed, in others within a second.
 */
export function createResources(context: Pick<Context, 'issuer' | 'db' | 'clock' | 'events'>, { fixed, own, holders, defaults }: ResourcesOptions): ResourceRegistry {
  const { issuer, db, clock, events } = context;
  const store = createResourceStore(db);
  const isFixed = (identifier: string) => Object.hasOwn(fixed, identifier);

  const snapshot = createSnapshot({
    clock,
    version: () => store.version(),
    async load() {
      const rows = (await store.all()).filter(({ identifier }) => !isFixed(identifier));
      const byIdentifier = new Map(rows.map((row) => [row.identifier, asResource(row)]));
      return { byIdentifier, all: { ...fixed, ...Object.fromEntries(byIdentifier) } };
    },
  });

  /** Those that stay as they are first. */
  async function list(tx?: Transaction): Promise<Description[]> {
    const rows = (await store.all(tx)).filter(({ identifier }) => !isFixed(identifier));
    return [...Object.entries(fixed).map(([identifier, resource]) => describeFixed(identifier, resource, own, defaults)), ...rows.map((row) => describeRow(row, defaults))];
  }

  async function find(idOrIdentifier: string, tx?: Transaction): Promise<Description> {
    const found = (await list(tx)).find(({ server: { id, identifier } }) => id === idOrIdentifier || identifier === idOrIdentifier);
    if (!found) throw new AppError('not_found', 'there is no such resource server');
    return found;
  }

  /** One change after the other; where `work` returns undefined there was nothing to change. */
  async function change(idOrIdentifier: string, work: (row: ResourceServerRow, server: ResourceServer, tx: Transaction) => Promise<unknown>): Promise<void> {
    await db.transaction(async (tx) => {
      await store.change(tx);
      const { row, server } = await find(idOrIdentifier, tx);
      if (!row) throw notChanged(server);
      await work(row, server, tx);
      tx.afterCommit(() => snapshot.forget());
    });
  }

  const changed = async (identifier: string) => (await find(identifier)).server;

  /** @throws AppError `conflict` where tokens for the one could be taken for tokens of the other */
  function assertAudienceFree({ id, identifier, audience = identifier }: Pick<ResourceServerRow, 'id' | 'identifier' | 'audience'>, others: readonly Description[]): void {
    assertNotOurs(audience, issuer, 'audience');
    const other = others.find(({ server }) => server.id !== id && (server.audience === audience || server.identifier === audience || server.audience === identifier));
    if (other) throw new AppError('conflict', `tokens of ${other.server.identifier} have this audience`, { extra: { field: 'audience' } });
  }

  function assertSettings({ format, ttl, algorithm }: Pick<ResourceServerRow, 'format' | 'ttl' | 'algorithm'>): void {
    if (ttl !== undefined && ttl > LIFE.longest[format]) {
      throw new AppError('invalid_request', `ttl: tokens of format ${format} last at most ${LIFE.longest[format]} seconds`, { extra: { field: 'ttl' } });
    }
    const able = defaults.algorithms();
    if (algorithm !== undefined && !able.includes(algorithm)) {
      throw new AppError('invalid_request', `algorithm: the provider has keys for ${able.join(', ')} alone`, { extra: { field: 'algorithm' } });
    }
  }

  /** @throws AppError `conflict` with `extra.clients` */
  async function assertUnused(identifier: string, scope: string | undefined, tx: Transaction): Promise<void> {
    const { count = 0 } = (await holders()?.usedBy(identifier, scope, { tx, limit: 1 })) ?? {};
    if (count > 0) throw new AppError('conflict', `${count === 1 ? 'a client holds' : `${count} clients hold`} ${scope === undefined ? 'scopes of it: take them' : 'this scope: take it'} away first`, { extra: { clients: count } });
  }

  return {
    async find(indicator) {
      return isFixed(indicator) ? fixed[indicator] : (await snapshot.get()).byIdentifier.get(indicator);
    },
    all: async () => (await snapshot.get()).all,

    list: async () => (await list()).map(({ server }) => server),
    get: async (idOrIdentifier) => (await find(idOrIdentifier)).server,

    async create(input, actor) {
      const { identifier, scopes = [], name = nameOf(identifier), format = 'opaque', ...given } = read<NewResourceServer>(newResourceServerSchema, input);
      assertNotOurs(identifier, issuer, 'identifier');
      const now = clock();
      const audience = given.audience === identifier ? undefined : given.audience;
      const row: ResourceServerRow = { id: uuid(), identifier, name, audience, format, algorithm: given.algorithm, ttl: given.ttl, scopes: byName(scopes), createdAt: now, updatedAt: now };
      assertSettings(row);
      await db.transaction(async (tx) => {
        await store.change(tx);
        const others = await list(tx);
        if (others.some(({ server }) => server.identifier === identifier)) throw new AppError('conflict', 'there is a resource server with this identifier', { extra: { field: 'identifier' } });
        assertAudienceFree(row, others);
        await store.insert(row, tx);
        const { server } = describeRow(row, defaults);
        await events.emit(tx, 'resource_server.created', { resourceServer: identifier, ...actedBy(actor), after: { ...recordOf(server), scopes: server.scopes } });
        tx.afterCommit(() => snapshot.forget());
      });
      return changed(identifier);
    },

    async update(idOrIdentifier, changes, actor) {
      const given = Object.fromEntries(Object.entries(read(resourceServerChangesSchema, changes)).filter(([, value]) => value !== undefined));
      await change(idOrIdentifier, async (row, server, tx) => {
        const merged = { ...row, ...given };
        const next: ResourceServerRow = { ...merged, audience: merged.audience === row.identifier ? undefined : merged.audience, updatedAt: clock() };
        assertSettings(next);
        assertAudienceFree(next, await list(tx));
        const [before, after] = [recordOf(server), recordOf(describeRow(next, defaults).server)];
        if (isDeepStrictEqual(before, after)) return;
        await store.update(next, tx);
        await events.emit(tx, 'resource_server.updated', { resourceServer: row.identifier, ...actedBy(actor), before, after });
      });
      return changed(idOrIdentifier);
    },

    async check({ identifier, ...wanted }) {
      const given = Object.fromEntries(Object.entries(read(resourceServerChangesSchema, wanted)).filter(([, value]) => value !== undefined));
      const others = await list();
      const known = others.find(({ server }) => server.identifier === identifier);
      if (known && !known.row) throw notChanged(known.server);
      if (!known) assertNotOurs(identifier, issuer, 'identifier');
      const before = known?.row ?? { id: '', format: 'opaque' as const, audience: undefined, algorithm: undefined, ttl: undefined };
      const next = { ...before, ...given, identifier };
      assertSettings(next);
      assertAudienceFree(next, others);
    },

    async remove(idOrIdentifier, actor) {
      await change(idOrIdentifier, async ({ id, identifier }, server, tx) => {
        await assertUnused(identifier, undefined, tx);
        await store.remove(id, tx);
        await events.emit(tx, 'resource_server.deleted', { resourceServer: identifier, ...actedBy(actor), before: { ...recordOf(server), scopes: server.scopes } });
      });
    },

    async putScope(idOrIdentifier, input, actor) {
      const scope = read<Scope>(scopeSchema, input);
      const { name, ...after } = scope;
      await change(idOrIdentifier, async ({ id, identifier, scopes }, _server, tx) => {
        const old = scopes.find((each) => each.name === name);
        const before = old && { description: old.description, level: old.level };
        if (isDeepStrictEqual(before, after)) return;
        await store.putScope(id, scope, clock(), tx, !old);
        await events.emit(tx, 'scope.put', { resourceServer: identifier, scope: name, ...actedBy(actor), before, after });
      });
      return changed(idOrIdentifier);
    },

    async removeScope(idOrIdentifier, name, actor) {
      await change(idOrIdentifier, async ({ id, identifier, scopes }, _server, tx) => {
        const old = scopes.find((each) => each.name === name);
        if (!old) throw new AppError('not_found', 'the resource server has no such scope');
        await assertUnused(identifier, name, tx);
        await store.removeScope(id, name, clock(), tx);
        await events.emit(tx, 'scope.deleted', { resourceServer: identifier, scope: name, ...actedBy(actor), before: { description: old.description, level: old.level } });
      });
      return changed(idOrIdentifier);
    },

    usedBy: async (identifier, scope, options) => (await holders()?.usedBy(identifier, scope, options)) ?? { clients: [], count: 0 },

    async unknown(grants, tx) {
      const unknown: string[] = [];
      const others = Object.entries(grants).filter(([indicator]) => !isFixed(indicator));
      if (others.length) await store.hold(tx);
      for (const [indicator, scopes] of Object.entries(grants)) {
        const known = isFixed(indicator) ? Object.keys(fixed[indicator]!.scopes) : await store.scopesOf(indicator, tx);
        if (!known) unknown.push(indicator);
        else unknown.push(...scopes.filter((scope) => !known.includes(scope)).map((scope) => `${scope} of ${indicator}`));
      }
      return unknown;
    },
  };
}

/** @throws AppError `invalid_request` with `field` */
function read<T>(schema: ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue!.path.join('.') || (issue!.code === 'unrecognized_keys' ? issue!.keys[0] : undefined);
  throw new AppError('invalid_request', field === undefined ? issue!.message : `${field}: ${issue!.message}`, field === undefined ? {} : { extra: { field } });
}

/** What the provider makes tokens by. */
function asResource({ audience, format, algorithm, ttl, scopes }: ResourceServerRow): Resource {
  return {
    format,
    ...(audience !== undefined && { audience }),
    ...(algorithm !== undefined && { algorithm }),
    ...(ttl !== undefined && { ttl }),
    scopes: Object.fromEntries(scopes.map(({ name, description, level }) => [name, { description, level }])),
  };
}

const byName = (scopes: readonly Scope[]) => [...scopes].sort((a, b) => (a.name < b.name ? -1 : 1));

const notChanged = ({ origin }: ResourceServer) => new AppError('conflict', `this resource server is of ${origin === 'built-in' ? 'Tandem itself' : 'the configuration'}: it is not changed here`);
