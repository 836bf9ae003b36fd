import type { Actor } from '../lib/actor.ts';
import type { Transaction } from '../context.ts';
import type { ResourceServers, ScopeWords, SigningAlgorithm } from '../oidc/configuration/resources.ts';

/** Where a resource server comes from: Tandem itself, the host's options, or the registry in the database. Only the last can be changed. */
export type ResourceServerOrigin = 'built-in' | 'configuration' | 'registry';

/** A scope of a resource server. */
export interface Scope {
  readonly name: string;
  /** What it lets a client do, in plain words by language (BCP 47); English at least. */
  readonly description: ScopeWords;
  /** 2 where it is given only to people who signed in with two factors. */
  readonly level: 1 | 2;
}

/** What access tokens can be made for. */
export interface ResourceServer {
  /** A name for URLs: of the registry's, a UUID; of others, derived from the identifier. */
  readonly id: string;
  /** The resource indicator (RFC 8707 §2). Never changes. */
  readonly identifier: string;
  readonly name: string;
  readonly origin: ResourceServerOrigin;
  /** The `aud` of its tokens. */
  readonly audience: string;
  readonly format: 'opaque' | 'jwt';
  /** What signs its JWTs. */
  readonly algorithm: SigningAlgorithm;
  /** Life of its tokens, in seconds. */
  readonly ttl: number;
  readonly scopes: readonly Scope[];
  /** Milliseconds since the epoch; of the registry's alone. */
  readonly createdAt: number | undefined;
  readonly updatedAt: number | undefined;
}

export interface NewResourceServer {
  readonly identifier: string;
  readonly name?: string | undefined;
  readonly audience?: string | undefined;
  readonly format?: 'opaque' | 'jwt' | undefined;
  readonly algorithm?: SigningAlgorithm | undefined;
  readonly ttl?: number | undefined;
  readonly scopes?: readonly Scope[] | undefined;
}

export type ResourceServerChanges = Omit<NewResourceServer, 'identifier' | 'scopes'>;

/** Tells which clients hold a resource server's scopes. */
export interface ScopeHolders {
  /** Client ids, at most `limit` (default 20) of them, and how many there are in all. */
  usedBy(identifier: string, scope?: string, options?: { tx?: Transaction; limit?: number }): Promise<{ clients: readonly string[]; count: number }>;
}

/** The resource servers and their scopes. Each change is in the audit log with who, what, before and after. */
export interface ResourceRegistry extends ResourceServers {
  list(): Promise<ResourceServer[]>;
  /** @param idOrIdentifier either of the two @throws AppError `not_found` */
  get(idOrIdentifier: string): Promise<ResourceServer>;
  /** @throws AppError `invalid_request`, `conflict` where there is one with this identifier */
  create(input: NewResourceServer, actor: Actor): Promise<ResourceServer>;
  /** @throws AppError `not_found`, `invalid_request`, `conflict` for one that is not the registry's */
  update(idOrIdentifier: string, changes: ResourceServerChanges, actor: Actor): Promise<ResourceServer>;
  /** @throws AppError `not_found`, `conflict` where clients hold its scopes, with `extra.clients` (how many), or where it is not the registry's */
  remove(idOrIdentifier: string, actor: Actor): Promise<void>;
  /** Adds the scope, or changes it. @throws AppError as {@link ResourceRegistry.update} */
  putScope(idOrIdentifier: string, scope: Scope, actor: Actor): Promise<ResourceServer>;
  /** @throws AppError as {@link ResourceRegistry.remove} */
  removeScope(idOrIdentifier: string, name: string, actor: Actor): Promise<ResourceServer>;
  usedBy: ScopeHolders['usedBy'];
  /** Inside `tx`: which of these scopes there are not; the resource servers stay as they are until it ends. */
  unknown(grants: Readonly<Record<string, readonly string[]>>, tx: Transaction): Promise<string[]>;
}
