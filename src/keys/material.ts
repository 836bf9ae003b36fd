import { generateKeyPair as generateKeyPairCallback } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint } from 'jose';
import type { JWK } from 'jose';
import { randomToken } from '../lib/crypto.ts';

const generateKeyPair = promisify(generateKeyPairCallback);

/** What a key is for: a JWS algorithm (RFC 7518 §3.1, RFC 8037), or the signatures of cookies. */
export const PURPOSES = ['ES256', 'RS256', 'EdDSA', 'cookie'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** A new key: what is published of it, and what is encrypted before it is stored. */
export interface Material {
  readonly kid: string;
  readonly purpose: Purpose;
  /** The private JWK as JSON, or the cookie secret. */
  readonly secret: string;
}

/** Makes a key. The id of a signing key is its RFC 7638 thumbprint. */
export async function makeKey(purpose: Purpose): Promise<Material> {
  if (purpose === 'cookie') return { kid: randomToken(16), purpose, secret: randomToken() };
  const { privateKey } = await pairOf(purpose);
  const jwk = privateKey.export({ format: 'jwk' }) as JWK;
  const kid = await calculateJwkThumbprint(jwk, 'sha256');
  return { kid, purpose, secret: JSON.stringify({ ...jwk, kid, alg: purpose, use: 'sig' }) };
}

function pairOf(alg: Exclude<Purpose, 'cookie'>) {
  switch (alg) {
    case 'RS256':
      return generateKeyPair('rsa', { modulusLength: 2048 });
    case 'ES256':
      return generateKeyPair('ec', { namedCurve: 'P-256' });
    case 'EdDSA':
      return generateKeyPair('ed25519');
  }
}
