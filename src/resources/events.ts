import type { Scope } from './types.ts';

/** A resource server as the audit log keeps it. */
export interface ResourceServerRecord {
  readonly name: string;
  readonly audience: string;
  readonly format: 'opaque' | 'jwt';
  readonly algorithm: string;
  readonly ttl: number;
}

type ScopeRecord = Pick<Scope, 'description' | 'level'>;

declare module '../lib/events.ts' {
  interface EventMap {
    /** From now on clients can be given scopes of it; `resourceServer` is its identifier. */
    'resource_server.created': { resourceServer: string; after: ResourceServerRecord & { readonly scopes: readonly Scope[] } };
    'resource_server.updated': { resourceServer: string; before: ResourceServerRecord; after: ResourceServerRecord };
    'resource_server.deleted': { resourceServer: string; before: ResourceServerRecord & { readonly scopes: readonly Scope[] } };
    /** The scope was added, or changed where there is `before`. */
    'scope.put': { resourceServer: string; scope: string; before: ScopeRecord | undefined; after: ScopeRecord };
    'scope.deleted': { resourceServer: string; scope: string; before: ScopeRecord };
  }
}
