import type { AdapterFactory, Configuration, JWKS, Provider } from 'oidc-provider';
import type { Actor } from '../lib/actor.ts';
import type { PageAsked } from '../lib/paging.ts';
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

/** A public key of a client that the provider hosts. Times in milliseconds since the epoch. */
export interface ClientKey {
  readonly kid: string;
  readonly algorithm: string;
  /** Whether the pair was made here; its private part went to whoever asked, once. */
  readonly generated: boolean;
  readonly createdAt: number;
}

/** A client of the registry. Times in milliseconds since the epoch. */
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

/** A secret that has just been made. */
export interface NewSecret {
  readonly id: string;
  /** 256 random bits in base64url; the only time that it is told. */
  readonly value: string;
  /** Milliseconds since the epoch; undefined where it lasts. */
  readonly expiresAt: number | undefined;
}

/**
 * The clients in the database: at `t.admin.clients`. Each change is in the audit log with who, what, before and after, secrets left out, and
 * counts at once in every process.
 */
export interface ClientRegistry extends ScopeHolders {
  /**
   * The newest first.
   *
   * @param query `search`: part of a client id or name
   * @param page `limit`: 1 to 200 (default 50); `cursor`: of the page before
   * @throws AppError `invalid_request` for a limit or a cursor that makes no sense
   */
  list(query?: { search?: string | undefined }, page?: PageAsked): Promise<{ clients: readonly RegisteredClient[]; cursor?: string }>;
  /** @throws AppError `not_found` */
  get(clientId: string): Promise<RegisteredClient>;
  /**
   * Registers a client (RFC 7591 §2). Where its method of authentication takes a secret, one is made; with `generateKey` a key pair, hosted here.
   *
   * @param input metadata; `client_id` where it must be a certain one, else a random one
   * @param options `generateKey`: ES256, RS256, PS256 or EdDSA
   * @returns the client, and what is told this once: its secret, its private key
   * @throws AppError `invalid_request` naming the field, `conflict` where the id is taken or was, `insufficient_scope` where it would get more than the actor may hand on
   *
   * @example
   * const { client, secret } = await t.admin!.clients.create(
   *   { client_name: 'Till', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], tandem_resources: { 'https://api.example.com': ['orders:read'] } },
   *   { kind: 'host', id: 'shop', authority: 'all' },
   * );
   */
  create(input: Metadata, actor: Actor, options?: { generateKey?: string | undefined }): Promise<{ client: RegisteredClient; secret?: NewSecret; privateKey?: JWKS['keys'][number] }>;
  /**
   * Changes metadata: members of `changes` replace those before, null takes one away (RFC 7396). Secrets that the client has no use for any more end.
   *
   * @throws AppError `not_found`, and as {@link ClientRegistry.create}
   */
  update(clientId: string, changes: Metadata, actor: Actor): Promise<RegisteredClient>;
  /**
   * Finds out whether a client, there or not, could have this metadata and no other; that its resource servers and scopes exist is not asked.
   *
   * @param keys public keys that the provider would host for it
   * @throws AppError as {@link ClientRegistry.create} and {@link ClientRegistry.addKey}
   */
  check(clientId: string, metadata: Metadata, actor: Actor, keys?: ReadonlyArray<JWKS['keys'][number]>): Promise<void>;
  /**
   * Ends it: its tokens count for nothing from now on. Its id is never given again.
   *
   * @throws AppError `not_found`, `insufficient_scope`
   */
  remove(clientId: string, actor: Actor): Promise<void>;
  /**
   * Makes another secret. At most two count at a time.
   *
   * @param options `endOthersIn`: seconds, at most 90 days, after which the ones before end; without it they last until they are removed
   * @throws AppError `not_found`, `insufficient_scope`; `conflict` where there are two, or where the client has no use for one
   */
  addSecret(clientId: string, options: { endOthersIn?: number | undefined }, actor: Actor): Promise<NewSecret>;
  /** @throws AppError `not_found`, `insufficient_scope` */
  removeSecret(clientId: string, secretId: string, actor: Actor): Promise<void>;
  /** Hosts a public key (RFC 7517 §4); at most ten. @throws AppError `not_found`, `insufficient_scope`, `invalid_request` (a private or weak key), `conflict` */
  addKey(clientId: string, jwk: JWKS['keys'][number], actor: Actor): Promise<ClientKey>;
  /**
   * Makes a key pair, hosts its public part, and gives the private one out, once.
   *
   * @param algorithm ES256 (default), RS256, PS256 or EdDSA
   * @throws AppError as {@link ClientRegistry.addKey}
   */
  generateKey(clientId: string, algorithm: string | undefined, actor: Actor): Promise<{ key: ClientKey; privateKey: JWKS['keys'][number] }>;
  /** @throws AppError `not_found`, `insufficient_scope` */
  removeKey(clientId: string, kid: string, actor: Actor): Promise<void>;
  /** What the provider hosts for a client at `{issuer}/clients/{id}/jwks` (RFC 7517 §5); undefined where there is no such client. */
  jwks(clientId: string): Promise<JWKS | undefined>;
  /** Whether it is a client now, of the registry or of the provider's configuration. */
  exists(clientId: string): Promise<boolean>;
}

/** The registry as the provider is put together with it. */
export interface Clients extends ClientRegistry {
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
