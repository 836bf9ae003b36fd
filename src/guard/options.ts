import type { Requirements } from './guard.ts';

/** RFC 6749 §3.3 scope-token, and what RFC 6750 §3 lets stand between quotes. */
const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const QUOTABLE = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;
const REQUIREMENTS = ['scopes', 'acr', 'maxAge', 'realm'];

/**
 * Checks what a route asks for, as all of it goes into headers.
 *
 * @param own the options of this guard beside the requirements
 * @throws TypeError naming the option
 */
export function checkRequirements(options: Requirements, own: readonly string[]): void {
  const known = [...own, ...REQUIREMENTS];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new TypeError(`protect: there is no option ${unknown}; there are ${known.join(', ')}`);
  const { scopes = [], acr = [], maxAge, realm } = options;
  const isTokens = (value: unknown) => Array.isArray(value) && value.every((each) => typeof each === 'string' && TOKEN.test(each));
  if (!isTokens(scopes)) throw new TypeError('protect: scopes must be an array of scopes, each without spaces and quotes');
  if (!isTokens([acr].flat())) throw new TypeError('protect: acr must be one or more classes, each without spaces and quotes');
  // The way from a sign-in to the call takes its time: 0 would send people to sign in for ever.
  if (maxAge !== undefined && !(Number.isInteger(maxAge) && maxAge > 0)) throw new TypeError('protect: maxAge must be a whole number of seconds above 0');
  if (realm !== undefined && !(typeof realm === 'string' && QUOTABLE.test(realm))) throw new TypeError('protect: realm must be text without quotes');
}

/**
 * @returns the URL, an origin or an origin and a path, without a trailing slash
 * @throws TypeError where it is no https URL, or http beyond this machine
 */
export function checkUrl(name: string, value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  const loopback = url?.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (!url || !(url.protocol === 'https:' || loopback)) throw new TypeError(`protect: ${name} must be an https URL (or http on this machine)`);
  return (value as string).replace(/\/$/, '');
}
