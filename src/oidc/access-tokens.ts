import { createLocalJWKSet, type JWK, type JWTVerifyGetKey } from 'jose';
import type { Context as KoaContext } from 'koa';
import type { Client, Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { sectorOf, type Subjects } from './subjects/subjects.ts';

/** An access token of the provider's, as introspection would tell of it (RFC 7662 §2.2). */
export interface FoundToken {
  readonly claims: Readonly<Record<string, unknown>>;
  /** The person's account; none of a client that acts for itself. */
  readonly accountId: string | undefined;
}

/** The provider's access tokens, for routes in the same process. */
export interface AccessTokens {
  /** The opaque token with this value, if it still counts. */
  find(value: string, ctx: KoaContext): Promise<FoundToken | undefined>;
  /** The account behind a `sub` that a client knows; undefined where only the host could tell. */
  accountOf(clientId: string, subject: string): Promise<string | undefined>;
  /** The `sub` by which a client knows each of these accounts; undefined where there is no such client, or only the host could tell. */
  subjectsOf(clientId: string, accountIds: readonly string[]): Promise<readonly string[] | undefined>;
  /** What a client may ask of a resource server as it is registered now, whatever its tokens say, for a request; undefined where there is no such client. */
  grantsOf(clientId: string, indicator: string, ctx: KoaContext): Promise<readonly string[] | undefined>;
  /** Finds what a JWT of the provider's is verified by. */
  readonly key: JWTVerifyGetKey;
  /** Whether a DPoP proof is new, by the provider's own record of them; `until` in milliseconds since the epoch. */
  firstUse(proof: { clientId: string; thumbprint: string; jti: string; until: number }): Promise<boolean>;
}

/** What the provider was configured with, and does not show. */
export type Configured = Pick<Configuration, 'jwks' | 'pairwiseIdentifier'>;

export function createAccessTokens({ issuer, provider, configured, subjects }: {
  issuer: string;
  provider: Provider;
  configured: Configured;
  subjects: Subjects | undefined;
}): AccessTokens {
  /** As introspection does it: what the library makes of its own default cannot be asked for. */
  async function subjectOf(ctx: KoaContext, accountId: string, client: Client): Promise<string | undefined> {
    if (client.subjectType !== 'pairwise') return accountId;
    return configured.pairwiseIdentifier?.(ctx as unknown as KoaContextWithOIDC, accountId, client);
  }

  /** The client whose token a request has shown: who asks about it next within the request need not look again. */
  const shown = new WeakMap<KoaContext, Client>();

  async function clientOf(clientId: string, ctx: KoaContext): Promise<Client | undefined> {
    const known = shown.get(ctx);
    if (known?.clientId === clientId) return known;
    const client = await provider.Client.find(clientId);
    if (client) shown.set(ctx, client);
    return client;
  }

  /** A token without the grant that it rests on is worth nothing. */
  async function rests({ grantId, clientId, accountId }: { grantId: string; clientId?: string | undefined; accountId: string }): Promise<boolean> {
    const grant = await provider.Grant.find(grantId);
    return grant !== undefined && !grant.isExpired && grant.clientId === clientId && grant.accountId === accountId;
  }

  return {
    async find(value, ctx) {
      const [ofPerson, ofClient] = await Promise.all([provider.AccessToken.find(value), provider.ClientCredentials.find(value)]);
      const token = ofPerson ?? ofClient;
      const client = token?.isValid && token.clientId ? await clientOf(token.clientId, ctx) : undefined;
      if (!token || !client || (ofPerson && !(await rests(ofPerson)))) return undefined;
      const { exp, iat, aud, scope, jkt } = token;
      const bound = token.isSenderConstrained() && { cnf: { ...(token['x5t#S256'] && { 'x5t#S256': token['x5t#S256'] }), ...(jkt && { jkt }) } };
      const sub = ofPerson && (await subjectOf(ctx, ofPerson.accountId, client));
      return {
        claims: { ...token.extra, ...(sub !== undefined && { sub }), client_id: client.clientId, iss: issuer, exp, iat, aud, scope, token_type: token.tokenType, ...bound },
        accountId: ofPerson?.accountId,
      };
    },

    async accountOf(clientId, subject) {
      const client = subject === clientId ? undefined : await provider.Client.find(clientId);
      if (!client) return undefined;
      return client.subjectType === 'pairwise' ? subjects?.accountOf(sectorOf(client), subject) : subject;
    },

    async subjectsOf(clientId, accountIds) {
      const client = await provider.Client.find(clientId);
      if (!client || client.subjectType !== 'pairwise') return client && accountIds;
      return subjects && Promise.all(accountIds.map((accountId) => subjects.of(sectorOf(client), accountId)));
    },

    async grantsOf(clientId, indicator, ctx) {
      const client = await clientOf(clientId, ctx);
      const scopes = (client?.tandem_resources as Record<string, unknown> | undefined)?.[indicator];
      return client && (Array.isArray(scopes) ? scopes.filter((scope): scope is string => typeof scope === 'string') : []);
    },

    key: createLocalJWKSet({ keys: (configured.jwks?.keys ?? []).map((key) => publicPart(key as JWK)) }),

    async firstUse({ clientId, jti, until }) {
      try {
        return await (provider.ReplayDetection as unknown as ReplayDetection).unique(clientId, jti, Math.ceil(until / 1000));
      } catch (error) {
        // Of two at once, our adapter lets one in.
        if (error instanceof errors.InvalidRequest) return false;
        throw error;
      }
    },
  };
}

interface ReplayDetection {
  unique(iss: string, jti: string, exp: number): Promise<boolean>;
}

const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use', 'kid'] as const;

function publicPart(key: JWK): JWK {
  return Object.fromEntries(PUBLIC_MEMBERS.flatMap((name) => (key[name] === undefined ? [] : [[name, key[name]]]))) as unknown as JWK;
}
