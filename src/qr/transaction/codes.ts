import { base64url, equal, hmac, randomDigits } from '../../lib/crypto.ts';
import type { KeyRing } from '../../lib/key-ring.ts';

/** Letters of a typed code: none is a vowel, so that no word appears, and none looks like a digit (RFC 8628 §6.1). */
const CODE_ALPHABET = 'BCDFGHJKLMNPQRSTVWXZ';
const CODE_LENGTH = 8;

/** The short codes of a transaction. What the database keeps of them is useless without the key ring. */
export interface Codes {
  /** The code to type into the phone in place of scanning `tx`; always the same for one transaction. */
  typed(tx: string): string;
  /** What is stored of a typed code; a person may write it in lower case and with dashes or spaces. */
  typedHash(code: string): string;
  /** All that an old row may hold of this code, since the key ring may have been rotated. */
  typedHashes(code: string): readonly string[];
  /** A new confirm code of six digits, and what is stored of it. */
  newConfirm(tx: string): { code: string; hash: string };
  confirms(tx: string, code: string, hash: string): boolean;
}

export function createCodes(keyRing: KeyRing): Codes {
  const typedKeys = keyRing.derive('qr-typed-code');
  const hashKeys = keyRing.derive('qr-code-hash');
  const space = BigInt(CODE_ALPHABET.length) ** BigInt(CODE_LENGTH);

  const typedHash = (key: Uint8Array, code: string) => base64url(hmac(key, `typed|${plain(code)}`));
  const confirmHash = (key: Uint8Array, tx: string, code: string) => base64url(hmac(key, `confirm|${tx}|${code}`));

  return {
    typed(tx) {
      // 256 bits taken modulo 20^8 are uniform to within 2^-221.
      let rest = BigInt(`0x${hmac(typedKeys[0], tx).toString('hex')}`) % space;
      let code = '';
      for (let index = 0; index < CODE_LENGTH; index += 1) {
        code += CODE_ALPHABET[Number(rest % BigInt(CODE_ALPHABET.length))]!;
        rest /= BigInt(CODE_ALPHABET.length);
      }
      return `${code.slice(0, 4)}-${code.slice(4)}`;
    },
    typedHash: (code) => typedHash(hashKeys[0], code),
    typedHashes: (code) => hashKeys.map((key) => typedHash(key, code)),
    newConfirm(tx) {
      const code = randomDigits(6);
      return { code, hash: confirmHash(hashKeys[0], tx, code) };
    },
    confirms: (tx, code, hash) => hashKeys.some((key) => equal(confirmHash(key, tx, code), hash)),
  };
}

function plain(code: string): string {
  return code.toUpperCase().replace(/[^A-Z]/g, '');
}
