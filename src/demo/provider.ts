import * as oidc from 'openid-client';

export interface ClientOptions {
  /** Where the provider is. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where this site is: an origin. */
  readonly url: string;
}

/** What this site asks of a sign-in beyond who somebody is. */
export interface Demand {
  /** The authentication context class without which the request is to fail. */
  readonly acr: string;
  /** How many seconds ago the person may have signed in at most. */
  readonly maxAge: number;
}

/** What is remembered of a browser while it is at the provider. */
export interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly demand: Demand | undefined;
}

/** Somebody whom the provider vouched for. */
export interface Proven {
  /** The ID token as it came, and its verified claims. */
  readonly token: string;
  readonly claims: Readonly<Record<string, unknown>> & { readonly sub: string; readonly acr?: string };
  readonly userInfo: Readonly<Record<string, unknown>>;
}

const SCOPE = 'openid profile email';

/** The provider as this site's client sees it: its name is known, everything else is learned by discovery. */
export function createProviderClient({ issuer, clientId, clientSecret, url }: ClientOptions) {
  const redirectUri = `${url}/callback`;
  let discovered: Promise<oidc.Configuration> | undefined;

  /** Discovers the provider at the first visit, and again after a failure: it may start later than this site. */
  function provider(): Promise<oidc.Configuration> {
    // Verify the ID token's signature too, though it came straight from the token endpoint.
    const execute = [oidc.enableNonRepudiationChecks];
    if (issuer.startsWith('http:')) execute.push(oidc.allowInsecureRequests);
    const metadata = { client_secret: clientSecret, id_token_signed_response_alg: 'ES256' };
    discovered ??= oidc.discovery(new URL(issuer), clientId, metadata, undefined, { execute }).catch((error: unknown) => {
      discovered = undefined;
      throw error;
    });
    return discovered;
  }

  return {
    /**
     * Where to send the browser, and what to remember meanwhile.
     *
     * @param options `demand` is asked for as an essential claim (OpenID Connect Core §5.5.1.1); `hint` is the ID token of who is signed in here
     */
    async leave({ demand, hint }: { demand?: Demand; hint?: string | undefined } = {}): Promise<{ href: string; pending: Pending }> {
      const config = await provider();
      const pending = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier(), demand };
      const parameters = {
        redirect_uri: redirectUri,
        scope: SCOPE,
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
        ...(demand && { claims: JSON.stringify({ id_token: { acr: { essential: true, values: [demand.acr] } } }), max_age: String(demand.maxAge) }),
        ...(hint !== undefined && { id_token_hint: hint }),
      };
      return { href: oidc.buildAuthorizationUrl(config, parameters).href, pending };
    },

    /** Redeems the answer that the browser brought back to `path`. Whether a demanded `acr` was met is for the caller to see. */
    async redeem(path: string, { state, nonce, verifier, demand }: Pending): Promise<Proven> {
      const config = await provider();
      const tokens = await oidc.authorizationCodeGrant(config, new URL(path, url), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
        ...(demand && { maxAge: demand.maxAge }),
      });
      const claims = tokens.claims()!;
      const userInfo = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
      return { token: tokens.id_token!, claims: claims as Proven['claims'], userInfo };
    },

    /** Where the session ends at the provider too (OpenID Connect RP-Initiated Logout). */
    async leaveForGood(hint: string): Promise<string> {
      return oidc.buildEndSessionUrl(await provider(), { id_token_hint: hint, post_logout_redirect_uri: `${url}/signed-out` }).href;
    },
  };
}

/** The error that the provider sent the browser back with, if `error` is one. */
export function refusal(error: unknown): { readonly code: string; readonly description: string | undefined } | undefined {
  return error instanceof oidc.AuthorizationResponseError ? { code: error.error, description: error.error_description } : undefined;
}
