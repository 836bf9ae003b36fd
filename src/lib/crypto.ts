import { createHmac, hash, randomBytes, randomInt, randomUUID, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';

/** A secret that cannot be guessed: `bytes` random bytes (32 by default) as base64url. */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString('base64url');
}

/** `length` random decimal digits, each string equally likely; leading zeros stay. */
export function randomDigits(length: number): string {
  return randomFrom('0123456789', length);
}

/** `length` characters of `alphabet`, each equally likely. */
export function randomFrom(alphabet: string, length: number): string {
  // randomInt rejects what would bias the draw, which a remainder of random bytes would not.
  return Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
}

/** A random UUID (RFC 9562 version 4). */
export function uuid(): string {
  return randomUUID();
}

export function sha256(data: string | Uint8Array): Buffer {
  return hash('sha256', data, 'buffer');
}

/** HMAC-SHA-256 (RFC 2104). */
export function hmac(key: string | Uint8Array, data: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

/** Compares in constant time; strings as UTF-8. What differs in length is not equal. */
export function equal(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const [left, right] = [bytesOf(a), bytesOf(b)];
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}

/** Base64url without padding (RFC 4648 §5). */
export function base64url(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64url');
}

/**
 * Reads base64url without padding (RFC 4648 §5).
 *
 * Only the canonical text of some bytes is read, so that one value has one text: whoever compares or stores the text
 * cannot be shown a second spelling of it.
 *
 * @throws AppError `invalid_request` for anything else
 */
export function fromBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new AppError('invalid_request', 'not canonical base64url');
  return bytes;
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}
