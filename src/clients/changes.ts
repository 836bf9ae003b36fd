import { isDeepStrictEqual } from 'node:util';
import type { Context, Transaction } from '../context.ts';
import { AppError } from '../errors.ts';
import type { Actor } from '../lib/actor.ts';
import type { ResourceRegistry } from '../resources/types.ts';
import { grantsOf, type ClientRecord, type ClientStore } from './store.ts';
import type { Metadata } from './types.ts';

/** How often a change is tried again that another one came before. */
const TRIES = 5;

/**
 * Nobody gives, takes or touches what they do not have: whoever could change the secret of a client could act as that client.
 *
 * @param api the resource indicator of the provider's own API
 * @throws AppError `insufficient_scope` with `extra.scope`
 */
export function assertAuthority(actor: Pick<Actor, 'authority'>, api: string, ...states: readonly Metadata[]): void {
  const { authority } = actor;
  if (authority === 'all') return;
  const lacking = new Set(states.flatMap((metadata) => grantsOf(metadata)[api] ?? []).filter((scope) => !authority.has(scope)));
  if (lacking.size === 0) return;
  const scope = [...lacking].join(' ');
  throw new AppError('insufficient_scope', `only who has these scopes may give them, or change a client that has them: ${scope}`, { extra: { scope } });
}

/** @throws AppError `invalid_request` where a scope is granted, and was not before, that there is not */
export async function assertKnownScopes(resources: Pick<ResourceRegistry, 'unknown'>, tx: Transaction, after: Metadata, before: Metadata = {}): Promise<void> {
  const had = grantsOf(before);
  const added = Object.fromEntries(
    Object.entries(grantsOf(after))
      .map(([resource, scopes]) => [resource, scopes.filter((scope) => !(Object.hasOwn(had, resource) && had[resource]!.includes(scope)))] as const)
      .filter(([resource, scopes]) => scopes.length > 0 || !Object.hasOwn(had, resource)),
  );
  if (Object.keys(added).length === 0) return;
  const unknown = await resources.unknown(added, tx);
  if (unknown.length > 0) throw new AppError('invalid_request', `there is no such resource server or scope: ${unknown.join(', ')}`, { extra: { field: 'tandem_resources' } });
}

/** The members that differ, as they were and as they are; null where there was none, or is none. */
export function differences(before: Metadata, after: Metadata): { before: Metadata; after: Metadata } | undefined {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !isDeepStrictEqual(before[name], after[name]));
  const pick = (metadata: Metadata) => Object.fromEntries(names.map((name) => [name, metadata[name] ?? null]));
  return names.length === 0 ? undefined : { before: pick(before), after: pick(after) };
}

export const noSuchClient = () => new AppError('not_found', 'there is no such client');

/** What a change makes of a client, and tells of it in the same transaction. */
export interface Change {
  readonly next: Pick<ClientRecord, 'metadata' | 'secrets' | 'keys'>;
  readonly tell: (tx: Transaction) => Promise<void>;
}

/**
 * Changes a client as it is when the change is written: what is worked out before the transaction, as documents may have to be fetched for it, is
 * worked out again where another change came first.
 */
export function createChanger({ db, clock }: Pick<Context, 'db' | 'clock'>, store: ClientStore) {
  /** @param plan undefined where nothing is to be changed @throws AppError `not_found`, `conflict` where it changes all the time, and what `plan` throws */
  return async function change(clientId: string, plan: (record: ClientRecord) => Promise<Change | undefined>): Promise<ClientRecord> {
    for (let left = TRIES; left > 0; left -= 1) {
      const record = await store.find(clientId);
      if (!record) throw noSuchClient();
      const planned = await plan(record);
      if (!planned) return record;
      const next: ClientRecord = { ...record, ...planned.next, updatedAt: clock() };
      const done = await db.transaction(async (tx) => {
        const now = await store.lock(clientId, tx);
        if (!now) throw noSuchClient();
        if (now.version !== record.version || !(await store.update(next, tx))) return false;
        await planned.tell(tx);
        return true;
      });
      if (done) return { ...next, version: record.version + 1 };
    }
    throw new AppError('conflict', 'somebody else is changing this client; try again');
  };
}
