import { base64url, equal, randomToken, sha256 } from '../../lib/crypto.ts';
import type { ClientSecret, NewSecret } from '../types.ts';

/** A secret as it is kept: by its hash, which with 256 random bits nobody turns back. Times in milliseconds since the epoch. */
export interface StoredSecret extends Omit<ClientSecret, 'expiresAt'> {
  readonly hash: string;
  readonly expiresAt: number | null;
}

/** How many secrets of a client count at a time: the old one and the new one, while it changes over. */
export const MAX_SECRETS = 2;

/** Makes a secret. @returns what is kept, and what is told once */
export function makeSecret(at: number): { stored: StoredSecret; told: NewSecret } {
  const value = randomToken();
  const stored = keepSecret(value, at);
  return { stored, told: { id: stored.id, value, expiresAt: undefined } };
}

/** What is kept of a secret. */
export function keepSecret(value: string, at: number): StoredSecret {
  return { id: randomToken(9), hash: hashOf(value), createdAt: at, expiresAt: null };
}

/** Those that count at an instant. */
export function validAt(secrets: readonly StoredSecret[], at: number): StoredSecret[] {
  return secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > at);
}

/** Whether a value is one of the secrets that count. */
export function matches(secrets: readonly StoredSecret[], value: string, at: number): boolean {
  const hash = hashOf(value);
  return validAt(secrets, at).filter((secret) => equal(secret.hash, hash)).length > 0;
}

export function publicSecret({ id, createdAt, expiresAt }: StoredSecret): ClientSecret {
  return { id, createdAt, expiresAt: expiresAt ?? undefined };
}

const hashOf = (value: string) => base64url(sha256(value));
