import { execFile, execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { promisify } from 'node:util';
import { itWhere } from './skip.ts';

/** Codes made by two generators that share nothing with the one under test: node's HMAC, and `oathtool` of the OATH Toolkit. */

export type OtpAlgorithm = 'SHA1' | 'SHA256' | 'SHA512';
export interface OtpParameters {
  readonly algorithm?: OtpAlgorithm;
  readonly digits?: number;
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const run = promisify(execFile);

/**
 * The code that an app with this secret shows at the clock's time.
 *
 * @param secret base32, as the enrolment page shows it
 * @param clock the test's clock
 * @param stepsAhead by how many steps of 30 s the app's clock is ahead; below zero it is behind
 *
 * @example
 * await page.submit({ code: codeOf(secret, tandem.clock) });
 */
export function codeOf(secret: string, clock: () => number, stepsAhead = 0, parameters: OtpParameters = {}): string {
  return codeAtSecond(seedOf(secret), Math.floor(clock() / 1000) + stepsAhead * 30, parameters);
}

/** Six digits that the app with this secret shows at no time near the clock's. */
export function wrongCodeOf(secret: string, clock: () => number, parameters: OtpParameters = {}): string {
  const near = [-3, -2, -1, 0, 1, 2, 3].map((steps) => codeOf(secret, clock, steps, parameters));
  for (let number = Number(codeOf(secret, clock)); ; ) {
    number = (number + 1) % 1_000_000;
    const code = String(number).padStart(6, '0');
    if (!near.includes(code)) return code;
  }
}

/** RFC 4226 §5.3 and RFC 6238 §4.2, by node:crypto. */
export function codeAtSecond(seed: Uint8Array, second: number, { algorithm = 'SHA1', digits = 6 }: OtpParameters = {}): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(second / 30)));
  const mac = createHmac(algorithm, seed).update(counter).digest();
  const number = mac.readUInt32BE(mac.at(-1)! & 0x0f) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

/** RFC 4648 §6, with or without padding. */
export function seedOf(secret: string): Buffer {
  let bits = '';
  for (const character of secret.replace(/=+$/, '')) {
    const value = BASE32.indexOf(character);
    if (value < 0) throw new Error(`${character} is no character of base32`);
    bits += value.toString(2).padStart(5, '0');
  }
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
}

const hasOathtool = (() => {
  try {
    execFileSync('oathtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** A test that needs the `oathtool` program. */
export const itWithOathtool = (title: string, test: () => Promise<void>) => itWhere(hasOathtool, 'install oathtool (Debian package oathtool)', title, test);

/** The same code as {@link codeAtSecond}, by the `oathtool` program. */
export async function oathtool(secret: string, second: number, { algorithm = 'SHA1', digits = 6 }: OtpParameters = {}): Promise<string> {
  const { stdout } = await run('oathtool', [`--totp=${algorithm.toLowerCase()}`, '-b', `--digits=${digits}`, '--now', `@${second}`, secret]);
  return stdout.trim();
}
