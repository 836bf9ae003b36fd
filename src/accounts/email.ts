import { domainToASCII } from 'node:url';
import { AppError } from '../errors.ts';

/** The syntax of `<input type=email>` (WHATWG HTML), widened to letters of all scripts before the `@`. */
const ADDRESS = /^[\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]+@[^\s@]+$/u;
const DOMAIN = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const MAX = 254;

/**
 * The form in which addresses are compared: case folded, compatible characters made one, the domain in ASCII (RFC 5890).
 * The part before the `@` may in theory differ by case alone (RFC 5321 §2.4); in practice that is always one person.
 *
 * @returns undefined when it is no address
 */
export function emailKey(email: string): string | undefined {
  const folded = email.trim().normalize('NFKC').toLowerCase();
  if (!ADDRESS.test(folded)) return undefined;
  const at = folded.lastIndexOf('@');
  const domain = domainToASCII(folded.slice(at + 1));
  const key = `${folded.slice(0, at)}@${domain}`;
  return DOMAIN.test(domain) && key.length <= MAX ? key : undefined;
}

/** The address as it is shown, and its key; throws `invalid_request` when it is none. */
export function parseEmail(email: string): { email: string; key: string } {
  const shown = email.trim();
  const key = emailKey(email);
  if (key === undefined || shown.length > MAX) throw new AppError('invalid_request', 'this is not an e-mail address', { extra: { field: 'email' } });
  return { email: shown, key };
}
