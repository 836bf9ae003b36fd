import type { JWK } from 'oidc-provider';
import type { ClientRegistry, Metadata, RegisteredClient } from '../../clients/types.ts';
import { AppError } from '../../errors.ts';
import type { Actor } from '../../lib/actor.ts';
import type { Document } from './document.ts';
import { differences, updateOf, type Planned } from './plan.ts';

type Wanted = NonNullable<Document['clients']>[number];

/** Makes the clients what a document says of them: a member of their metadata that it leaves out is taken away. */
export async function planClients(wanted: readonly Wanted[], clients: ClientRegistry, thumbprint: Thumbprint, actor: Actor): Promise<Planned[]> {
  const planned: Planned[] = [];
  for (const each of wanted) planned.push(await planClient(each, clients, thumbprint, actor));
  return planned;
}

export type Thumbprint = (key: JWK) => Promise<string>;

async function planClient({ client_id: id, managed_keys: given, ...metadata }: Wanted, clients: ClientRegistry, thumbprint: Thumbprint, actor: Actor): Promise<Planned> {
  const known = await find(clients, id);
  const keys = new Map<string, JWK>();
  for (const key of (given ?? []) as JWK[]) keys.set(typeof key.kid === 'string' ? key.kid : await thumbprint(key), key);
  const check = () => clients.check(id, metadata, actor, [...keys.values()] as never);
  if (!known) {
    return {
      step: { action: 'create', kind: 'client', id },
      check,
      async carryOut() {
        // Before there is a client whose secret nobody was told.
        if (keys.size > 0) await check();
        const { secret } = await clients.create({ ...metadata, client_id: id }, actor);
        for (const key of keys.values()) await clients.addKey(id, key as never, actor);
        return secret && { secret: secret.value };
      },
    };
  }
  const hosted = known.keys.map(({ kid }) => kid);
  const missing = [...keys].filter(([kid]) => !hosted.includes(kid));
  // A pair that was made here is in no document.
  const surplus = given === undefined ? [] : known.keys.filter(({ kid, generated }) => !generated && !keys.has(kid)).map(({ kid }) => kid);
  const kept = hosted.filter((kid) => !surplus.includes(kid));
  const members = differences(known.metadata, metadata);
  const changes = {
    ...members,
    ...(missing.length + surplus.length > 0 && { managed_keys: { before: hosted, after: [...kept, ...missing.map(([kid]) => kid)] } }),
  };
  const add = async () => {
    for (const [, key] of missing) await clients.addKey(id, key as never, actor);
  };
  const update = async () => {
    const names = Object.keys(members);
    if (names.length > 0) await clients.update(id, Object.fromEntries(names.map((name) => [name, (metadata as Metadata)[name] ?? null])), actor);
  };
  const remove = async () => {
    for (const kid of surplus) await clients.removeKey(id, kid, actor);
  };
  // Keys are here or elsewhere; where they stay here, there is no moment without any.
  const moves = 'jwks' in members || 'jwks_uri' in members;
  return updateOf('client', id, changes, async () => {
    for (const step of moves ? [remove, update, add] : [add, update, remove]) await step();
  }, check);
}

async function find(clients: ClientRegistry, id: string): Promise<RegisteredClient | undefined> {
  try {
    return await clients.get(id);
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** Takes away the clients that the document does not name, but for those that registered themselves. */
export async function planClientPruning(wanted: readonly Wanted[], clients: ClientRegistry, actor: Actor): Promise<Planned[]> {
  const named = new Set(wanted.map(({ client_id: id }) => id));
  const planned: Planned[] = [];
  let cursor: string | undefined;
  do {
    const page = await clients.list({}, { limit: 200, cursor });
    for (const { clientId, origin } of page.clients) {
      if (origin === 'registration' || named.has(clientId)) continue;
      planned.push({ step: { action: 'remove', kind: 'client', id: clientId }, carryOut: () => clients.remove(clientId, actor) });
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return planned;
}
