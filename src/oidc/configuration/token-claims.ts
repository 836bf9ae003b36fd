import type { AccessToken, ClientCredentials, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { Log } from '../../lib/log.ts';

type ExtraTokenClaims = NonNullable<Configuration['extraTokenClaims']>;

/** What says whose token it is, for what, and how its person signed in (RFC 9068 §2.2, RFC 7662 §2.2): not a host's to change. */
const RESERVED: ReadonlySet<string> = new Set([
  'acr', 'active', 'amr', 'aud', 'auth_time', 'authorization_details', 'client_id', 'cnf', 'exp', 'iat', 'iss', 'jti', 'nbf', 'scope', 'sid', 'sub', 'token_type',
]);

/** The artifacts that keep how their person signed in, each under its name among a request's entities. */
const GRANTED_BY = ['AuthorizationCode', 'RefreshToken', 'DeviceCode', 'BackchannelAuthenticationRequest'] as const;

interface Authentication {
  readonly acr: string | undefined;
  readonly amr: readonly string[] | undefined;
  readonly authTime: number | undefined;
}

/**
 * Makes every access token of a person say how that person signed in: `acr`, `amr` and `auth_time`, in JWTs (RFC 9068
 * §2.2.1) as in introspection answers (RFC 9470 §6), by refresh the same as by code. Tokens of a client for itself have none.
 *
 * @param host the host's own function, whose claims are added; those that the protocol reserves are left out, and logged
 */
export function createTokenClaims(log: Log, host?: ExtraTokenClaims): ExtraTokenClaims {
  const refused = new Set<string>();

  return async (ctx, token) => {
    const own = await host?.(ctx, token);
    const claims: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(own ?? {})) {
      if (!RESERVED.has(name)) claims[name] = value;
      else if (!refused.has(name)) {
        refused.add(name);
        log.warn({ claim: name }, 'extraTokenClaims: this claim is reserved, and left out');
      }
    }
    const authentication = isOfPerson(token) ? authenticationOf(ctx) : undefined;
    if (authentication) {
      const { acr, amr, authTime } = authentication;
      Object.assign(claims, acr !== undefined && { acr }, amr !== undefined && { amr }, authTime !== undefined && { auth_time: authTime });
    }
    return Object.keys(claims).length ? claims : undefined;
  };
}

const isOfPerson = (token: AccessToken | ClientCredentials): token is AccessToken => token.kind === 'AccessToken';

/** What a token request is answered by; none of a client for itself. */
export function grantedBy({ oidc }: KoaContextWithOIDC): Authentication | undefined {
  const entities = oidc.entities as Readonly<Record<string, Authentication | undefined>>;
  return GRANTED_BY.map((name) => entities[name]).find((entity) => entity !== undefined);
}

/** As the ID token of the same answer has it; a host's program may also make tokens outside of every request. */
function authenticationOf(ctx: KoaContextWithOIDC | undefined): Authentication | undefined {
  const oidc = ctx?.oidc;
  if (!oidc) return undefined;
  const source = grantedBy(ctx);
  // A response type with a token comes straight from the session.
  return source ?? (oidc.session && { acr: oidc.acr, amr: oidc.amr, authTime: oidc.session.authTime() });
}
