import { AppError } from '../../errors.ts';
import { DIGITS } from './otp.ts';

/** Longer than any spelling of a code. */
const MAX_LENGTH = 64;

/**
 * The digits of a code as people type it: apps show a gap in the middle, keyboards of some languages have digits of their own width.
 *
 * What is no code at all is refused before anything is looked at. It is no guess, so it does not count as a miss, whoever's it is.
 *
 * @throws AppError `invalid_code`, without `tries_left`
 */
export function digitsOf(code: string): string {
  const digits = code.length > MAX_LENGTH ? '' : code.normalize('NFKC').replace(/[\s\p{Pd}]/gu, '');
  if (!/^[0-9]+$/.test(digits) || digits.length !== DIGITS) throw new AppError('invalid_code', `a code has ${DIGITS} digits`);
  return digits;
}

/**
 * The time steps whose code is taken at `now`, oldest first: the current one and the one before it (RFC 6238 §5.2: time to read and type), both also as the app
 * sees them whose clock is known to be `drift` steps ahead (§6).
 */
export function acceptedSteps(now: number, drift: number): number[] {
  return unique([now, now - 1, now + drift, now + drift - 1]);
}

/** The same for an app's first code: its clock is not known yet, and may be one step ahead. */
export function firstSteps(now: number): number[] {
  return [now - 1, now, now + 1];
}

/**
 * By how many steps the app's clock is ahead, as a code of `step` tells at `now`; one at most, either way.
 *
 * The current step says nothing against a clock that was ahead before: its codes come to be current while they are typed, and if
 * that unlearned it, the next one typed at once would be refused.
 */
export function learnedDrift(step: number, now: number, drift: number): number {
  if (step === now && drift === 1) return drift;
  return Math.max(-1, Math.min(1, step - now));
}

function unique(steps: readonly number[]): number[] {
  return [...new Set(steps)].sort((a, b) => a - b);
}
