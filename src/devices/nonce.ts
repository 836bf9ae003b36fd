import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { base64url, equal, hmac, randomToken } from '../lib/crypto.ts';

/** How long a phone may use a nonce, in seconds. */
const NONCE_SECONDS = 120;

/** Nonces that no table keeps: each carries its time and a MAC. That one is used once is the work of a unique row. */
export interface Nonces {
  /** @param about what the nonce is bound to; nothing unless told otherwise */
  issue(about?: string): { nonce: string; serverTime: number };
  /** @throws AppError `invalid_nonce` when it is stale, or was not issued here for this */
  check(nonce: string, about?: string): void;
}

/** Creates nonces: those of `POST /phone/nonce`, or of another purpose, worthless for each other's. */
export function createNonces(
  { issuer, clock, keyRing }: Pick<Context, 'issuer' | 'clock' | 'keyRing'>,
  { purpose = 'phone-nonce', seconds = NONCE_SECONDS }: { purpose?: string; seconds?: number } = {},
): Nonces {
  const keys = keyRing.derive(purpose);
  const mac = (key: Uint8Array, body: string, about: string) => base64url(hmac(key, `${issuer}|${body}|${about}`).subarray(0, 16));

  return {
    issue(about = '') {
      const serverTime = Math.floor(clock() / 1000);
      const body = `${serverTime.toString(36)}.${randomToken(16)}`;
      return { nonce: `${body}.${mac(keys[0], body, about)}`, serverTime };
    },
    check(nonce, about = '') {
      const end = nonce.lastIndexOf('.');
      const [body, given] = [nonce.slice(0, Math.max(end, 0)), nonce.slice(end + 1)];
      if (!keys.some((key) => equal(mac(key, body, about), given))) throw new AppError('invalid_nonce', 'this nonce was not issued here');
      // The MAC vouches for the form of the rest.
      const age = clock() / 1000 - parseInt(body, 36);
      if (age > seconds) throw new AppError('invalid_nonce', 'this nonce is stale; ask for a new one');
    },
  };
}
