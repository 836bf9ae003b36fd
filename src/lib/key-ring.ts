import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { base64url, fromBase64url, randomToken } from './crypto.ts';

/** The encryption keys of an installation: the first encrypts, all decrypt. */
export interface KeyRing {
  /**
   * Encrypts with AES-256-GCM under the first key.
   *
   * @param place what the ciphertext is bound to, such as `tandem_signing_keys:kid`; moved elsewhere it does not decrypt
   */
  encrypt(plaintext: Uint8Array, place: string): string;
  /** Decrypts what {@link KeyRing.encrypt} made, under whichever key made it; throws when moved or altered. */
  decrypt(ciphertext: string, place: string): Uint8Array;
  /** Whether the key that made `ciphertext` is in the ring; says nothing of whether it decrypts. */
  holds(ciphertext: string): boolean;
  /** A 32-byte subkey for one purpose, by HKDF-SHA-256, of each key in order: sign with the first, accept all. */
  derive(purpose: string): readonly [Uint8Array, ...Uint8Array[]];
}

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';

/** A new encryption key as {@link createKeyRing} takes it: 32 random bytes, base64url. */
export function newEncryptionKey(): string {
  return randomToken(KEY_BYTES);
}

/**
 * Creates a key ring. To replace a key, put the new one first and keep the old one behind it as long as anything
 * encrypted or signed under it is in use.
 *
 * A ciphertext is `v1.<key id>.<iv>.<ciphertext and tag>`, the parts base64url; the version and the place are
 * authenticated with it.
 *
 * @param keys 32 bytes each, as base64url without padding
 * @throws Error when there is no key, one is given twice, or one is not 32 bytes of base64url; never quoting it
 */
export function createKeyRing(keys: readonly string[]): KeyRing {
  const ring = keys.map((text, index) => readKey(text, index + 1));
  const [first, ...rest] = ring;
  if (!first) throw new Error('at least one encryption key is needed');
  const byId = new Map(ring.map((key) => [key.id, key]));
  if (byId.size !== ring.length) throw new Error('an encryption key is given twice');

  return {
    encrypt(plaintext, place) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', first.cipher, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(associated(place));
      const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
      return [VERSION, first.id, base64url(iv), base64url(sealed)].join('.');
    },

    decrypt(ciphertext, place) {
      const [version, id = '', ivText = '', sealedText = '', ...extra] = ciphertext.split('.');
      if (version !== VERSION || extra.length > 0) throw new Error('not a ciphertext of this key ring');
      const key = byId.get(id);
      if (!key) throw new Error(`no encryption key of the key ring has the id ${id.slice(0, 16)}`);
      const iv = fromBase64url(ivText);
      const sealed = fromBase64url(sealedText);
      if (iv.byteLength !== IV_BYTES || sealed.byteLength < TAG_BYTES) throw new Error('not a ciphertext of this key ring');
      const decipher = createDecipheriv('aes-256-gcm', key.cipher, iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(associated(place));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new Error(`the ciphertext was altered, or made for another place than ${place}`, { cause });
      }
    },

    holds: (ciphertext) => byId.has(ciphertext.split('.', 2)[1] ?? ''),

    derive(purpose) {
      return [subkey(first.secret, `purpose:${purpose}`), ...rest.map(({ secret }) => subkey(secret, `purpose:${purpose}`))];
    },
  };
}

interface RingKey {
  readonly id: string;
  readonly secret: Uint8Array;
  readonly cipher: Uint8Array;
}

function readKey(text: string, position: number): RingKey {
  const secret = Buffer.from(text, 'base64url');
  if (secret.byteLength !== KEY_BYTES || secret.toString('base64url') !== text) {
    throw new Error(`encryption key ${position} is not ${KEY_BYTES} bytes of base64url without padding`);
  }
  // The key itself is never used: each use has a subkey of its own, and the id says nothing about the others.
  return { id: base64url(subkey(secret, 'id').subarray(0, 8)), secret, cipher: subkey(secret, 'cipher') };
}

/** HKDF-SHA-256 (RFC 5869); the secret is uniformly random, so no salt is needed. */
function subkey(secret: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), `tandem:${info}`, KEY_BYTES));
}

function associated(place: string): Buffer {
  return Buffer.from(`${VERSION}|${place}`, 'utf8');
}
