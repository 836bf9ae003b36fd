import type { Adapter, AdapterFactory, AdapterPayload, ClientMetadata } from 'oidc-provider';
import { isClientId, type ClientStore } from '../store.ts';
import type { Properties } from './properties.ts';

/** What clients do to themselves (RFC 7591, 7592). */
export interface SelfService {
  /** Keeps a client that is new, or what one of the registry's has become. */
  keep(clientId: string, metadata: ClientMetadata): Promise<void>;
  /** Ends it; false where the registry does not know it. */
  end(clientId: string): Promise<boolean>;
}

/** The library's storage, with clients in the registry; those that a host keeps elsewhere are found there, and stay there. */
export function withClients(others: AdapterFactory, { store, properties, self }: { store: ClientStore; properties: Properties; self: SelfService }): AdapterFactory {
  return (model) => {
    const other = others(model);
    if (model !== 'Client') return other;

    const clients: Partial<Adapter> = {
      async find(id) {
        const record = await store.find(id);
        // The version has no part in the client, but makes the library see another one where a key or a secret has changed.
        if (record) return { ...properties.of(record), version: record.version } as AdapterPayload;
        return isClientId(id) && (await store.isTaken(id)) ? undefined : other.find(id);
      },
      async upsert(id, payload, expiresIn) {
        const elsewhere = !(await store.find(id)) && (await other.find(id));
        if (elsewhere) return other.upsert(id, payload, expiresIn);
        return self.keep(id, payload as ClientMetadata);
      },
      async destroy(id) {
        if (!(await self.end(id))) await other.destroy(id);
      },
    };
    return Object.assign(Object.create(other) as Adapter, clients);
  };
}
