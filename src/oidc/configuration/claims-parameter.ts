import { errors, type ClaimsParameter, type Client, type KoaContextWithOIDC } from 'oidc-provider';

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
