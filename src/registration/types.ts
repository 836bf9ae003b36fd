import type { Actor } from '../lib/actor.ts';
import type { PageAsked } from '../lib/paging.ts';

/** What clients that register with a token may ask for, and what they are given. A member that is absent forbids nothing, but gives nothing either. */
export interface RegistrationPolicy {
  readonly grantTypes?: readonly string[];
  readonly authMethods?: readonly string[];
  /** Hosts of redirect URIs: `shop.example`, or `*.shop.example`. */
  readonly redirectHosts?: readonly string[];
  /** Scopes of the provider that may be asked for: `openid`, `offline_access`, … */
  readonly scopes?: readonly string[];
  /** Metadata of ours that the client is given: `tandem_resources`, `tandem_sector`, `tandem_level`, `tandem_confirm`, `tandem_attributes`. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** An initial access token (RFC 7591 §1.2): one registration, then it is worth nothing. Times in milliseconds since the epoch. */
export interface InitialAccessToken {
  readonly id: string;
  readonly label: string;
  readonly policy: RegistrationPolicy;
  readonly state: 'open' | 'used' | 'revoked' | 'expired';
  readonly createdAt: number;
  readonly expiresAt: number;
  /** The client that it registered. */
  readonly clientId: string | undefined;
}

/** The tokens by which clients register themselves: at `t.admin.registrationTokens`. */
export interface InitialAccessTokens {
  /** The newest first. @throws AppError `invalid_request` for a limit or a cursor that makes no sense */
  list(page?: PageAsked): Promise<{ tokens: readonly InitialAccessToken[]; cursor?: string }>;
  /**
   * Makes a token for one registration (RFC 7591 §3).
   *
   * @param input `expiresIn`: seconds, 60 to 30 days (default: a day)
   * @returns with `value`, told this once
   * @throws AppError `invalid_request`; `insufficient_scope` where the policy gives more than the actor may hand on
   *
   * @example
   * const { value } = await t.admin!.registrationTokens.create(
   *   { label: 'For Grace', expiresIn: 3600, policy: { grantTypes: ['authorization_code'], redirectHosts: ['*.shop.example'] } },
   *   { kind: 'host', id: 'shop', authority: 'all' },
   * );
   */
  create(input: { label?: string | undefined; expiresIn?: number | undefined; policy?: RegistrationPolicy | undefined }, actor: Actor): Promise<{ token: InitialAccessToken; value: string }>;
  /** Makes it worth nothing. @throws AppError `not_found`, `conflict` where it was used */
  revoke(id: string, actor: Actor): Promise<void>;
}
