import type { KeyStore, PhoneAccount } from '../sdk/key-store.ts';

const STORE = 'accounts';

/**
 * Keeps accounts in IndexedDB. Keys are stored as the non-extractable CryptoKeys that they are: scripts of this origin
 * can use them, nobody can read them.
 */
export function indexedDbKeyStore(): KeyStore {
  const database = ended(upgraded(indexedDB.open('tandem-phone', 1)));

  async function store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    return (await database).transaction(STORE, mode, { durability: 'strict' }).objectStore(STORE);
  }

  return {
    async list() {
      const accounts = (await ended((await store('readonly')).getAll())) as PhoneAccount[];
      return accounts.sort((a, b) => a.enrolledAt - b.enrolledAt);
    },
    async save(account) {
      await ended((await store('readwrite')).put(account));
    },
    async remove(deviceId) {
      await ended((await store('readwrite')).delete(deviceId));
    },
  };
}

function upgraded(request: IDBOpenDBRequest): IDBOpenDBRequest {
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'deviceId' });
  return request;
}

function ended<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}
