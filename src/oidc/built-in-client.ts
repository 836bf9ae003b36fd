import type { ClientMetadata } from 'oidc-provider';

/** The account pages, as a client of the provider that they belong to. */
export const BUILT_IN_CLIENT = 'tandem-account';

/** Where the provider sends a browser back to the account pages. */
export const returnUrl = (issuer: string): string => `${issuer}/account/return`;

/** Signs in without tokens (`response_type=none`, OAuth 2.0 Multiple Response Types §4), and is never asked for consent. */
export function builtInClient(issuer: string): ClientMetadata {
  return {
    client_id: BUILT_IN_CLIENT,
    client_name: 'Account',
    response_types: ['none'],
    grant_types: [],
    redirect_uris: [returnUrl(issuer)],
    post_logout_redirect_uris: [`${issuer}/account`],
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: 'ES256',
  };
}
