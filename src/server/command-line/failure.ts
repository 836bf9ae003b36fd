/** What went wrong, for people in a line, and for programs. */
export interface Failure {
  readonly text: string;
  readonly json: { readonly error: string; readonly error_description: string } & Readonly<Record<string, unknown>>;
}

/** Errors of how the program was called or set up, by name; what they say is for whoever called it. */
const EXPECTED: Readonly<Record<string, string>> = { UsageError: 'usage', ConfigError: 'configuration' };

/** Tells an error that its reader can mend from one that nobody expected, which comes with its stack. */
export function failureOf(error: unknown): Failure {
  const { name, message, code, extra, stack } = error as Error & { code?: string; extra?: object };
  if (name === 'AppError') return { text: message, json: { error: String(code), error_description: message, ...extra } };
  const kind = code?.startsWith('ERR_PARSE_ARGS') ? 'usage' : EXPECTED[name];
  if (kind !== undefined) return { text: message, json: { error: kind, error_description: message } };
  return { text: `tandem: ${name}: ${stack ?? message}`, json: { error: 'server_error', error_description: `${name}: ${message}` } };
}
