import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { UsageError } from './command.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of `90`, `90s`, `15m`, `24h` or `7d`. @throws UsageError naming the option */
export function seconds(option: string, value: string): number;
export function seconds(option: string, value: string | undefined): number | undefined;
export function seconds(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const [, number, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(value) ?? [];
  if (number === undefined) throw new UsageError(`${option} must be a time such as 90s, 15m, 24h or 7d`);
  return Number(number) * UNITS[unit]!;
}

/** Milliseconds since the epoch of an ISO 8601 instant or date, or of a time ago such as `24h`. @throws UsageError naming the option */
export function since(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}[smhd]$/.test(value)) return Date.now() - seconds(option, value) * 1000;
  const at = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(at)) throw new UsageError(`${option} must be an instant such as 2026-01-31T12:00:00Z, or a time ago such as 24h`);
  return at;
}

/** A whole number. @throws UsageError naming the option */
export function number(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw new UsageError(`${option} must be a whole number`);
  return Number(value);
}

/** One of a few words. @throws UsageError naming the option and them */
export function oneOf<const W extends string>(option: string, words: readonly W[], value: string | undefined): W | undefined {
  if (value === undefined) return undefined;
  if (!(words as readonly string[]).includes(value)) throw new UsageError(`${option} must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`);
  return value as W;
}

/** The level of `--level`. */
export function level(value: string | undefined): 1 | 2 | undefined {
  const word = oneOf('--level', ['1', '2'], value);
  return word === undefined ? undefined : word === '2' ? 2 : 1;
}

/** What stands in a file, or with `-` on standard input. @throws UsageError where it cannot be read */
export async function readText(file: string): Promise<string> {
  if (file === '-') return text(process.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** A JSON object of a file or standard input. @throws UsageError where it is none */
export async function readObject(file: string): Promise<Record<string, unknown>> {
  return parseObject(await readText(file), file === '-' ? 'standard input' : file);
}

/** @throws UsageError where `source` is no JSON object */
export function parseObject(json: string, source: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new UsageError(`${source} is not JSON: ${(error as Error).message.replaceAll('\n', ' ')}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError(`${source} must be a JSON object`);
  return value as Record<string, unknown>;
}
