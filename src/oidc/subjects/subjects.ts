import type { Client } from 'oidc-provider';
import type { Context } from '../../context.ts';
import { uuid } from '../../lib/crypto.ts';
import { createSubjectStore } from './store.ts';

/** Stands for a sector in client metadata, without any document to fetch: `.invalid` resolves nowhere (RFC 2606). */
export const OPAQUE_SECTOR = 'https://sector.invalid/';

/**
 * The `sector_identifier_uri` of a client that names none. It lets a client have redirect URIs on several hosts, or
 * none at all, where the library would look for the one host that makes its sector.
 */
export const sectorUri = (clientId: string): string => OPAQUE_SECTOR + encodeURIComponent(clientId);

export interface Subjects {
  /** The `sub` that clients of a sector see for an account; made on first use, then the same for ever. */
  of(sector: string, accountId: string): Promise<string>;
  /** The account behind a subject of a sector, if it is one. */
  accountOf(sector: string, subject: string): Promise<string | undefined>;
}

/** How many subjects a process remembers; one takes about 200 bytes. */
const CACHE_SIZE = 10_000;

/** A client's sector: the group that it was given to, else it alone. */
export function sectorOf(client: Client): string {
  const group = client.tandem_sector;
  return typeof group === 'string' ? `group:${group}` : `client:${client.clientId}`;
}

/** Creates the pairwise subjects: a random UUID for each sector and account, so that two sectors share nothing. */
export function createSubjects({ db, clock }: Pick<Context, 'db' | 'clock'>): Subjects {
  const store = createSubjectStore(db);
  const cache = new Map<string, string>();

  function remember(key: string, subject: string): string {
    cache.delete(key);
    cache.set(key, subject);
    if (cache.size > CACHE_SIZE) cache.delete(cache.keys().next().value!);
    return subject;
  }

  return {
    async of(sector, accountId) {
      const key = JSON.stringify([sector, accountId]);
      const cached = cache.get(key);
      if (cached) return remember(key, cached);
      const stored = await store.find(sector, accountId);
      if (stored) return remember(key, stored);
      // Several processes may come here at once: one insert wins, and all read what it wrote.
      await store.insert({ sector, accountId, subject: uuid(), createdAt: clock() });
      const subject = await store.find(sector, accountId);
      if (!subject) throw new Error('a subject that was just written is gone');
      return remember(key, subject);
    },
    accountOf: (sector, subject) => store.findAccount(sector, subject),
  };
}
