import type { Context as KoaContext } from 'koa';
import { errors, type ClaimsParameter, type Client, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import { CLAIMS } from './defaults.ts';

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Refuses what the claims parameter must not hold (OpenID Connect Core §5.5.1): an `acr` that is malformed would
 * otherwise count as none, and a request for a strong sign-in would be met by any.
 */
export function assertAcrClaims(_ctx: KoaContextWithOIDC, claims: ClaimsParameter, _client: Client): void {
  for (const container of ['userinfo', 'id_token'] as const) {
    for (const [name, value] of Object.entries(claims[container] ?? {})) {
      if (value !== null && !isObject(value)) throw new errors.InvalidRequest(`claims.${container}.${name} must be null or an object`);
      if (name === 'acr' && value) assertAcr(`claims.${container}.acr`, value as Record<string, unknown>);
    }
  }
}

function assertAcr(where: string, { essential, value, values }: Record<string, unknown>): void {
  const text = (each: unknown) => typeof each === 'string' && each !== '';
  const refuse = (what: string) => {
    throw new errors.InvalidRequest(`${where}.${what}`);
  };
  if (essential !== undefined && typeof essential !== 'boolean') refuse('essential must be a boolean');
  if (value !== undefined && !text(value)) refuse('value must be a string');
  if (values !== undefined && !(Array.isArray(values) && values.length > 0 && values.every(text))) refuse('values must be an array of strings');
  if (value !== undefined && values !== undefined) refuse('value and values exclude each other');
}

/** Claims about the sign-in rather than the person. */
const OF_THE_SIGN_IN = new Set(['sub', 'acr', 'amr', 'auth_time', 'sid', 'iss']);

/** What an authorization request asks for, as the library reads it: of what it does not know, it grants nothing. */
export interface Asked {
  readonly scopes: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
}

/** Reads the parameters of a request as the provider does when it grants them. */
export function askedFor(provider: Provider, ctx: KoaContext, params: Readonly<Record<string, unknown>>): Asked {
  const { OIDCContext } = provider as unknown as { OIDCContext: new (ctx: KoaContext) => KoaContextWithOIDC['oidc'] & { params: unknown } };
  const request = new OIDCContext(ctx);
  request.params = params;
  return { scopes: request.requestParamOIDCScopes, claims: request.requestParamClaims };
}

/**
 * What single claims ask for beyond scopes, so that the person is shown it: consent to a request covers both.
 *
 * @returns the scopes that have these claims, and the names of those that no scope of ours has
 */
export function claimsAsked(claims: Asked['claims']): { scopes: string[]; others: string[] } {
  const names = [...claims].filter((name) => !OF_THE_SIGN_IN.has(name));
  const scopeOf = (name: string) => ['profile', 'email'].find((scope) => (CLAIMS[scope] as readonly string[]).includes(name));
  const scopes = names.flatMap((name) => scopeOf(name) ?? []);
  return { scopes: [...new Set(scopes)], others: names.filter((name) => scopeOf(name) === undefined) };
}
