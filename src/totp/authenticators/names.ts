import { AppError } from '../../errors.ts';

const DEFAULT = 'Authenticator';
const MAX_NAME = 60;
/** What could disguise a name: controls, line ends, changes of the writing direction. */
const DISGUISE = /[\p{Cc}\p{Cs}\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/**
 * An authenticator's name as people may choose it; undefined where they chose none.
 *
 * @throws AppError `invalid_request` with `field`
 */
export function authenticatorName(name: string | undefined): string | undefined {
  const text = (name ?? '').normalize('NFC').trim();
  if (text.length > MAX_NAME || DISGUISE.test(text)) {
    throw new AppError('invalid_request', `a name has at most ${MAX_NAME} ordinary characters`, { extra: { field: 'name' } });
  }
  return text === '' ? undefined : text;
}

/** `Authenticator`, or with a number where the account has one of that name. */
export function defaultName(taken: readonly string[]): string {
  for (let number = 2, name = DEFAULT; ; name = `${DEFAULT} ${number}`, number += 1) {
    if (!taken.includes(name)) return name;
  }
}
