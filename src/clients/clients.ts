import type { Client, Configuration, Provider } from 'oidc-provider';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { actedBy } from '../lib/actor.ts';
import { randomToken } from '../lib/crypto.ts';
import { page } from '../lib/paging.ts';
import type { ResourceRegistry } from '../resources/types.ts';
import { assertAuthority, assertKnownScopes, createChanger, differences, noSuchClient } from './changes.ts';
import { createCredentials } from './credentials/credentials.ts';
import { makeKeyPair, publicKey, type HostedKey } from './credentials/keys.ts';
import { makeSecret, publicSecret, validAt } from './credentials/secrets.ts';
import './events.ts';
import { withClients } from './provider/adapter.ts';
import { attachClients } from './provider/attached.ts';
import { createProperties } from './provider/properties.ts';
import { createSelfService } from './provider/self-service.ts';
import { clientChangesSchema, METADATA, metadataSchema, newClientSchema } from './schema.ts';
import { createClientStore, type ClientRecord } from './store.ts';
import type { Clients, Metadata, RegisteredClient } from './types.ts';
import { readMetadata, takesSecret, validateByProvider } from './validation.ts';

export interface ClientsOptions {
  /** The resource servers whose scopes clients are granted. */
  readonly resources: Pick<ResourceRegistry, 'unknown'>;
  /** The resource indicator of the provider's own API. */
  readonly api: string;
  /** The `sector_identifier_uri` of a client that names none; where subjects are pairwise. */
  readonly sectorOf: ((clientId: string) => string) | undefined;
}

