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

/** What a resource server is made of. */
export interface NewResourceServer {
  /** The resource indicator: an absolute URI without a fragment (RFC 8707 §2), at most 255 characters. */
  readonly identifier: string;
  /** What administrators see; default: the host of the identifier. */
  readonly name?: string | undefined;
  /** Default: the identifier. */
  readonly audience?: string | undefined;
  /** `opaque` (default) can be revoked and introspected at once; `jwt` (RFC 9068) is for servers that cannot ask. */
  readonly format?: 'opaque' | 'jwt' | undefined;
  /** What signs its JWTs, of the algorithms that the provider has keys for; by default the provider's own for access tokens. */
  readonly algorithm?: SigningAlgorithm | undefined;
  /** Life of its tokens in seconds: 60 to 86400, of JWTs to 3600; default: 3600, of JWTs 300. */
  readonly ttl?: number | undefined;
  readonly scopes?: readonly Scope[] | undefined;
}

export type ResourceServerChanges = Omit<NewResourceServer, 'identifier' | 'scopes'>;

/** Tells which clients hold a resource server's scopes. */
export interface ScopeHolders {
  /** Client ids, at most `limit` (default 20) of them, and how many there are in all. */
  usedBy(identifier: string, scope?: string, options?: { tx?: Transaction; limit?: number }): Promise<{ clients: readonly string[]; count: number }>;
}

/**
 * The resource servers and their scopes: at `t.admin.resources`. Each change is in the audit log with who, what, before and after; it counts at once in
 * this process, and within a second in others.
 */
export interface ResourceRegistry extends ResourceServers {
  /** Those of Tandem and of the configuration first. */
  list(): Promise<ResourceServer[]>;
  /** @param idOrIdentifier either of the two @throws AppError `not_found` */
  get(idOrIdentifier: string): Promise<ResourceServer>;
  /**
   * Adds a resource server, for which clients can then be granted scopes.
   *
   * @throws AppError `invalid_request` with `extra.field`; `conflict` where there is one with this identifier or audience
   *
   * @example
   * await t.admin!.resources.create(
   *   { identifier: 'https://api.example.com', format: 'jwt', ttl: 300, scopes: [{ name: 'orders:read', description: { en: 'Read your orders' }, level: 1 }] },
   *   { kind: 'host', id: 'shop', authority: 'all' },
   * );
   */
  create(input: NewResourceServer, actor: Actor): Promise<ResourceServer>;
  /** @throws AppError `not_found`, `invalid_request`, `conflict` for one that is not the registry's */
  update(idOrIdentifier: string, changes: ResourceServerChanges, actor: Actor): Promise<ResourceServer>;
  /**
   * Finds out whether a resource server, there or not, could be so; what it says nothing of stays as it is.
   *
   * @throws AppError as {@link ResourceRegistry.create} and {@link ResourceRegistry.update}
   */
  check(wanted: Pick<NewResourceServer, 'identifier'> & ResourceServerChanges): Promise<void>;
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
