import { base64url, sha256 } from '../lib/crypto.ts';
import type { Resource, ScopeOptions, SigningAlgorithm } from '../oidc/configuration/resources.ts';
import type { ResourceServerRecord } from './events.ts';
import type { ResourceServerRow } from './store.ts';
import type { ResourceServer, Scope } from './types.ts';

/** A resource server as it is shown, with its row where it is the registry's. */
export interface Description {
  readonly server: ResourceServer;
  readonly row: ResourceServerRow | undefined;
}

/** What things are where nobody said so. */
export interface Defaults {
  /** What the provider can sign JWTs with; the first does so by default. */
  readonly algorithms: () => readonly SigningAlgorithm[];
  /** Seconds. */
  readonly ttl: (format: 'opaque' | 'jwt') => number;
}

/** @param own Tandem's own API @returns how a resource server of the options is shown */
export function describeFixed(identifier: string, resource: Resource, own: { readonly identifier: string; readonly name: string }, defaults: Defaults): Description {
  const { audience = identifier, format = 'opaque', algorithm = defaults.algorithms()[0] ?? 'ES256', ttl = defaults.ttl(format) } = resource;
  const builtIn = identifier === own.identifier;
  const server: ResourceServer = {
    // It stays the same as long as the identifier does, and has no character that a path would have to escape.
    id: base64url(sha256(identifier)).slice(0, 22),
    identifier,
    name: builtIn ? own.name : nameOf(identifier),
    origin: builtIn ? 'built-in' : 'configuration',
    audience,
    format,
    algorithm,
    ttl,
    scopes: Object.entries(resource.scopes).map(([name, scope]) => scopeOf(name, scope)),
    createdAt: undefined,
    updatedAt: undefined,
  };
  return { server, row: undefined };
}

export function describeRow(row: ResourceServerRow, defaults: Defaults): Description {
  const { id, identifier, name, audience = identifier, format, algorithm = defaults.algorithms()[0] ?? 'ES256', ttl = defaults.ttl(format), scopes, createdAt, updatedAt } = row;
  return { server: { id, identifier, name, origin: 'registry', audience, format, algorithm, ttl, scopes, createdAt, updatedAt }, row };
}

/** As the audit log keeps it. */
export const recordOf = ({ name, audience, format, algorithm, ttl }: ResourceServer): ResourceServerRecord => ({ name, audience, format, algorithm, ttl });

/** What it is called where nobody gave it a name. */
export function nameOf(identifier: string): string {
  const host = URL.canParse(identifier) ? new URL(identifier).host : '';
  return (host || identifier).slice(0, 100);
}

/** A host gives English, or words by language. */
function scopeOf(name: string, scope: string | ScopeOptions): Scope {
  const { description, level = 1 } = typeof scope === 'string' ? { description: scope } : scope;
  return { name, description: typeof description === 'string' ? { en: description } : description, level };
}
