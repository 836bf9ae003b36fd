import { AppError } from '../errors.ts';

/**
 * Refuses the names that are the provider's own: a token for one of these would be taken for one of its API, or for what it says of a sign-in.
 *
 * @param field of the request, for the error
 * @throws AppError `invalid_request` with `field`
 */
export function assertNotOurs(uri: string, issuer: string, field: 'identifier' | 'audience'): void {
  if (!URL.canParse(uri)) return;
  const [given, own] = [new URL(uri), new URL(issuer)];
  if (given.protocol !== own.protocol || given.host !== own.host) return;
  const base = own.pathname.replace(/\/+$/, '');
  const path = plainPath(given.pathname);
  if (path === base || path === `${base}/api` || path.startsWith(`${base}/api/`)) {
    throw new AppError('invalid_request', `${field} is the provider's own name, or below that of its API`, { extra: { field } });
  }
}

/** However it is spelt: escapes, dots, doubled and trailing slashes. */
function plainPath(pathname: string): string {
  let path = pathname;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    // No escapes that mean anything.
  }
  const dotless = new URL(`http://localhost${path.startsWith('/') ? '' : '/'}${path.replaceAll('?', '%3F').replaceAll('#', '%23')}`).pathname;
  return dotless.replaceAll(/\/{2,}/g, '/').replace(/\/$/, '').toLowerCase();
}
