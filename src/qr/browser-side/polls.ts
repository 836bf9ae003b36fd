import type { Clock } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { base64url, sha256 } from '../../lib/crypto.ts';

/** How often a page without an event stream may ask, in seconds. */
export const POLL_SECONDS = 5;
/** Timers of browsers are not exact, and the network delays unevenly: half a second early is in time. */
const LENIENCE = 500;

/**
 * Keeps pages from asking more often than they were told. It protects this process from work, so it is this process
 * that counts: in memory, since a row written for each poll would cost more than the poll.
 */
export function createPolls(clock: Clock) {
  // In the order of the last poll, so that the oldest are found at the front.
  const last = new Map<string, number>();

  return {
    /** @throws AppError `slow_down` */
    take(asker: string): void {
      const now = clock();
      // Whoever asks names the page, at what length they like.
      const key = base64url(sha256(asker));
      const before = last.get(key);
      last.delete(key);
      last.set(key, now);
      for (const [oldest, at] of last) {
        if (now - at < POLL_SECONDS * 1000) break;
        last.delete(oldest);
      }
      if (before === undefined || now - before >= POLL_SECONDS * 1000 - LENIENCE) return;
      throw new AppError('slow_down', `ask every ${POLL_SECONDS} seconds`, { retryAfter: POLL_SECONDS, extra: { interval: POLL_SECONDS } });
    },
  };
}
