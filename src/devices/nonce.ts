import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { base64url, equal, hmac, randomToken } from '../lib/crypto.ts';

/** How long a phone may use a nonce, in seconds. */
export const NONCE_SECONDS = 120;

/** Nonces that no table keeps: each carries its time and a MAC. That one is used once is the unique `jti`'s work. */
export interface Nonces {
  issue(): { nonce: string; serverTime: number };
  /** @throws AppError `invalid_nonce` when it is stale, or was not issued here */
  check(nonce: string): void;
}

/** Creates the nonces of `POST /phone/nonce`. */
export function createNonces({ issuer, clock, keyRing }: Pick<Context, 'issuer' | 'clock' | 'keyRing'>): Nonces {
  const keys = keyRing.derive('phone-nonce');
  const mac = (key: Uint8Array, body: string) => base64url(hmac(key, `${issuer}|${body}`).subarray(0, 16));

  return {
    issue() {
      const serverTime = Math.floor(clock() / 1000);
      const body = `${serverTime.toString(36)}.${randomToken(16)}`;
      return { nonce: `${body}.${mac(keys[0], body)}`, serverTime };
    },
    check(nonce) {
      const end = nonce.lastIndexOf('.');
      const [body, given] = [nonce.slice(0, Math.max(end, 0)), nonce.slice(end + 1)];
      if (!keys.some((key) => equal(mac(key, body), given))) throw new AppError('invalid_nonce', 'this nonce was not issued here');
      // The MAC vouches for the form of the rest.
      const age = clock() / 1000 - parseInt(body, 36);
      if (age > NONCE_SECONDS) throw new AppError('invalid_nonce', 'this nonce is stale; ask for a new one');
    },
  };
}
