import type { Client, Configuration, KoaContextWithOIDC, RefreshToken } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { ACR_VALUES } from '../acr.ts';
import { BODY_LIMITS, outgoing } from './outgoing.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long each artifact lives, in seconds. Every one is set, as the library's defaults only mean to start with. */
export const TTL = {
  AccessToken: (_ctx: unknown, token: { resourceServer?: { accessTokenTTL?: number | undefined } | undefined }) =>
    token.resourceServer?.accessTokenTTL ?? HOUR,
  AuthorizationCode: MINUTE,
  BackchannelAuthenticationRequest: 10 * MINUTE,
  ClientCredentials: (_ctx: unknown, token: { resourceServer?: { accessTokenTTL?: number | undefined } | undefined }) =>
    token.resourceServer?.accessTokenTTL ?? 10 * MINUTE,
  DeviceCode: 10 * MINUTE,
  Grant: 365 * DAY,
  IdToken: HOUR,
  Interaction: HOUR,
  PreAuthorizedCode: 10 * MINUTE,
  RefreshToken: refreshTokenTtl,
  Session: 14 * DAY,
} satisfies NonNullable<Configuration['ttl']>;

/**
 * Thirty days from each rotation, a year in all. In a browser, without a key that binds it, a rotation extends nothing
 * (RFC 9700 §4.14.2, OAuth 2.0 for Browser-Based Apps).
 */
function refreshTokenTtl(ctx: KoaContextWithOIDC | undefined, token: RefreshToken, client: Client): number {
  const rotated = ctx?.oidc.entities.RotatedRefreshToken;
  if (rotated && client.applicationType === 'web' && client.clientAuthMethod === 'none' && !token.isSenderConstrained()) {
    return Math.max(1, rotated.remainingTTL);
  }
  return Math.max(1, Math.min(30 * DAY, 365 * DAY - (rotated?.totalLifetime() ?? 0)));
}

/** The claims of each scope; `acr` and `amr` belong to `openid` so that every ID token carries them. */
export const CLAIMS: NonNullable<Configuration['claims']> = {
  openid: ['sub', 'acr', 'amr', 'auth_time'],
  profile: ['name', 'given_name', 'family_name', 'nickname', 'preferred_username', 'picture', 'locale', 'zoneinfo', 'updated_at'],
  email: ['email', 'email_verified'],
  acr: null,
  amr: null,
  sid: null,
  auth_time: null,
  iss: null,
};

/** Top-level settings without code of ours in them; a host's own value goes before each. */
export const SETTINGS = {
  acrValues: ACR_VALUES,
  scopes: ['openid', 'offline_access'],
  responseTypes: ['code', 'none'],
  allowOmittingSingleRegisteredRedirectUri: false,
  rotateRefreshToken: true,
  clientBasedCORS,
  pkce: { required: () => true },
  fetch: outgoing,
  fetchResponseBodyLimits: BODY_LIMITS,
  discovery: { ui_locales_supported: ['en', 'de', 'fr', 'nl'] },
} satisfies Configuration;

/** A page may call what a browser calls by itself: UserInfo, and as a public client with a redirect URI at its origin. */
function clientBasedCORS(ctx: KoaContextWithOIDC, origin: string, client: Client): boolean {
  if (ctx.oidc.route !== 'userinfo' && client.clientAuthMethod !== 'none') return false;
  return (client.redirectUris ?? []).some((uri) => URL.canParse(uri) && new URL(uri).origin === origin && origin !== 'null');
}

type IntrospectionPolicy = (ctx: KoaContextWithOIDC, client: Client, token: { clientId?: string | undefined; aud?: string | string[] | undefined }) => boolean | Promise<boolean>;

/** A client sees its own tokens, and those meant for a resource server that it speaks for (`tandem_introspects`). */
export function introspectionAllowed(_ctx: KoaContextWithOIDC, client: Client, token: { clientId?: string | undefined; aud?: string | string[] | undefined }): boolean {
  if (token.clientId === client.clientId) return true;
  if (client.clientAuthMethod === 'none') return false;
  const speaksFor = client.tandem_introspects;
  return Array.isArray(speaksFor) && [token.aud ?? []].flat().some((audience) => speaksFor.includes(audience));
}

/** With a client its tokens end: whoever else asks is told nothing of them (RFC 7662 §2.2), and the library would stumble on the client that is gone. */
export function whereClientExists(allowed: IntrospectionPolicy): IntrospectionPolicy {
  return async (ctx, client, token) => {
    if (!(await allowed(ctx, client, token))) return false;
    return token.clientId === undefined || token.clientId === client.clientId || (await ctx.oidc.provider.Client.find(token.clientId)) !== undefined;
  };
}

/** RFC 7009 §2.1: only its own tokens; a public client learns nothing of others. */
export function revocationAllowed(_ctx: KoaContextWithOIDC, client: Client, token: { clientId?: string | undefined }): boolean {
  if (token.clientId === client.clientId) return true;
  if (client.clientAuthMethod === 'none') return false;
  throw new errors.InvalidRequest('client is not authorized to revoke the presented token');
}
