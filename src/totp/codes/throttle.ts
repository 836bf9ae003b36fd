/** Misses in a row that cost no time. */
const QUICK_TRIES = 5;
/** Misses in a row at which the account is told: whoever types codes has its password, and whoever mistypes does not do so as often. */
export const TELL_AT = 10;
/** Misses in a row after which codes are taken no more. */
export const OFF_AT = 100;

const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 3_600_000;

/**
 * How long to wait after so many misses in a row, in milliseconds: not at all before the fifth, then 30 s, and twice as long each time up to an
 * hour. RFC 6238 §5.1 refers to RFC 4226 §7.3, which asks for a growing delay (or a lock) across sessions.
 *
 * Guessing all the way to {@link OFF_AT} takes almost four days, and finds a code of an authenticator, of which at most three of a million count
 * at a time, with a chance of 1 in 3,000.
 *
 * @example
 * waitAfter(4); // 0
 * waitAfter(6); // 60_000
 */
export function waitAfter(misses: number): number {
  if (misses < QUICK_TRIES) return 0;
  return Math.min(FIRST_WAIT_MS * 2 ** Math.min(misses - QUICK_TRIES, 16), LONGEST_WAIT_MS);
}

/** How many more misses cost no time. */
export function triesLeft(misses: number): number {
  return Math.max(0, QUICK_TRIES - misses);
}
