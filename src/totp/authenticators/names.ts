import { chosenName } from '../../lib/names.ts';

const DEFAULT = 'Authenticator';
const MAX_NAME = 60;

/**
 * An authenticator's name as people may choose it; undefined where they chose none.
 *
 * @throws AppError `invalid_request` with `field`
 */
export function authenticatorName(name: string | undefined): string | undefined {
  return chosenName(name, MAX_NAME);
}

/** `Authenticator`, or with a number where the account has one of that name. */
export function defaultName(taken: readonly string[]): string {
  for (let number = 2, name = DEFAULT; ; name = `${DEFAULT} ${number}`, number += 1) {
    if (!taken.includes(name)) return name;
  }
}
