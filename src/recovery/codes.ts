import { hashRaw } from '@node-rs/argon2';
import { ARGON2ID, DEFAULT_COST, type HashingCost } from '../lib/argon2.ts';
import { base64url, fromBase64url, randomFrom, randomToken } from '../lib/crypto.ts';

/** Crockford's base32: no letter that reads like a digit, and no U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Times 5 bits make the 80 of a code. */
const LENGTH = 16;
const CODE = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`);

/** A new code, without its hyphens. */
export function newCode(): string {
  return randomFrom(ALPHABET, LENGTH);
}

/** A code as it is shown: `XXXX-XXXX-XXXX-XXXX`. */
export function shownCode(code: string): string {
  return code.replace(/.{4}(?=.)/g, '$&-');
}

/**
 * What somebody meant who typed this: in any case, with any spaces and hyphens, the letter for the digit that it looks like.
 *
 * @returns undefined where it cannot have been a code
 */
export function readCode(typed: string): string | undefined {
  const code = typed
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s\p{Dash}]/gu, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  return CODE.test(code) ? code : undefined;
}

export interface CodeHashing {
  newSalt(): string;
  /** Argon2id (RFC 9106) of a code; as all codes of a set share their salt, one hash finds a code among ten. */
  hash(code: string, salt: string): Promise<string>;
  /** The same work for a code that there cannot be, or an account that has none; the result fits nothing. */
  pretend(): Promise<string>;
}

/** @param cost as much as a password by default: 80 random bits would do with less, but tries are rare */
export function createCodeHashing(cost: HashingCost = DEFAULT_COST): CodeHashing {
  const newSalt = () => randomToken(16);
  const hash = async (code: string, salt: string) =>
    base64url(await hashRaw(code, { ...cost, algorithm: ARGON2ID as never, salt: fromBase64url(salt), outputLen: 32 }));
  return { newSalt, hash, pretend: () => hash(newCode(), newSalt()) };
}
