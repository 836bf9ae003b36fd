import { AppError } from '../errors.ts';

/** What could disguise a name among others: controls, halves of characters, line ends, changes of the writing direction. */
const DISGUISE = /[\p{Cc}\p{Cs}\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** True where a text shows all that it is made of. */
export function isPlain(text: string): boolean {
  return !DISGUISE.test(text);
}

/**
 * A name as people may choose it; undefined where they chose none.
 *
 * @param longest in UTF-16 units, as `maxlength` counts
 * @throws AppError `invalid_request` with `field`
 */
export function chosenName(name: string | undefined, longest: number): string | undefined {
  const text = (name ?? '').normalize('NFC').trim();
  if (text.length > longest || !isPlain(text)) {
    throw new AppError('invalid_request', `a name has at most ${longest} ordinary characters`, { extra: { field: 'name' } });
  }
  return text === '' ? undefined : text;
}
