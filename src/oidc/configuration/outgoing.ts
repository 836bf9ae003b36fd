import type { Configuration } from 'oidc-provider';
import type { ClientRegistry } from '../../clients/types.ts';

type Fetch = NonNullable<Configuration['fetch']>;

/** What a document that a client names may weigh, in bytes. */
const MAX_DOCUMENT = 64 * 1024;

export const BODY_LIMITS = {
  'client_id metadata document': 5 * 1024,
  jwks_uri: MAX_DOCUMENT,
  sector_identifier_uri: MAX_DOCUMENT,
} as const satisfies Configuration['fetchResponseBodyLimits'];

/**
 * How the provider asks for what clients name: keys, sector documents, logout endpoints. The library gives up after 2.5 s and hangs
 * up on private and other special addresses once it is connected, before it says a word, so that no name resolves to
 * another address in between. Here it is held to https, follows no redirect, and where it has no such guard asks nothing.
 */
export const outgoing: Fetch = async (url, options) => {
  if (new URL(url).protocol !== 'https:') throw new TypeError('the provider asks by https alone');
  if (!options || !('dispatcher' in options)) throw new TypeError('this runtime cannot be kept from private addresses');
  return globalThis.fetch(url, { ...options, redirect: options.redirect ?? 'error' });
};

/** Answers for the keys that the provider hosts for its clients, without HTTP to itself. */
export function withHostedKeys(issuer: string, clients: Pick<ClientRegistry, 'jwks'>, others: Fetch): Fetch {
  const [before, after] = [`${issuer}/clients/`, '/jwks'];
  return async (url, options) => {
    const asked = new URL(url).href;
    if (!asked.startsWith(before) || !asked.endsWith(after)) return others(url, options);
    const jwks = await clients.jwks(decodeURIComponent(asked.slice(before.length, -after.length)));
    return Response.json(jwks ?? {}, { status: jwks ? 200 : 404 });
  };
}
