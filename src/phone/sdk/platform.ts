/** The part of `fetch` that the SDK uses. The global one of browsers, Node and React Native fits. */
export type Fetch = (
  url: string,
  init: {
    method: 'POST';
    headers: Record<string, string>;
    body: string;
    credentials: 'include' | 'omit';
    signal: AbortSignal;
  },
) => Promise<{
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}>;

/** A WebCrypto key, which the SDK only carries about. */
export interface OpaqueKey {
  readonly type: string;
  readonly extractable: boolean;
}

/** The part of WebCrypto that the SDK uses. */
export interface WebCrypto {
  getRandomValues(array: Uint8Array<ArrayBuffer>): unknown;
  readonly subtle: {
    digest(algorithm: string, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
    generateKey(algorithm: { name: string; namedCurve?: string }, extractable: boolean, usages: string[]): Promise<unknown>;
    exportKey(format: 'jwk', key: OpaqueKey): Promise<unknown>;
    sign(algorithm: { name: string; hash?: string }, key: OpaqueKey, data: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  };
}

/** What the SDK needs of the system it runs on. */
export interface Platform {
  readonly fetch: Fetch;
  readonly crypto: WebCrypto;
  /** Milliseconds since the Unix epoch, as this phone believes; the SDK corrects it by the server's. */
  readonly clock: () => number;
}

/** The platform's own `fetch`, WebCrypto and clock, each replaceable. */
export function platform(given: Partial<Platform> = {}): Platform {
  const globals = globalThis as unknown as { fetch: Fetch; crypto: WebCrypto };
  return {
    // Called as a method of something else, a browser's fetch throws "Illegal invocation".
    fetch: given.fetch ?? ((url, init) => globals.fetch(url, init)),
    crypto: given.crypto ?? globals.crypto,
    clock: given.clock ?? (() => Date.now()),
  };
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Bytes as base64url without padding (RFC 4648 §5, as RFC 7515 §2 wants it). Not every shell has `btoa` or `Buffer`. */
export function base64url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET.charAt(word >> 18) + ALPHABET.charAt((word >> 12) & 63);
    if (left > 1) text += ALPHABET.charAt((word >> 6) & 63);
    if (left > 2) text += ALPHABET.charAt(word & 63);
  }
  return text;
}

/** The bytes of canonical, unpadded base64url; throws a `SyntaxError` on anything else. */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let at = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) throw new SyntaxError('not base64url');
    word = ((word << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (word >> bits) & 0xff;
    }
  }
  // Two spellings of one value would be two values to whoever compares text: leftover bits must be zero.
  if (bits >= 6 || (word & ((1 << bits) - 1)) !== 0) throw new SyntaxError('not base64url');
  return bytes;
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** SHA-256 as base64url: thumbprints, request hashes and WebAuthn challenges are all of this form. */
export async function sha256(crypto: WebCrypto, data: Uint8Array<ArrayBuffer>): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', data)));
}
