import { PhoneError } from './errors.ts';
import { fromBase64url, sha256, type WebCrypto } from './platform.ts';

/** What the server asks the person to decide: the parsed form of the bytes that the decision signs. */
export interface SignInRequest {
  readonly v: 1;
  readonly purpose: 'login' | 'link' | 'step-up' | 'device' | 'api';
  readonly issuer: string;
  readonly account: { readonly label: string };
  /** `2`: only the user-verifying key may approve. */
  readonly level: '1' | '2';
  readonly client: { readonly id: string; readonly name: string; readonly logo_uri?: string; readonly redirect_host?: string };
  readonly scopes: ReadonlyArray<{ readonly scope: string; readonly description: string }>;
  /** The browser that waits, as far as the server can tell; `known` where this account has signed in there before. */
  readonly browser: { readonly family: string; readonly os: string; readonly place?: string; readonly known: boolean };
  /** An approval will be answered with a confirm code, to be typed in that browser. */
  readonly confirm: boolean;
  readonly tx: string;
  /** Seconds since the epoch. */
  readonly iat: number;
}

/**
 * Reads the request out of its bytes. What is shown must come from here, and what is hashed are the bytes as they came:
 * re-serialising would let what is seen and what is signed drift apart.
 *
 * @throws {PhoneError} `invalid_answer`: not a request of version 1, or one for another issuer or transaction
 */
export function readRequest(encoded: string, expected: { issuer: string; tx?: string }): { bytes: Uint8Array<ArrayBuffer>; request: SignInRequest } {
  const { bytes, request } = decode(encoded);
  const complete =
    request?.v === 1 &&
    typeof request.purpose === 'string' &&
    typeof request.tx === 'string' &&
    typeof request.account?.label === 'string' &&
    typeof request.client?.id === 'string' &&
    typeof request.client.name === 'string' &&
    typeof request.browser?.family === 'string' &&
    Array.isArray(request.scopes) &&
    (request.level === '1' || request.level === '2');
  if (!complete) throw new PhoneError('invalid_answer', 'the server sent a request that this version does not understand');
  if (request.issuer !== expected.issuer) throw new PhoneError('invalid_answer', 'the request is of another issuer');
  if (expected.tx !== undefined && request.tx !== expected.tx) throw new PhoneError('invalid_answer', 'the request is of another transaction');
  return { bytes, request };
}

/** SHA-256 of the request's bytes, base64url: the `request_hash` of a decision. */
export function requestHash(crypto: WebCrypto, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return sha256(crypto, bytes);
}

function decode(encoded: string): { bytes: Uint8Array<ArrayBuffer>; request: SignInRequest | undefined } {
  try {
    const bytes = fromBase64url(encoded);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { bytes, request: JSON.parse(text) as SignInRequest | undefined };
  } catch (cause) {
    throw new PhoneError('invalid_answer', 'the request is not JSON in base64url', { cause });
  }
}
