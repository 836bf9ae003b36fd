import type { AdapterFactory, Configuration, JWKS, Provider } from 'oidc-provider';
import type { Transaction } from '../context.ts';
import type { Actor } from '../lib/actor.ts';
import type { ScopeHolders } from '../resources/types.ts';

/** Metadata as RFC 7591 §2 and Tandem name it, without ids and secrets. */
export type Metadata = Readonly<Record<string, unknown>>;

/** A secret of a client; its value was shown once. Times in milliseconds since the epoch. */
export interface ClientSecret {
  readonly id: string;
  readonly createdAt: number;
  /** Undefined where it lasts. */
  readonly expiresAt: number | undefined;
}

/** A public key of a client that the provider hosts. */
export interface ClientKey {
  readonly kid: string;
  readonly algorithm: string;
  /** Whether the pair was made here; its private part went to whoever asked, once. */
  readonly generated: boolean;
  readonly createdAt: number;
}

/** A client of the registry. */
export interface RegisteredClient {
  readonly clientId: string;
  readonly metadata: Metadata;
  /** Registered by an administrator, or by itself (RFC 7591). */
  readonly origin: 'admin' | 'registration';
  readonly secrets: readonly ClientSecret[];
  readonly keys: readonly ClientKey[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface NewSecret {
  readonly id: string;
  /** The only time that it is told. */
  readonly value: string;
  readonly expiresAt: number | undefined;
}

/** The clients in the database. Each change is in the audit log with who, what, before and after, secrets left out. */
export interface ClientRegistry extends ScopeHolders {
  /**
   * @param query `search`: part of a client id or name
   * @param page `limit`: 1 to 200 (default 50); `cursor`: of the page before
   */
  list(query?: { search?: string | undefined }, page?: { limit?: number | undefined; cursor?: string | undefined }): Promise<{ clients: readonly RegisteredClient[]; cursor?: string }>;
  /** @throws AppError `not_found` */
  get(clientId: string): Promise<RegisteredClient>;
  /**
   * Registers a client. Where its method of authentication takes a secret, one is made; with `generateKey` a key pair, hosted here.
   *
   * @param input metadata; `client_id` where it must be a certain one, else a random one
   * @throws AppError `invalid_request` naming the field, `conflict` where the id is taken or was, `insufficient_scope` where it would get more than the actor may hand on
   */
  create(input: Metadata, actor: Actor, options?: { generateKey?: string | undefined }): Promise<{ client: RegisteredClient; secret?: NewSecret; privateKey?: JWKS['keys'][number] }>;
  /**
   * Changes metadata: members of `changes` replace those before, null takes one away (RFC 7396).
   *
   * @throws AppError `not_found`, and as {@link ClientRegistry.create}
   */
  update(clientId: string, changes: Metadata, actor: Actor): Promise<RegisteredClient>;
  /**
   * Finds out whether a client, there or not, could have this metadata and no other; that its resource servers and scopes exist is not asked.
   *
   * @throws AppError as {@link ClientRegistry.create}
   */
  check(clientId: string, metadata: Metadata, actor: Actor): Promise<void>;
  /** Ends it: its tokens count for nothing from now on. Its id is never given again. */
  remove(clientId: string, actor: Actor): Promise<void>;
  /**
   * Makes another secret. At most two count at a time.
   *
   * @param options `endOthersIn`: seconds after which the ones before end; without it they last until they are removed
   * @throws AppError `conflict` where there are two, or where the client has no use for one
   */
  addSecret(clientId: string, options: { endOthersIn?: number | undefined }, actor: Actor): Promise<NewSecret>;
  /** @throws AppError `not_found` */
  removeSecret(clientId: string, secretId: string, actor: Actor): Promise<void>;
  /** Hosts a public key; at most ten. @throws AppError `invalid_request` (a private or weak key), `conflict` */
  addKey(clientId: string, jwk: JWKS['keys'][number], actor: Actor): Promise<ClientKey>;
  /** Makes a key pair, hosts its public part, and gives the private one out, once. `algorithm`: ES256 (default), RS256, PS256, EdDSA. */
  generateKey(clientId: string, algorithm: string | undefined, actor: Actor): Promise<{ key: ClientKey; privateKey: JWKS['keys'][number] }>;
  removeKey(clientId: string, kid: string, actor: Actor): Promise<void>;
  /** What the provider hosts for a client at `{issuer}/clients/{id}/jwks`; undefined where there is no such client. */
  jwks(clientId: string): Promise<JWKS | undefined>;
  /** Whether it is a client now. */
  exists(clientId: string, tx?: Transaction): Promise<boolean>;

  /**
   * An adapter that keeps clients here, and everything else where `others` does. In place of the secrets, of which only hashes are kept, a value that
   * says nothing stands as `client_secret`.
   */
  adapter(others: AdapterFactory): AdapterFactory;
  /**
   * Makes `provider` the one that validates metadata and that these clients belong to.
   *
   * @param configured what it was made with: its own clients, whose ids no other gets, and what a host adds to metadata
   */
  attach(provider: Provider, configured?: Pick<Configuration, 'clients' | 'extraClientMetadata'>): void;
}
