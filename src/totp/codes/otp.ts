import { createHmac } from 'node:crypto';
import { generateSync, generateURI, ScureBase32Plugin } from 'otplib';
import type { CryptoPlugin } from 'otplib';
import { equal, fromBase64url, randomToken } from '../../lib/crypto.ts';
import type { TotpAlgorithm } from '../authenticators/authenticators.ts';

/** Seconds for which a code is shown. */
const STEP_SECONDS = 30;
export const DIGITS = 6;

/** What an authenticator app and its provider share. */
export interface OtpKey {
  readonly seed: Uint8Array;
  readonly algorithm: TotpAlgorithm;
}

/** RFC 4226 §4 R6 recommends 160 bits; RFC 6238 §5.1 a key as long as the hash. */
const SEED_BYTES: Readonly<Record<TotpAlgorithm, number>> = { SHA1: 20, SHA256: 32, SHA512: 64 };
const HASH = { SHA1: 'sha1', SHA256: 'sha256', SHA512: 'sha512' } as const;
const base32 = new ScureBase32Plugin();

/** The HMAC of OpenSSL: the library's own, in JavaScript, takes twice as long for SHA-1 and twenty times as long for SHA-512. */
const native: CryptoPlugin = {
  name: 'node:crypto',
  hmac: (algorithm, key, data) => createHmac(algorithm, key).update(data).digest(),
  randomBytes: (length) => fromBase64url(randomToken(length)),
  constantTimeEqual: equal,
};

/** A seed that nobody can guess, as long as the hash that it is used with. */
export function newSeed(algorithm: TotpAlgorithm): Uint8Array {
  return native.randomBytes(SEED_BYTES[algorithm]);
}

/** The time step of an instant in milliseconds since the epoch (RFC 6238 §4.2, T0 = 0). */
export function stepAt(ms: number): number {
  return Math.floor(ms / 1000 / STEP_SECONDS);
}

/** The code of a time step (RFC 6238 §4). */
export function codeAt({ seed, algorithm }: OtpKey, step: number, digits = DIGITS): string {
  return generateSync({ secret: seed, epoch: step * STEP_SECONDS, algorithm: HASH[algorithm], digits, period: STEP_SECONDS, crypto: native });
}

/** Those of `steps` whose code this is. All are computed and compared, whichever matches: the time taken tells only how many there are. */
export function matchingSteps(key: OtpKey, code: string, steps: readonly number[]): number[] {
  return steps.filter((step) => equal(codeAt(key, step), code));
}

/** Base32 as apps want it typed: upper case, without padding (RFC 4648 §6). */
export function base32Of(seed: Uint8Array): string {
  return base32.encode(seed);
}

/**
 * The URI by which apps take up a seed (Key Uri Format). Parameters that have their default value, such as those of SHA1, are left out, as apps differ in what they
 * make of them.
 *
 * @param issuer the name under which apps list the account
 * @param label the account, as its owner knows it
 */
export function otpauthUri({ seed, algorithm }: OtpKey, { issuer, label }: { issuer: string; label: string }): string {
  return generateURI({ issuer: word(issuer), label: word(label), secret: base32Of(seed), algorithm: HASH[algorithm], digits: DIGITS, period: STEP_SECONDS });
}

/** The format divides issuer and account by a colon, which neither can have; of control characters no app makes anything good. */
function word(text: string): string {
  return text.replace(/[:\p{Cc}\p{Cs}]+/gu, ' ').trim();
}
