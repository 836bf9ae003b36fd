import { errors, type Adapter, type AdapterFactory } from 'oidc-provider';
import type { Clock } from '../context.ts';
import type { TokenStore } from './store.ts';
import { hashOf, stateOf } from './tokens.ts';

const METHODS = ['upsert', 'find', 'findByUid', 'findByUserCode', 'consume', 'destroy', 'revokeByGrantId'] as const satisfies ReadonlyArray<keyof Adapter>;

/** An adapter with some methods of ours. Not by inheritance: a host's may have private members, which no other object reaches. */
function changed(other: Adapter, ours: Partial<Adapter>): Adapter {
  const theirs = Object.fromEntries(METHODS.map((name) => [name, (...given: never[]) => (other as unknown as Record<string, (...given: never[]) => Promise<unknown>>)[name]!(...given)]));
  return { ...(theirs as unknown as Adapter), ...ours };
}

/**
 * The library's storage, with initial access tokens as administrators make them, and registration access tokens that are replaced once.
 *
 * @param options `policy`: the name of the policy that is asked of each registration
 */
export function withTokens(others: AdapterFactory, { store, clock, policy }: { store: TokenStore; clock: Clock; policy: string }): AdapterFactory {
  return (model) => {
    const other = others(model);
    if (model === 'RegistrationAccessToken') return changed(other, { destroy: (id) => destroyOnce(other, id) });
    if (model !== 'InitialAccessToken') return other;
    return changed(other, {
      async find(value) {
        const token = await store.findByHash(hashOf(value));
        // A host may make some of its own.
        if (!token) return (await other.find(value)) || undefined;
        if (stateOf(token, clock()) !== 'open') return undefined;
        return { kind: 'InitialAccessToken', jti: value, iat: Math.floor(token.createdAt / 1000), exp: Math.ceil(token.expiresAt / 1000), policies: [policy] };
      },
    });
  };
}

/** Of any number of updates at once one gets the next token: else a token that was seen once would bring forth any number. */
async function destroyOnce(other: Adapter, id: string): Promise<void> {
  try {
    await other.consume(id);
  } catch (error) {
    throw error instanceof errors.InvalidGrant ? new errors.InvalidToken('registration access token was replaced already') : error;
  }
  await other.destroy(id);
}
