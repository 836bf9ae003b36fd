import type { Context as KoaContext } from 'koa';

/** The claims of a JWT access token (RFC 9068 §2.2), or of an introspection answer (RFC 7662 §2.2); the same names in both. */
export type TokenClaims = Readonly<Record<string, unknown>>;

/** A token that its issuer vouches for; whether it is for us, still lasts, and is enough is asked after. */
export interface VouchedToken {
  readonly claims: TokenClaims;
  /** Known only in the provider's own process. */
  readonly accountId?: string | undefined;
}

/** Who can tell what a token is worth: the provider over the wire, or the one that is attached in this process. */
export interface TokenSource {
  /**
   * Verifies a JWT access token: signature, type, issuer.
   *
   * @throws GuardError `invalid_token`, or `temporarily_unavailable`
   */
  readJwt(token: string): Promise<VouchedToken>;
  /**
   * Looks up an opaque token. Undefined where it is no access token, or no longer one.
   *
   * @throws GuardError `temporarily_unavailable`
   */
  lookUp(token: string, ctx: KoaContext): Promise<VouchedToken | undefined>;
  /** Whether a DPoP proof is seen for the first time (RFC 9449 §11.1); remembered until `until`, in milliseconds since the epoch. */
  firstUse(proof: { clientId: string; thumbprint: string; jti: string; until: number }): Promise<boolean>;
}

/** Who calls, and what their token lets them do; at `ctx.state.auth` behind a guard. */
export interface TokenAuth {
  /** The `sub` that the client knows the person by; undefined for a client that acts for itself. */
  readonly subject: string | undefined;
  /** The account of the person. Only behind the guard of the provider's own process: it never leaves it. */
  readonly accountId: string | undefined;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** The class of the sign-in that the token rests on, and its methods (RFC 8176); none for a client that acts for itself. */
  readonly acr: string | undefined;
  readonly amr: readonly string[];
  /** When the person signed in, and when the token ends, in seconds since the epoch. */
  readonly authTime: number | undefined;
  readonly expiresAt: number;
  /** Everything else that the token says. */
  readonly claims: TokenClaims;
}

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
const texts = (value: unknown) => (Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : []);

/** @returns undefined where the claims lack what every access token has */
export function readAuth({ claims, accountId }: VouchedToken): TokenAuth | undefined {
  const clientId = text(claims['client_id']);
  const expiresAt = number(claims['exp']);
  if (clientId === undefined || expiresAt === undefined) return undefined;
  const subject = text(claims['sub']);
  return {
    // RFC 9068 §2.2: a client that acts for itself is its own subject; an introspection answer has none.
    subject: subject === clientId ? undefined : subject,
    accountId,
    clientId,
    scopes: text(claims['scope'])?.split(' ').filter(Boolean) ?? [],
    acr: text(claims['acr']),
    amr: texts(claims['amr']),
    authTime: number(claims['auth_time']),
    expiresAt,
    claims,
  };
}

/** Whether a token was made for `audience` (RFC 9068 §4, RFC 8707 §2). */
export function isFor(claims: TokenClaims, audience: string): boolean {
  return [claims['aud']].flat().includes(audience);
}
