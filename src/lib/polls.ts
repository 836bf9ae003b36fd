import { AppError } from '../errors.ts';
import type { Clock } from './clock.ts';
import { base64url, sha256 } from './crypto.ts';

/** Timers are not exact, and the network delays unevenly: half a second early is in time, of a short interval a quarter. */
const lenience = (interval: number) => Math.min(500, interval / 4);

/**
 * Keeps whoever waits from asking more often than they were told. It protects this process from work, so it is this process
 * that counts: in memory, since a row written for each poll would cost more than the poll.
 *
 * @param seconds how often one may ask
 */
export function createPolls(clock: Clock, seconds: number) {
  const interval = seconds * 1000;
  // In the order of the last poll, so that the oldest are found at the front.
  const last = new Map<string, number>();

  return {
    /** @throws AppError `slow_down` */
    take(asker: string): void {
      const now = clock();
      // Whoever asks names what they wait for, at what length they like.
      const key = base64url(sha256(asker));
      const before = last.get(key);
      last.delete(key);
      last.set(key, now);
      for (const [oldest, at] of last) {
        if (now - at < interval) break;
        last.delete(oldest);
      }
      if (before === undefined || now - before >= interval - lenience(interval)) return;
      throw new AppError('slow_down', seconds === 1 ? 'ask once a second' : `ask every ${seconds} seconds`, { retryAfter: seconds, extra: { interval: seconds } });
    },
  };
}
