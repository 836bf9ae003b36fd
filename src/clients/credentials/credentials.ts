import type { JWK } from 'jose';
import type { Client } from 'oidc-provider';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { actedBy, type Actor } from '../../lib/actor.ts';
import { assertAuthority, type createChanger } from '../changes.ts';
import { LONGEST_OVERLAP } from '../schema.ts';
import type { ClientRecord } from '../store.ts';
import type { ClientRegistry, Metadata } from '../types.ts';
import { takesSecret } from '../validation.ts';
import { makeKeyPair, MAX_KEYS, publicKey, readPublicKey, type HostedKey } from './keys.ts';
import { makeSecret, MAX_SECRETS, validAt, type StoredSecret } from './secrets.ts';

export interface CredentialsParts {
  readonly change: ReturnType<typeof createChanger>;
  /** The resource indicator of the provider's own API. */
  readonly api: string;
  /** The client as the attached provider sees it. */
  readonly judge: (record: ClientRecord) => Promise<Client>;
}

/** What the provider verifies of its clients' signatures (`token_endpoint_auth_signing_alg_values_supported`), without what takes a shared secret. */
const SUPPORTED = ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'];

/** What clients prove themselves by: secrets and keys. */
export function createCredentials({ clock, events }: Pick<Context, 'clock' | 'events'>, { change, api, judge }: CredentialsParts) {
  /** @throws AppError `conflict` where the client's keys are elsewhere, so that nobody would look at those here */
  function assertHosted(metadata: Metadata): void {
    const field = ['jwks', 'jwks_uri'].find((name) => metadata[name] !== undefined);
    if (field) throw new AppError('conflict', `the provider hosts keys of this client, or its \`${field}\` has them: not both`, { extra: { field } });
  }

  const readKey = (jwk: unknown): Promise<HostedKey> => readPublicKey(jwk as JWK, { at: clock(), supported: SUPPORTED });

  async function add(clientId: string, make: (at: number) => Promise<HostedKey>, actor: Actor): Promise<HostedKey> {
    let added: HostedKey | undefined;
    await change(clientId, async (record) => {
      assertAuthority(actor, api, record.metadata);
      assertHosted(record.metadata);
      const key = (added = await make(clock()));
      if (record.keys.some(({ kid }) => kid === key.kid)) throw new AppError('conflict', 'there is a key with this `kid`', { extra: { field: 'kid' } });
      if (record.keys.length >= MAX_KEYS) throw new AppError('conflict', `a client has at most ${MAX_KEYS} keys; remove one first`);
      return {
        next: { ...record, keys: [...record.keys, key] },
        tell: (tx) => events.emit(tx, 'client.key_added', { clientId, ...actedBy(actor), kid: key.kid, algorithm: key.algorithm, generated: key.generated }),
      };
    });
    return added!;
  }

  const operations: Pick<ClientRegistry, 'addSecret' | 'removeSecret' | 'addKey' | 'generateKey' | 'removeKey'> = {
    async addSecret(clientId, { endOthersIn }, actor) {
      if (endOthersIn !== undefined && !(Number.isInteger(endOthersIn) && endOthersIn >= 0 && endOthersIn <= LONGEST_OVERLAP)) {
        throw new AppError('invalid_request', `the others end in 0 to ${LONGEST_OVERLAP} seconds`, { extra: { field: 'end_others_in' } });
      }
      const { stored, told } = makeSecret(clock());
      await change(clientId, async (record) => {
        assertAuthority(actor, api, record.metadata);
        if (!takesSecret(await judge(record))) throw new AppError('conflict', 'this client proves itself without a secret');
        const now = clock();
        const ends = endOthersIn === undefined ? undefined : now + endOthersIn * 1000;
        const ending = (secret: StoredSecret): StoredSecret => (ends === undefined ? secret : { ...secret, expiresAt: Math.min(ends, secret.expiresAt ?? ends) });
        const secrets = [...validAt(validAt(record.secrets, now).map(ending), now), stored];
        if (secrets.length > MAX_SECRETS) throw new AppError('conflict', `at most ${MAX_SECRETS} secrets count at a time; remove one first`);
        return {
          next: { ...record, secrets },
          tell: (tx) => events.emit(tx, 'client.secret_added', { clientId, ...actedBy(actor), secretId: stored.id, endsOthersAt: ends }),
        };
      });
      return told;
    },

    async removeSecret(clientId, secretId, actor) {
      await change(clientId, async (record) => {
        assertAuthority(actor, api, record.metadata);
        const secrets = record.secrets.filter(({ id }) => id !== secretId);
        if (secrets.length === record.secrets.length) throw new AppError('not_found', 'the client has no such secret');
        return { next: { ...record, secrets }, tell: (tx) => events.emit(tx, 'client.secret_removed', { clientId, ...actedBy(actor), secretId }) };
      });
    },

    async addKey(clientId, jwk, actor) {
      return publicKey(await add(clientId, () => readKey(jwk), actor));
    },

    async generateKey(clientId, algorithm = 'ES256', actor) {
      const pair = await makeKeyPair(algorithm, clock());
      return { key: publicKey(await add(clientId, async () => pair.hosted, actor)), privateKey: pair.privateKey as never };
    },

    async removeKey(clientId, kid, actor) {
      await change(clientId, async (record) => {
        assertAuthority(actor, api, record.metadata);
        const keys = record.keys.filter((key) => key.kid !== kid);
        if (keys.length === record.keys.length) throw new AppError('not_found', 'the client has no such key');
        return { next: { ...record, keys }, tell: (tx) => events.emit(tx, 'client.key_removed', { clientId, ...actedBy(actor), kid }) };
      });
    },
  };

  return { assertHosted, readKey, operations };
}
