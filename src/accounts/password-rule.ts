import { AppError } from '../errors.ts';
import { COMMON_WORDS } from './common-words.ts';
import { normalise } from './hashing.ts';

/**
 * The shortest password, in code points. NIST SP 800-63B-4 allows 8 beside a second factor and asks for 15 where the
 * password is the only one. Here it is mostly the way in for people without their phone at hand, behind a limit of
 * ten tries, and refused when it is common: 10 keeps out what such tries would find, and few people give up on it.
 * Whoever must meet the letter of the standard sets 15.
 */
const DEFAULT_MIN_LENGTH = 10;
/** The longest, in code points: enough for any sentence, and a bound on the work of hashing it. */
const MAX_LENGTH = 128;

/** Why a password is refused; a key of the pages' words. */
export type PasswordProblem = 'too_short' | 'too_long' | 'common' | 'personal';

/** What must not be the password of this person here. */
export interface PasswordSetting {
  readonly email: string;
  readonly name?: string | undefined;
  /** The site's own names, such as its host. */
  readonly site?: readonly string[];
}

/**
 * Creates the rule for new passwords: long enough, not common, not the person's own address or name. No demand for
 * digits or signs: it makes passwords worse (NIST SP 800-63B §3.1.1.2).
 */
export function createPasswordRule({ minLength = DEFAULT_MIN_LENGTH }: { minLength?: number } = {}) {
  const common = new Set(COMMON_WORDS.trim().split(/\s+/));

  function problem(password: string, setting: PasswordSetting): PasswordProblem | undefined {
    const text = normalise(password);
    const length = [...text].length;
    if (length < minLength) return 'too_short';
    if (length > MAX_LENGTH) return 'too_long';
    const folded = fold(text);
    if (isPersonal(folded, setting)) return 'personal';
    return isCommon(folded, common) ? 'common' : undefined;
  }

  return {
    minLength,
    problem,
    /** Throws `weak_password` with the reason in `extra.reason`. */
    check(password: string, setting: PasswordSetting): void {
      const reason = problem(password, setting);
      if (reason) throw new AppError('weak_password', `the password is refused: ${reason}`, { extra: { reason } });
    },
  };
}

export type PasswordRule = ReturnType<typeof createPasswordRule>;

const fold = (text: string) => text.toLowerCase().replaceAll('ß', 'ss');

/** Letters that people write as digits and signs, to get past rules that ask for those. */
const LOOKALIKES: Readonly<Record<string, string>> = { '0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's', '!': 'i', '€': 'e' };
const unmask = (text: string) => text.replace(/[013457@$!€]/g, (sign) => LOOKALIKES[sign] ?? sign);

/** What is left without the digits and signs that are put before and behind a word. */
const core = (text: string) => text.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '');

function isPersonal(folded: string, { email, name, site = [] }: PasswordSetting): boolean {
  const address = fold(email.trim());
  if (folded === address || folded === address.replace(/[@.]/g, '')) return true;
  const own = [address.split('@')[0]!, name ?? '', (name ?? '').replace(/\s+/g, ''), ...site].map(fold);
  return own.some((word) => word.length > 2 && (folded === word || (core(word).length > 2 && core(folded) === core(word))));
}

/**
 * Whether it is a common word or a pattern that lists of leaked passwords are full of: in plain, masked, decorated with
 * digits and signs, repeated, or one run along the keyboard, the alphabet or the digits.
 */
function isCommon(folded: string, words: ReadonlySet<string>): boolean {
  return [folded, unmask(folded)].some((text) => {
    const parts = [text, core(text), core(unmask(core(text))), text.replace(/[^\p{L}]/gu, '')];
    const repeated = unit(text);
    return parts.some((part) => words.has(part) || words.has(unit(part))) || repeated.length <= 4 || isRun(text) || isRun(repeated) || isDate(text);
  });
}

/** The shortest text of which `text` is a repetition: `abc` of `abcabca`. */
function unit(text: string): string {
  for (let length = 1; length <= text.length / 2; length += 1) {
    const start = text.slice(0, length);
    if (start.repeat(Math.ceil(text.length / length)).startsWith(text)) return start;
  }
  return text;
}

const RUNS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890123456789',
  '1234567890-=',
  '!@#$%^&*()_+',
  '!"§$%&/()=',
  'qwertyuiop[]',
  'asdfghjkl;',
  'zxcvbnm,./',
  'qwertzuiopü',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '1q2w3e4r5t6y7u8i9o0p',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
  'qazwsxedcrfvtgbyhnujm',
  'qweasdzxc',
  'aabbccddeeff',
  '112233445566778899',
  'a1b2c3d4e5f6g7h8',
  '1a2b3c4d5e6f7g8h',
];
const ALL_RUNS = RUNS.flatMap((run) => [run, [...run].reverse().join('')]);

/** True when at most four pieces of such runs make up the whole: `qwerty12345`, `abcd1234efgh`, `aaaaabbbbb`. */
function isRun(text: string): boolean {
  let rest = text;
  for (let pieces = 0; pieces < 4 && rest; pieces += 1) {
    let taken = /^(.)\1*/su.exec(rest)![0].length;
    for (const run of ALL_RUNS) {
      while (taken < rest.length && run.includes(rest.slice(0, taken + 1))) taken += 1;
    }
    if (taken < 3) return false;
    rest = rest.slice(taken);
  }
  return rest === '';
}

/** Dates, with whatever stands between the numbers. */
function isDate(text: string): boolean {
  const digits = text.replace(/[-./ ]/g, '');
  return /^(?:(?:0?[1-9]|[12]\d|3[01]){2}(?:19|20)\d\d|(?:19|20)\d\d(?:0?[1-9]|[12]\d|3[01]){2})$/.test(digits);
}
