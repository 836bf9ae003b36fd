import type { Clock } from '../lib/clock.ts';
import type { TokenSource } from './token.ts';

/** Remembers the proofs that this process has seen, for as long as each could be presented again (RFC 9449 §11.1). */
export function createReplayMemory(clock: Clock): TokenSource['firstUse'] {
  const seen = new Map<string, number>();
  let sweepAt = 0;

  return async ({ thumbprint, jti, until }) => {
    const now = clock();
    if (now >= sweepAt) {
      for (const [key, end] of seen) if (end <= now) seen.delete(key);
      sweepAt = now + 10_000;
    }
    const key = `${thumbprint} ${jti}`;
    if ((seen.get(key) ?? 0) > now) return false;
    seen.set(key, until);
    return true;
  };
}
