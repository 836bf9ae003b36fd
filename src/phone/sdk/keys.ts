import { base64url, fromBase64url, sha256, utf8, type OpaqueKey, type WebCrypto } from './platform.ts';

/** JWS algorithms of a device's presence key (RFC 7518 §3.4, RFC 8037 §3.1); pinned at enrolment. */
export type Algorithm = 'ES256' | 'EdDSA';

/** The public half of a key, as a JWK (RFC 7517). */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };

/** A device's presence key. Only its {@link Keys} knows what the handle is; it must survive the app's {@link KeyStore}. */
export interface DeviceKey {
  readonly algorithm: Algorithm;
  /** RFC 7638 thumbprint of {@link publicJwk}. */
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  readonly handle: unknown;
}

/**
 * Makes and uses presence keys. The one of {@link webCryptoKeys} is the default; a native app implements this with its
 * Secure Enclave or StrongBox and puts the key's alias in `handle`.
 */
export interface Keys {
  generate(): Promise<DeviceKey>;
  /** The signature as JWS wants it: for ES256 the 64 bytes R‖S (RFC 7518 §3.4), not DER. */
  sign(key: DeviceKey, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/**
 * Presence keys in WebCrypto, non-extractable: scripts can use them but nobody can read them. Their handles are
 * `CryptoKey`s, which IndexedDB stores as they are.
 */
export function webCryptoKeys(crypto: WebCrypto, algorithm: Algorithm = 'ES256'): Keys {
  const generation = algorithm === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' };

  return {
    async generate() {
      const pair = (await crypto.subtle.generateKey(generation, false, ['sign', 'verify'])) as {
        publicKey: OpaqueKey;
        privateKey: OpaqueKey;
      };
      const publicJwk = publicPart(await crypto.subtle.exportKey('jwk', pair.publicKey));
      return { algorithm, kid: await thumbprint(crypto, publicJwk), publicJwk, handle: pair.privateKey };
    },
    async sign(key, data) {
      const parameters = key.algorithm === 'ES256' ? { name: 'ECDSA', hash: 'SHA-256' } : { name: 'Ed25519' };
      return new Uint8Array(await crypto.subtle.sign(parameters, key.handle as OpaqueKey, data));
    },
  };
}

/**
 * The SHA-256 thumbprint of a public key (RFC 7638 §3), base64url: the `kid` of all that the device signs.
 *
 * @example
 * await thumbprint(crypto, { kty: 'EC', crv: 'P-256', x: '…', y: '…' }); // 43 characters
 */
export function thumbprint(crypto: WebCrypto, jwk: PublicJwk): Promise<string> {
  // RFC 7638 §3.2: the required members only, in lexicographic order, without white space.
  const members = jwk.kty === 'EC' ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y } : { crv: jwk.crv, kty: jwk.kty, x: jwk.x };
  return sha256(crypto, utf8(JSON.stringify(members)));
}

function publicPart(exported: unknown): PublicJwk {
  const jwk = exported as Record<string, string>;
  const { x = '', y = '' } = jwk;
  return jwk['kty'] === 'EC'
    ? { kty: 'EC', crv: 'P-256', x: coordinate(x), y: coordinate(y) }
    : { kty: 'OKP', crv: 'Ed25519', x: coordinate(x) };
}

/** Some old engines drop leading zeros, which would change the thumbprint (RFC 7518 §6.2.1.2 wants full length). */
function coordinate(text: string): string {
  const bytes = fromBase64url(text);
  const full = new Uint8Array(32);
  full.set(bytes, 32 - bytes.length);
  return base64url(full);
}
