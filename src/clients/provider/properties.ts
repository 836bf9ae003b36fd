import type { ClientMetadata } from 'oidc-provider';
import { base64url, hmac, randomToken } from '../../lib/crypto.ts';
import type { ClientRecord } from '../store.ts';

/** A client's record as the library wants it. */
export interface Properties {
  of(record: ClientRecord): ClientMetadata;
  /**
   * Stands for the secret, of which only hashes are kept. Nobody can guess it, as the library makes keys of it; another in each process, so that
   * neither a copy of the database nor one client's tells it.
   */
  standIn(clientId: string): string;
  /** Where the provider hosts a client's keys. */
  jwksUri(clientId: string): string;
  /** The metadata without what is added here. */
  without(clientId: string, metadata: Readonly<Record<string, unknown>>): Record<string, unknown>;
}

const HOSTING = new Set<unknown>(['private_key_jwt', 'self_signed_tls_client_auth']);
/** Grants that want a `jwks_uri` of clients with pairwise subjects. */
const POLLING = new Set<unknown>(['urn:ietf:params:oauth:grant-type:device_code', 'urn:openid:params:grant-type:ciba']);
/** Methods of authentication without a secret. */
const SECRETLESS = new Set<unknown>(['none', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']);
export const isSecretless = (method: unknown): boolean => SECRETLESS.has(method);
const NOT_METADATA = ['client_id', 'client_id_issued_at', 'client_secret', 'client_secret_expires_at', 'registration_access_token', 'registration_client_uri'];

/** @param options `sectorOf`: the sector of a client that names none, where subjects are pairwise */
export function createProperties({ issuer, sectorOf }: { issuer: string; sectorOf: ((clientId: string) => string) | undefined }): Properties {
  const key = randomToken();
  const standIn = (clientId: string) => base64url(hmac(key, clientId));
  const jwksUri = (clientId: string) => `${issuer}/clients/${encodeURIComponent(clientId)}/jwks`;

  return {
    standIn,
    jwksUri,

    of({ clientId, metadata, keys, createdAt }) {
      const { grant_types: grants, token_endpoint_auth_method: method } = metadata;
      const ownKeys = metadata['jwks'] !== undefined || metadata['jwks_uri'] !== undefined;
      const hosted = !ownKeys && (keys.length > 0 || HOSTING.has(method) || (Array.isArray(grants) && grants.some((grant) => POLLING.has(grant))));
      return {
        ...(sectorOf && { sector_identifier_uri: sectorOf(clientId) }),
        ...(hosted && { jwks_uri: jwksUri(clientId) }),
        ...metadata,
        client_id: clientId,
        client_id_issued_at: Math.floor(createdAt / 1000),
        ...(!isSecretless(method) && { client_secret: standIn(clientId) }),
      };
    },

    without(clientId, metadata) {
      const ours: Readonly<Record<string, unknown>> = { jwks_uri: jwksUri(clientId), sector_identifier_uri: sectorOf?.(clientId) };
      return Object.fromEntries(
        Object.entries(metadata).filter(([name, value]) => value !== undefined && value !== null && !NOT_METADATA.includes(name) && (ours[name] === undefined || ours[name] !== value)),
      );
    },
  };
}