/** Creates the registry of clients. It judges metadata by the provider that is attached to it. */
export function createClients(context: Context, { resources, api, sectorOf }: ClientsOptions): Clients {
  const { db, clock, events, issuer } = context;
  const store = createClientStore(db);
  const properties = createProperties({ issuer, sectorOf });
  const change = createChanger(context, store);
  const self = createSelfService(context, { store, change, resources, properties });
  let own: ReadonlySet<string> = new Set();
  let extra: ReadonlySet<string> = new Set();
  let attached: Provider | undefined;

  function provider(): Provider {
    if (!attached) throw new Error('attach a provider first: provider.use(t.attach(provider))');
    return attached;
  }

  const judge = (record: ClientRecord): Promise<Client> => validateByProvider(provider(), properties.of(record), record.metadata);
  const credentials = createCredentials(context, { change, api, judge });

  const taken = () => new AppError('conflict', 'there is a client with this id, or there was one', { extra: { field: 'client_id' } });

  function toPublic({ clientId, metadata, origin, secrets, keys, createdAt, updatedAt }: ClientRecord): RegisteredClient {
    return { clientId, metadata, origin, secrets: validAt(secrets, clock()).map(publicSecret), keys: keys.map(publicKey), createdAt, updatedAt };
  }

  return {
    async list({ search = '' } = {}, asked = {}) {
      const { items, cursor } = await page(asked, ['number', 'string'], {
        read: (limit, after) => store.list(search, limit, after && { createdAt: after[0], clientId: after[1] }),
        positionOf: ({ createdAt, clientId }) => [createdAt, clientId],
      });
      return { clients: items.map(toPublic), ...(cursor !== undefined && { cursor }) };
    },

    async get(clientId) {
      const record = await store.find(clientId);
      if (!record) throw noSuchClient();
      return toPublic(record);
    },

    async create(input, actor, { generateKey } = {}) {
      const { client_id: clientId = randomToken(16), ...metadata } = readMetadata(newClientSchema, input, extra) as Metadata & { client_id?: string };
      assertAuthority(actor, api, metadata);
      if (own.has(clientId)) throw taken();
      const now = clock();
      const pair = generateKey === undefined ? undefined : await makeKeyPair(generateKey, now);
      const draft: ClientRecord = { clientId, version: 1, origin: 'admin', metadata, secrets: [], keys: pair ? [pair.hosted] : [], createdAt: now, updatedAt: now };
      const client = await judge(draft);
      if (pair) credentials.assertHosted(metadata);
      const secret = takesSecret(client) ? makeSecret(now) : undefined;
      const record: ClientRecord = { ...draft, secrets: secret ? [secret.stored] : [] };
      try {
        await db.transaction(async (tx) => {
          if (await store.isTaken(clientId, tx)) throw taken();
          await assertKnownScopes(resources, tx, metadata);
          await store.insert(record, tx);
          await events.emit(tx, 'client.created', { clientId, ...actedBy(actor), after: metadata });
        });
      } catch (error) {
        throw db.isUniqueViolation(error) ? taken() : error;
      }
      return { client: toPublic(record), ...(secret && { secret: secret.told }), ...(pair && { privateKey: pair.privateKey }) };
    },

    async update(clientId, input, actor) {
      const { client_id: same = clientId, ...rest } = input;
      if (same !== clientId) throw new AppError('invalid_request', 'the id of a client never changes', { extra: { field: 'client_id' } });
      const changes = readMetadata(clientChangesSchema, rest, extra);
      const record = await change(clientId, async (before) => {
        const metadata = Object.fromEntries(Object.entries({ ...before.metadata, ...changes }).filter(([, value]) => value !== null));
        const difference = differences(before.metadata, metadata);
        assertAuthority(actor, api, before.metadata, metadata);
        if (!difference) return undefined;
        if (before.keys.length > 0) credentials.assertHosted(metadata);
        const client = await judge({ ...before, metadata });
        // What serves nothing any more must not come back to life when the method changes again.
        const secrets = takesSecret(client) ? before.secrets : [];
        return {
          next: { metadata, secrets, keys: before.keys },
          async tell(tx) {
            await assertKnownScopes(resources, tx, metadata, before.metadata);
            await events.emit(tx, 'client.updated', { clientId, ...actedBy(actor), ...difference });
            for (const { id } of before.secrets.slice(secrets.length)) await events.emit(tx, 'client.secret_removed', { clientId, ...actedBy(actor), secretId: id });
          },
        };
      });
      return toPublic(record);
    },

    async check(clientId, input, actor, keys = []) {
      const metadata = readMetadata(metadataSchema, input, extra) as Metadata;
      const known = await store.find(clientId);
      assertAuthority(actor, api, ...(known ? [known.metadata] : []), metadata);
      if (!known && (own.has(clientId) || (await db.transaction((tx) => store.isTaken(clientId, tx))))) throw taken();
      await judge({ ...(known ?? { clientId, version: 1, origin: 'admin', secrets: [], keys: [], createdAt: clock(), updatedAt: clock() }), metadata });
      if (keys.length > 0) credentials.assertHosted(metadata);
      for (const key of keys) await credentials.readKey(key);
    },

    async remove(clientId, actor) {
      await db.transaction(async (tx) => {
        const record = await store.lock(clientId, tx);
        if (!record) throw noSuchClient();
        assertAuthority(actor, api, record.metadata);
        await store.remove(clientId, clock(), tx);
        await events.emit(tx, 'client.deleted', { clientId, ...actedBy(actor), before: record.metadata });
      });
    },

    ...credentials.operations,

    async jwks(clientId) {
      const record = await store.find(clientId);
      return record && { keys: record.keys.map(({ jwk }: HostedKey) => jwk as never) };
    },

    exists: async (clientId) => own.has(clientId) || (await store.find(clientId)) !== undefined,

    usedBy: (identifier, scope, { tx, limit = 20 } = {}) => store.holders(identifier, scope, limit, tx),

    adapter: (others) => withClients(others, { store, properties, self }),

    attach(next, configured: Pick<Configuration, 'clients' | 'extraClientMetadata'> = {}) {
      attached = next;
      own = new Set((configured.clients ?? []).map(({ client_id: id }) => id));
      extra = new Set((configured.extraClientMetadata?.properties ?? []).filter((name) => !Object.hasOwn(METADATA, name)));
      attachClients(next, { store, properties, clock, own });
    },
  };
}
