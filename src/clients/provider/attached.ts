import type { Client, Provider } from 'oidc-provider';
import type { Clock } from '../../context.ts';
import { matches, type StoredSecret } from '../credentials/secrets.ts';
import { isClientId, type ClientStore } from '../store.ts';
import { clientClass } from '../validation.ts';
import type { Properties } from './properties.ts';

/** How many clients a process keeps as they were made; one takes about 3 KiB. */
const KEPT = 10_000;

/** Keeps what was used last. */
function createKept<T>(size: number) {
  const kept = new Map<string, T>();
  return {
    get(key: string): T | undefined {
      const found = kept.get(key);
      if (found !== undefined && kept.size > size / 2) {
        kept.delete(key);
        kept.set(key, found);
      }
      return found;
    },
    set(key: string, value: T) {
      kept.delete(key);
      kept.set(key, value);
      if (kept.size > size) kept.delete(kept.keys().next().value!);
    },
    delete: (key: string) => kept.delete(key),
  };
}

/**
 * Has a provider find the clients of the registry.
 *
 * The library makes a client anew of what its adapter answers, and keeps the last hundred: with more, each request would pay for that. Here a
 * request asks for the version of the row, and makes the client where it is not the version that this process has: a change counts at once in every process.
 *
 * @param own ids of the provider's own configuration, which the library knows by itself
 */
export function attachClients(provider: Provider, { store, properties, clock, own }: { store: ClientStore; properties: Properties; clock: Clock; own: ReadonlySet<string> }): void {
  const Client = clientClass(provider);
  const libraryFind = Client.find.bind(Client);
  const prototype = Client.prototype as Client;
  const libraryCompare = prototype.compareClientSecret;
  const kept = createKept<{ readonly version: number; readonly client: Client }>(KEPT);
  const secrets = new WeakMap<Client, readonly StoredSecret[]>();

  Client.find = async (id) => {
    if (!isClientId(id) || own.has(id)) return libraryFind(id);
    const version = await store.versionOf(id);
    const known = kept.get(id);
    if (known && known.version === version) return known.client;
    kept.delete(id);
    const record = version === undefined ? undefined : await store.find(id);
    if (!record) return libraryFind(id);
    const client = new Client(properties.of(record));
    secrets.set(client, record.secrets);
    kept.set(id, { version: record.version, client });
    return client;
  };

  // RFC 6749 §2.3.1, by hashes; of clients that are not the registry's the library knows the secret itself.
  prototype.compareClientSecret = function compareClientSecret(this: Client, actual: string) {
    const hashed = secrets.get(this);
    return hashed ? matches(hashed, actual, clock()) : libraryCompare.call(this, actual);
  };
}
