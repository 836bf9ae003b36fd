import { base64url, equal, hmac } from '../../lib/crypto.ts';
import type { KeyRing } from '../../lib/key-ring.ts';

/** One rotation of a QR lasts this long, in milliseconds. */
export const ROTATION = 5_000;

/** The number of a frame, or `s` for the one frame of a static transaction. */
export type FrameNumber = number | 's';

export interface Frame {
  readonly tx: string;
  readonly n: FrameNumber;
  readonly mac: string;
}

export interface Frames {
  /** The text of frame `n` of `tx`: an https link of this issuer. */
  text(tx: string, n: FrameNumber): string;
  /** Whether this server made the frame, whenever that was. */
  genuine(frame: Frame): boolean;
}

/** The number of the frame that a transaction shows at `now`, having begun at `startedAt`; both in milliseconds. */
export function frameNumber(startedAt: number, now: number): number {
  return Math.max(0, Math.floor((now - startedAt) / ROTATION));
}

/**
 * Whether frame `n` may still be claimed at `now`: the current one and the one before it, so that a photo is stale after
 * ten seconds. The static frame lives as long as its transaction, but only where the transaction was created static, and
 * such a transaction has no other.
 */
export function isFresh(n: FrameNumber, transaction: { startedAt: number; isStatic: boolean }, now: number): boolean {
  if (n === 's' || transaction.isStatic) return n === 's' && transaction.isStatic;
  const current = frameNumber(transaction.startedAt, now);
  return n === current || n === current - 1;
}

/**
 * Makes and checks frames. The key of a transaction is derived from the key ring and never leaves the server, and needs
 * no row to be stored or read: forged frames are refused before the database is asked.
 */
export function createFrames({ issuer, keyRing }: { issuer: string; keyRing: KeyRing }): Frames {
  const keys = keyRing.derive('qr-frame');

  function mac(key: Uint8Array, tx: string, n: FrameNumber): string {
    const transactionKey = hmac(key, tx);
    const text = n === 's' ? `qr1s|${issuer}|${tx}|s` : `qr1|${issuer}|${tx}|${n}`;
    return base64url(hmac(transactionKey, text).subarray(0, 16));
  }

  return {
    text: (tx, n) => `${issuer}/q/1.${tx}.${n}.${mac(keys[0], tx, n)}`,
    genuine: (frame) => keys.some((key) => equal(mac(key, frame.tx, frame.n), frame.mac)),
  };
}

const LINK = /^1\.([\w-]{22})\.(s|0|[1-9]\d{0,8})\.([\w-]{22})$/;

/** Reads the part of a frame's link after `/q/`; undefined when it is not one. */
export function parseLink(link: string): Frame | undefined {
  const [, tx, n, mac] = LINK.exec(link) ?? [];
  if (tx === undefined || n === undefined || mac === undefined) return undefined;
  return { tx, n: n === 's' ? 's' : Number(n), mac };
}
