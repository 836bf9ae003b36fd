import type { Metadata } from '../../clients/types.ts';
import type { ScopeWords } from '../../oidc/configuration/resources.ts';
import type { NewResourceServer } from '../../resources/types.ts';

/** A scope as a document has it. */
export interface ApplyScope {
  readonly name: string;
  /** In plain words by language (BCP 47), English at least; or in English alone. */
  readonly description: string | ScopeWords;
  /** 2 where it is given only to people who signed in with two factors; default: 1. */
  readonly level?: 1 | 2 | undefined;
}

/** What a registry should be: the declarative file of `tandem apply`. */
export interface ApplyDocument {
  /** A member that is left out stays as it is; scopes that are left out stay, unless it is pruned. */
  readonly resource_servers?: readonly (Omit<NewResourceServer, 'scopes'> & { readonly scopes?: readonly ApplyScope[] | undefined })[];
  /** Metadata with `client_id`, a member that is left out being taken away; `managed_keys` are the public JWKs that are hosted, beside pairs that were made here. */
  readonly clients?: readonly Metadata[];
}

/** How a document is applied. */
export interface ApplyOptions {
  /** Only tells what it would do. */
  readonly dryRun?: boolean | undefined;
  /** Removes clients, scopes and resource servers of the registry that the document does not name. Clients that registered themselves stay. */
  readonly prune?: boolean | undefined;
}

/** One step, done or (in a dry run) to be done. */
export interface ApplyStep {
  readonly action: 'create' | 'update' | 'remove' | 'unchanged';
  readonly kind: 'resource_server' | 'scope' | 'client';
  readonly id: string;
  /** Members that differ, before and after. */
  readonly changes?: Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>;
  /** The secret of a client that was made, told this once. */
  readonly secret?: string;
}

/** What was done, or in a dry run would be, in this order. */
export interface ApplyResult {
  readonly dryRun: boolean;
  readonly steps: readonly ApplyStep[];
}
