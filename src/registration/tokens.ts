import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { actedBy, type Actor } from '../lib/actor.ts';
import { base64url, randomToken, sha256, uuid } from '../lib/crypto.ts';
import { chosenName } from '../lib/names.ts';
import { page } from '../lib/paging.ts';
import type { ResourceRegistry } from '../resources/types.ts';
import './events.ts';
import { readPolicy } from './policy.ts';
import { LIFE, LONGEST_LABEL } from './schema.ts';
import type { TokenRecord, TokenStore } from './store.ts';
import type { InitialAccessToken, InitialAccessTokens } from './types.ts';

export interface TokensOptions {
  readonly store: TokenStore;
  readonly resources: Pick<ResourceRegistry, 'unknown'>;
  /** Nobody gives what they do not have. @throws AppError `insufficient_scope` */
  readonly assertAuthority: (actor: Actor, metadata: Readonly<Record<string, unknown>>) => void;
}

/** How long a token lives that nobody said more of, in seconds. */
const DAY = 86_400;

export const hashOf = (value: string): string => base64url(sha256(value));

/** Creates the tokens by which clients register themselves, as administrators make and revoke them. */
export function createTokens({ db, clock, events }: Pick<Context, 'db' | 'clock' | 'events'>, { store, resources, assertAuthority }: TokensOptions): InitialAccessTokens {
  const toPublic = (record: TokenRecord): InitialAccessToken => {
    const { id, label, policy, createdAt, expiresAt, clientId } = record;
    return { id, label, policy, state: stateOf(record, clock()), createdAt, expiresAt, clientId };
  };

  return {
    async list(asked = {}) {
      const { items, cursor } = await page(asked, ['number', 'string'], {
        read: (limit, after) => store.list(limit, after && { createdAt: after[0], id: after[1] }),
        positionOf: ({ createdAt, id }) => [createdAt, id],
      });
      return { tokens: items.map(toPublic), ...(cursor !== undefined && { cursor }) };
    },

    async create({ label: given, expiresIn = DAY, policy: asked = {} }, actor) {
      if (!Number.isInteger(expiresIn) || expiresIn < LIFE.shortest || expiresIn > LIFE.longest) {
        throw new AppError('invalid_request', `a token lives ${LIFE.shortest} to ${LIFE.longest} whole seconds`, { extra: { field: 'expires_in' } });
      }
      const [label, policy] = [labelOf(given), readPolicy(asked)];
      assertAuthority(actor, policy.metadata ?? {});
      const [value, createdAt] = [randomToken(), clock()];
      const record: TokenRecord = { id: uuid(), label, policy, createdAt, expiresAt: createdAt + expiresIn * 1000, usedAt: undefined, revokedAt: undefined, clientId: undefined };
      const grants = (policy.metadata?.['tandem_resources'] ?? {}) as Readonly<Record<string, readonly string[]>>;
      await db.transaction(async (tx) => {
        const unknown = await resources.unknown(grants, tx);
        if (unknown.length > 0) throw new AppError('invalid_request', `there is no such resource server or scope: ${unknown.join(', ')}`, { extra: { field: 'policy.metadata.tandem_resources' } });
        await store.insert(record, hashOf(value), tx);
        await events.emit(tx, 'registration_token.created', { ...actedBy(actor), tokenId: record.id, label, policy, expiresAt: record.expiresAt });
      });
      return { token: toPublic(record), value };
    },

    async revoke(id, actor) {
      await db.transaction(async (tx) => {
        const record = await store.lock(id, tx);
        if (!record) throw new AppError('not_found', 'there is no such registration token');
        if (record.usedAt !== undefined) throw new AppError('conflict', 'a client has registered with this token already; delete the client');
        if (record.revokedAt !== undefined) return;
        await store.revoke(id, clock(), tx);
        await events.emit(tx, 'registration_token.revoked', { ...actedBy(actor), tokenId: id, label: record.label });
      });
    },
  };
}

/** What has happened to it counts before what time did. */
export function stateOf({ usedAt, revokedAt, expiresAt }: TokenRecord, at: number): InitialAccessToken['state'] {
  if (usedAt !== undefined) return 'used';
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt > at ? 'open' : 'expired';
}

function labelOf(given: string | undefined): string {
  try {
    return chosenName(given, LONGEST_LABEL) ?? '';
  } catch (cause) {
    throw new AppError('invalid_request', `a label has at most ${LONGEST_LABEL} ordinary characters`, { extra: { field: 'label' }, cause });
  }
}
