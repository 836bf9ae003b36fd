import { pino, stdTimeFunctions } from 'pino';
import type { DestinationStream, Logger } from 'pino';

/** Members that are never written, wherever they are in what is logged (two levels deep). */
const SECRET = [
  'password', 'secret', 'client_secret', 'token', 'access_token', 'refresh_token', 'id_token', 'ticket', 'cookie', 'authorization', 'secrets',
];
const LEVELS: Readonly<Record<number, string>> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/** Creates the log: JSON lines in production, lines for people otherwise. */
export function createLog({ level, production }: { level: string; production: boolean }, out: DestinationStream = process.stdout): Logger {
  return pino(
    {
      level,
      base: undefined as never,
      timestamp: stdTimeFunctions.isoTime,
      serializers: { error: describeError, err: describeError },
      // A `code` is a secret, but for that of an error.
      redact: { paths: [...SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), 'code', 'body.code', 'query.code'], censor: '[secret]' },
    },
    production ? out : { write: (line) => out.write(readable(line)) },
  );
}

/** Of an error only what says what went wrong: databases put values, and clients requests, into its other members. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? String(error.code) : undefined;
  return { name, message, code, stack, ...(cause !== undefined && { cause: describeError(cause) }) };
}

function readable(line: string): string {
  const { level, time, msg, error, err, ...fields } = JSON.parse(line) as Record<string, unknown> & { level: number; time: string; msg?: string };
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join('');
  const problem = (error ?? err) as { stack?: string; message?: string } | undefined;
  const stack = problem ? `\n  ${(problem.stack ?? problem.message ?? '').replaceAll('\n', '\n  ')}` : '';
  return `${time.slice(11, 19)} ${(LEVELS[level] ?? '').padEnd(5)} ${msg ?? ''}${rest}${stack}\n`;
}
