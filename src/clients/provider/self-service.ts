import { errors, type ClientMetadata } from 'oidc-provider';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { actedBy, type Actor } from '../../lib/actor.ts';
import type { ResourceRegistry } from '../../resources/types.ts';
import { assertKnownScopes, differences, noSuchClient, type createChanger } from '../changes.ts';
import { keepSecret, type StoredSecret } from '../credentials/secrets.ts';
import type { ClientRecord, ClientStore } from '../store.ts';
import type { SelfService } from './adapter.ts';
import { isSecretless, type Properties } from './properties.ts';

export interface SelfServiceParts {
  readonly store: ClientStore;
  readonly change: ReturnType<typeof createChanger>;
  readonly resources: Pick<ResourceRegistry, 'unknown'>;
  readonly properties: Properties;
}

/** Clients that register, change and end themselves; the library has judged their metadata when it comes here. */
export function createSelfService({ db, clock, events }: Pick<Context, 'db' | 'clock' | 'events'>, { store, change, resources, properties }: SelfServiceParts): SelfService {
  const itself = (clientId: string): Actor => ({ kind: 'client', id: clientId, authority: new Set() });

  /** A secret that the library has just made, and tells the client; the one that stands in is none. */
  function secretsOf(clientId: string, { client_secret: secret, token_endpoint_auth_method: method }: ClientMetadata, before: readonly StoredSecret[]): readonly StoredSecret[] {
    if (secret === undefined || isSecretless(method)) return [];
    return secret === properties.standIn(clientId) ? before : [keepSecret(secret, clock())];
  }

  async function register(clientId: string, given: ClientMetadata) {
    const now = clock();
    const metadata = properties.without(clientId, given);
    const record: ClientRecord = { clientId, version: 1, origin: 'registration', metadata, secrets: secretsOf(clientId, given, []), keys: [], createdAt: now, updatedAt: now };
    await db.transaction(async (tx) => {
      // One that was deleted while it changed itself.
      if (await store.isTaken(clientId, tx)) throw noSuchClient();
      await assertKnownScopes(resources, tx, metadata);
      await store.insert(record, tx);
      await events.emit(tx, 'client.registered', { clientId, ...actedBy(itself(clientId)), after: metadata });
    });
  }

  async function update(clientId: string, given: ClientMetadata) {
    const metadata = properties.without(clientId, given);
    await change(clientId, async (before) => {
      const secrets = secretsOf(clientId, given, before.secrets);
      const difference = differences(before.metadata, metadata);
      if (!difference && secrets === before.secrets) return undefined;
      return {
        next: { metadata, secrets, keys: before.keys },
        async tell(tx) {
          await assertKnownScopes(resources, tx, metadata, before.metadata);
          await events.emit(tx, 'client.self_updated', { clientId, ...actedBy(itself(clientId)), ...(difference ?? { before: {}, after: {} }) });
        },
      };
    });
  }

  return {
    async keep(clientId, metadata) {
      try {
        await ((await store.find(clientId)) ? update : register)(clientId, metadata);
      } catch (error) {
        // RFC 7591 §3.2.2
        throw error instanceof AppError ? new errors.InvalidClientMetadata(error.message) : error;
      }
    },

    async end(clientId) {
      return db.transaction(async (tx) => {
        const record = await store.lock(clientId, tx);
        if (!record) return false;
        await store.remove(clientId, clock(), tx);
        await events.emit(tx, 'client.self_deleted', { clientId, ...actedBy(itself(clientId)), before: record.metadata });
        return true;
      });
    },
  };
}
