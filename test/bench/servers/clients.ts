import type { ClientMetadata, Configuration, Provider } from 'oidc-provider';

/** The relying site of every measurement; nobody answers its callback. */
export const SITE = { client_id: 'site', client_secret: 'bench-secret-bench-secret-bench-secret', redirect_uri: 'http://127.0.0.1:1/callback' };
export const API = 'urn:bench:api';

/** Credentials of one of the people that a server makes. */
export function personOf(index: number): { email: string; password: string } {
  return { email: `person${index}@example.com`, password: 'a long enough pass phrase of hers' };
}

export const CLIENTS: ClientMetadata[] = [
  {
    client_id: SITE.client_id,
    client_secret: SITE.client_secret,
    client_name: 'Bench',
    redirect_uris: [SITE.redirect_uri],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_types: ['code'],
    scope: 'openid email offline_access api:read',
    id_token_signed_response_alg: 'ES256',
    token_endpoint_auth_method: 'client_secret_basic',
  },
];

/** A backend among many. */
export interface Backend {
  readonly id: string;
  readonly secret: string;
}

/** Credentials of one of the many backends that the bare server knows. */
export const backendOf = (index: number): Backend => ({ id: `backend${index}`, secret: `bench-secret-of-the-backend-number-${index}` });

/** What a backend is registered with, on both sides. */
export const BACKEND = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'], id_token_signed_response_alg: 'ES256' } satisfies Partial<ClientMetadata>;

/** Settings that both sides share, so that what differs is Tandem. */
export const SHARED = {
  clients: CLIENTS,
  scopes: ['openid', 'offline_access', 'api:read'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined as unknown as string,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'api:read', accessTokenFormat: 'jwt' as const, accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' as const } } }),
    },
  },
} satisfies Configuration;

/** The interaction of a host that asks nothing: signs in and consents at once, so that the code flow alone is measured. */
export async function consentAtOnce(provider: Provider, ctx: { req: never; res: never }, accountId: string): Promise<void> {
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const grant = new provider.Grant({ accountId, clientId: params['client_id'] as string });
  grant.addOIDCScope(params['scope'] as string);
  const grantId = await grant.save();
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId, remember: true }, consent: { grantId } });
}
