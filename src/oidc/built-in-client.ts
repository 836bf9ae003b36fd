import type { ClientMetadata, JWKS } from 'oidc-provider';

/** The account pages, as a client of the provider that they belong to. */
export const BUILT_IN_CLIENT = 'tandem-account';

/** Where the provider sends a browser back to the account pages. */
export const returnUrl = (issuer: string): string => `${issuer}/account/return`;

/** Signs in without tokens (`response_type=none`, OAuth 2.0 Multiple Response Types §4), and is never asked for consent. */
export function builtInClient(issuer: string, jwks: JWKS | undefined): ClientMetadata {
  const alg = algOf(jwks?.keys[0]);
  return {
    client_id: BUILT_IN_CLIENT,
    client_name: 'Account',
    response_types: ['none'],
    grant_types: [],
    redirect_uris: [returnUrl(issuer)],
    token_endpoint_auth_method: 'none',
    ...(alg && { id_token_signed_response_alg: alg }),
  };
}

/** It never gets an ID token, and is still refused where it names an algorithm that the provider has no key for. */
function algOf(key: JWKS['keys'][number] | undefined): 'RS256' | 'ES256' | 'EdDSA' | undefined {
  const { alg, kty, crv } = (key ?? {}) as { alg?: string; kty?: string; crv?: string };
  if (alg) return alg as 'RS256';
  if (kty === 'RSA') return 'RS256';
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  return kty === 'OKP' && crv === 'Ed25519' ? 'EdDSA' : undefined;
}
