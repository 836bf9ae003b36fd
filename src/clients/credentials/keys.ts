import { createPublicKey, generateKeyPair as generateKeyPairCallback, type JsonWebKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { AppError } from '../../errors.ts';
import { KEY_ALGORITHMS } from '../schema.ts';
import type { ClientKey } from '../types.ts';

const generateKeyPair = promisify(generateKeyPairCallback);

/** A public key of a client as it is kept and published. */
export interface HostedKey extends ClientKey {
  readonly jwk: JWK;
}

/** How many keys of a client the provider hosts. */
export const MAX_KEYS = 10;

const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
/** What a key of each type can sign with, the usual one first (RFC 7518 §3.1, RFC 8037, RFC 9864). */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'EC P-256': ['ES256'],
  'EC P-384': ['ES384'],
  'EC P-521': ['ES512'],
  'OKP Ed25519': ['EdDSA', 'Ed25519'],
  RSA: ['RS256', 'PS256', 'RS384', 'RS512', 'PS384', 'PS512'],
};
/** One algorithm, as RFC 8037 and RFC 9864 call it: signers use either name, and a key that has one of them would not be found by the other. */
const TWO_NAMES = { EdDSA: true, Ed25519: true } as const;
type Generated = (typeof KEY_ALGORITHMS)[number];

/**
 * Reads a public key that a client shall be known by (RFC 7517 §4).
 *
 * @param supported the algorithms that the provider takes of clients
 * @throws AppError `invalid_request`: a private, weak or unusable key
 */
export async function readPublicKey(jwk: JWK, { at, supported }: { at: number; supported: readonly string[] }): Promise<HostedKey> {
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) throw refuse('this is a private key: send its public part alone, and take this one out of use');
  const { kty, crv, alg, use, kid } = jwk as Readonly<Record<string, unknown>>;
  const algorithms = ALGORITHMS[kty === 'RSA' ? 'RSA' : `${String(kty)} ${String(crv)}`];
  if (!algorithms) throw refuse('a key is RSA, EC (P-256, P-384, P-521) or OKP (Ed25519)');
  if (use !== undefined && use !== 'sig') throw refuse('a key is for signatures: its `use` is "sig"');
  const algorithm = alg === undefined ? algorithms.find((each) => supported.includes(each)) : alg;
  if (typeof algorithm !== 'string' || !algorithms.includes(algorithm) || !supported.includes(algorithm)) {
    throw refuse(`its \`alg\` must be one of ${algorithms.filter((each) => supported.includes(each)).join(', ') || 'none: such keys are not taken'}`);
  }
  if (kid !== undefined && (typeof kid !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(kid))) throw refuse('its `kid` must be 1 to 255 visible characters');
  checkStrength(importKey(jwk));
  const bare = publicPart(jwk);
  const id = kid ?? (await calculateJwkThumbprint(bare, 'sha256'));
  return { kid: id, algorithm, generated: false, createdAt: at, jwk: { ...bare, kid: id, ...(!(algorithm in TWO_NAMES) && { alg: algorithm }), use: 'sig' } };
}

/** Makes a key pair. @throws AppError `invalid_request` for an algorithm that there is not */
export async function makeKeyPair(algorithm: string, at: number): Promise<{ hosted: HostedKey; privateKey: JWK }> {
  if (!isGenerated(algorithm)) throw new AppError('invalid_request', `a key pair is made for ${KEY_ALGORITHMS.join(', ')}`, { extra: { field: 'algorithm' } });
  const { privateKey } = await pairOf(algorithm);
  const jwk = privateKey.export({ format: 'jwk' }) as JWK;
  const kid = await calculateJwkThumbprint(jwk, 'sha256');
  const hosted = await readPublicKey({ ...publicPart(jwk), alg: algorithm }, { at, supported: [algorithm] });
  return { hosted: { ...hosted, generated: true }, privateKey: { ...jwk, kid, alg: algorithm, use: 'sig' } };
}

export function publicKey({ kid, algorithm, generated, createdAt }: HostedKey): ClientKey {
  return { kid, algorithm, generated, createdAt };
}

const isGenerated = (algorithm: string): algorithm is Generated => (KEY_ALGORITHMS as readonly string[]).includes(algorithm);
const refuse = (why: string) => new AppError('invalid_request', why, { extra: { field: 'key' } });

const publicPart = (jwk: JWK): JWK => Object.fromEntries(PUBLIC_MEMBERS.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]]))) as JWK;

function importKey(jwk: JWK): KeyObject {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  } catch (cause) {
    throw new AppError('invalid_request', 'this is no JSON Web Key that can be read', { extra: { field: 'key' }, cause });
  }
}

/** RFC 7518 §3.3: 2048 bits at least; and an exponent that nobody takes a root by. */
function checkStrength(key: KeyObject): void {
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== 'rsa') return;
  if (modulusLength === undefined || modulusLength < 2048 || modulusLength > 8192) throw refuse('an RSA key has 2048 to 8192 bits');
  if (publicExponent === undefined || publicExponent < 65537n) throw refuse('the exponent of an RSA key is 65537 or above');
}

function pairOf(algorithm: Generated) {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPair('ec', { namedCurve: 'P-256' });
    case 'RS256':
    case 'PS256':
      return generateKeyPair('rsa', { modulusLength: 2048 });
    case 'EdDSA':
      return generateKeyPair('ed25519');
  }
}
