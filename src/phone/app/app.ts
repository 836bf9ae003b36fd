import { PhoneError } from '../sdk/errors.ts';
import type { Phone } from '../sdk/types.ts';
import { hasWord, word, type Screen, type Values } from './screens.ts';

/** What every flow is given. */
export interface App {
  readonly phone: Phone;
  readonly issuer: string;
  /** Where the QR reader's WebAssembly is. */
  readonly reader: string;
  show(name: string, values?: Values): Screen;
  /** Asks for a code or link, saying what was wrong with the one before. */
  enter(typed?: string, problem?: string): void;
  /** Goes to a place of the app: `''` is home, `scan`, `enter`. */
  go(place: string): void;
  /** Tells what went wrong, with a way on; `again` tries the same once more, where that may help. */
  problem(error: unknown, again?: () => void | Promise<void>): void;
  /** Opens a link or code, whichever way it came. */
  open(text: string, how: 'opened' | 'scanned' | 'typed'): Promise<void>;
}

/** Problems where only a new scan helps. */
const SCAN = new Set(['frame_stale', 'expired', 'not_found', 'already_claimed', 'invalid_link', 'unknown_issuer']);
/** Problems that may pass. */
const AGAIN = new Set(['unreachable', 'temporarily_unavailable', 'rate_limited', 'slow_down', 'other', 'device_pending']);
const SAME_WORDS: Readonly<Record<string, string>> = { temporarily_unavailable: 'unreachable', slow_down: 'rate_limited', invalid_code: 'not_found' };

/** Shows an error as a screen of its own. */
export function showProblem(app: Pick<App, 'show'>, error: unknown, again?: () => void | Promise<void>): void {
  const given = error instanceof PhoneError ? (SAME_WORDS[error.code] ?? error.code) : 'other';
  const code = hasWord(`error_${given}`) ? given : 'other';
  if (code === 'other') console.error(error);
  const canRetry = again !== undefined && AGAIN.has(code);
  const screen = app.show('problem', {
    title: word(`error_${code}_title`),
    text: word(`error_${code}`),
    again: canRetry,
    scan: !canRetry && SCAN.has(code),
  });
  if (again) screen.on('again', again);
}
