import type { AdapterConstructor, AdapterFactory, Client, ClientMetadata, Configuration, FindAccount, JWKS, KoaContextWithOIDC } from 'oidc-provider';
import type { Clients } from '../../clients/types.ts';
import type { Log } from '../../lib/log.ts';
import { BUILT_IN_CLIENT, builtInClient } from '../built-in-client.ts';
import type { GrantLoader } from '../grants.ts';
import type { ProviderPages } from '../pages.ts';
import type { SecondFactors } from '../sign-in/sign-in.ts';
import { OPAQUE_SECTOR, sectorUri } from '../subjects/subjects.ts';
import { withinAttributes } from './attributes.ts';
import { assertAcrClaims } from './claims-parameter.ts';
import { CLAIMS, SETTINGS, TTL, introspectionAllowed, revocationAllowed, whereClientExists } from './defaults.ts';
import type { Levels } from './levels.ts';
import { CLIENT_METADATA, INFORMATION, validateClientMetadata } from './metadata.ts';
import { withHostedKeys } from './outgoing.ts';
import { createPolicy } from './policy.ts';
import { refuseOwnRegistration, type RegistrationParts } from './registration.ts';
import { resourceIndicators, type ResourceServers } from './resources.ts';
import { createTokenClaims } from './token-claims.ts';

/** What Tandem puts into a provider's configuration. */
export interface ConfigurationParts {
  readonly issuer: string;
  readonly log: Log;
  readonly pages: ProviderPages;
  readonly resources: ResourceServers;
  readonly levels: Levels;
  readonly secondFactors: SecondFactors;
  readonly loadExistingGrant: GrantLoader;
  /** Read when it is needed, so that a host with keys of its own needs none of ours. */
  readonly keys: () => { readonly jwks: JWKS; readonly cookieKeys: string[] };
  readonly dpopNonceSecret: Buffer;
  readonly adapter: AdapterConstructor | AdapterFactory;
  /** The clients in the database, where their registry is on. */
  readonly clients?: Pick<Clients, 'adapter' | 'jwks'> | undefined;
  /** Clients that register themselves, where they may. */
  readonly registration?: RegistrationParts | undefined;
  /** Tandem's own accounts, where they are on: then subjects are pairwise, too. */
  readonly accounts?: {
    readonly findAccount: FindAccount;
    readonly pairwiseIdentifier: (ctx: KoaContextWithOIDC, accountId: string, client: Client) => Promise<string>;
  } | undefined;
}

/** All that the library reads at the top level; anything else it ignores without a word. */
const KNOWN_KEYS: ReadonlySet<string> = new Set<keyof Configuration>([
  'acrValues', 'adapter', 'allowOmittingSingleRegisteredRedirectUri', 'acceptQueryParamAccessTokens', 'assertJwtClientAuthClaimsAndHeader',
  'claims', 'clientAuthMethods', 'clientBasedCORS', 'clientDefaults', 'clients', 'clockTolerance', 'conformIdTokenClaims', 'cookies',
  'discovery', 'enableHttpPostMethods', 'enabledJWA', 'expiresWithSession', 'extraClientMetadata', 'extraParams', 'extraTokenClaims',
  'features', 'fetch', 'fetchResponseBodyLimits', 'findAccount', 'formats', 'interactions', 'issueRefreshToken', 'jwks',
  'loadExistingGrant', 'pairwiseIdentifier', 'pkce', 'renderError', 'responseTypes', 'revokeGrantPolicy', 'rotateRefreshToken', 'routes',
  'scopes', 'sectorIdentifierUriValidate', 'subjectTypes', 'ttl',
]);

type Features = NonNullable<Configuration['features']>;

/**
 * Merges Tandem into a host's configuration. Pure: neither is changed, and the same input gives the same output.
 * A host's own values go before our defaults; where both cannot be had, it throws and names the key.
 *
 * @throws TypeError naming the key of the host's configuration that clashes
 */
export function mergeConfiguration(parts: ConfigurationParts, host: Configuration = {}): Configuration {
  refuseClashes(parts, host);
  for (const key of Object.keys(host)) if (!KNOWN_KEYS.has(key)) parts.log.warn({ key }, 'oidc-provider has no such setting, and ignores it');
  const { issuer, accounts, pages } = parts;
  const claims = mergeClaims(host.claims);
  const scopes = new Set([...SETTINGS.scopes, ...(host.scopes ?? [])]);
  const staticScopes = new Set([...scopes, ...Object.entries(claims).filter(([, value]) => value !== null).map(([name]) => name)]);
  const features = mergeFeatures(parts, host.features ?? {}, staticScopes);

  return {
    ...SETTINGS,
    renderError: pages.renderError,
    ...defined(host),
    acrValues: union(SETTINGS.acrValues, host.acrValues),
    // The account pages sign in without tokens.
    responseTypes: [...union(host.responseTypes ?? SETTINGS.responseTypes, ['none'])] as NonNullable<Configuration['responseTypes']>,
    scopes: [...scopes],
    claims,
    features,
    adapter: adapterOf(parts, host.adapter),
    ...(parts.clients && { fetch: withHostedKeys(issuer, parts.clients, host.fetch ?? SETTINGS.fetch) }),
    jwks: host.jwks ?? parts.keys().jwks,
    cookies: mergeCookies(parts, host.cookies),
    clientDefaults: { ...(host.jwks ? {} : { id_token_signed_response_alg: 'ES256' as const }), ...host.clientDefaults },
    clients: [...(host.clients ?? []), builtInClient(issuer, host.jwks)].map((client) => (accounts ? withSector(client) : client)),
    discovery: { ...SETTINGS.discovery, ...host.discovery },
    extraClientMetadata: {
      properties: [...new Set([...CLIENT_METADATA, ...INFORMATION, ...(host.extraClientMetadata?.properties ?? [])])],
      validator(ctx, key, value, metadata) {
        validateClientMetadata(key, value, metadata, { cleartext: !accounts, hashed: parts.clients !== undefined, self: selfOf(parts, ctx, metadata, features) });
        return host.extraClientMetadata?.validator?.(ctx, key, value, metadata);
      },
    },
    extraTokenClaims: createTokenClaims(parts.log, host.extraTokenClaims),
    interactions: {
      url: (_ctx, interaction) => `${issuer}/interaction/${interaction.uid}`,
      ...defined(host.interactions ?? {}),
      policy: createPolicy(parts, host.interactions?.policy),
    },
    loadExistingGrant: parts.loadExistingGrant(host.loadExistingGrant),
    pkce: { ...SETTINGS.pkce, ...host.pkce },
    ttl: { ...TTL, ...host.ttl },
    ...(host.findAccount && { findAccount: withinAttributes(host.findAccount) }),
    ...(accounts && {
      findAccount: withinAttributes(accounts.findAccount),
      subjectTypes: ['pairwise'],
      pairwiseIdentifier: accounts.pairwiseIdentifier,
      sectorIdentifierUriValidate: (client: Client) =>
        !client.sectorIdentifierUri?.startsWith(OPAQUE_SECTOR) && (host.sectorIdentifierUriValidate?.(client) ?? true),
    }),
  };
}

/** Where no merging helps: two owners of one thing. */
function refuseClashes({ accounts, registration }: ConfigurationParts, host: Configuration): void {
  refuseOwnRegistration(registration, host.features);
  const clash = (key: string, why: string) => {
    throw new TypeError(`configure: ${key} clashes with Tandem: ${why}`);
  };
  if (accounts) {
    for (const key of ['findAccount', 'pairwiseIdentifier', 'subjectTypes'] as const) {
      if (host[key] !== undefined) clash(key, 'the feature accounts() brings its own; leave one of the two out');
    }
  }
  if (host.features?.devInteractions?.enabled) clash('features.devInteractions', 'its pages take the place of the sign-in page');
  if (host.clients?.some(({ client_id: id }) => id === BUILT_IN_CLIENT)) clash('clients', `the client id ${BUILT_IN_CLIENT} is that of the account pages`);
  if (host.features?.claimsParameter?.enabled === false) clash('features.claimsParameter', 'essential acr is asked for by the claims parameter');
  for (const property of host.extraClientMetadata?.properties ?? []) {
    if (CLIENT_METADATA.includes(property)) clash(`extraClientMetadata.properties`, `${property} is a property of Tandem`);
  }
}

function mergeFeatures(parts: ConfigurationParts, host: Features, staticScopes: ReadonlySet<string>): Features {
  const { pages } = parts;
  const ours = {
    devInteractions: { enabled: false },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: parts.dpopNonceSecret, requireNonce: () => false },
    encryption: { enabled: false },
    introspection: { enabled: true, allowedPolicy: introspectionAllowed },
    pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: resourceIndicators(parts.resources, staticScopes),
    revocation: { enabled: true, allowedPolicy: revocationAllowed },
    rpInitiatedLogout: { enabled: true, logoutSource: pages.logoutSource, postLogoutSuccessSource: pages.postLogoutSuccessSource },
    userinfo: { enabled: true },
    ...parts.registration?.features,
  } as Features;
  const merged: Record<string, unknown> = { ...ours };
  for (const [name, settings] of Object.entries(host)) {
    const own = merged[name] as object | undefined;
    merged[name] = settings === undefined ? own : { ...own, ...settings };
  }
  if (parts.clients) {
    const { allowedPolicy } = merged['introspection'] as { allowedPolicy: Parameters<typeof whereClientExists>[0] };
    merged['introspection'] = { ...(merged['introspection'] as object), allowedPolicy: whereClientExists(allowedPolicy) };
  }
  const hostCheck = host.claimsParameter?.assertClaimsParameter;
  merged['claimsParameter'] = {
    enabled: true,
    async assertClaimsParameter(...args: Parameters<typeof assertAcrClaims>) {
      assertAcrClaims(...args);
      await hostCheck?.(...args);
    },
  };
  return merged as Features;
}

/** A host's storage, or ours; with clients in their registry where that is on. */
function adapterOf({ clients, registration, adapter: ours }: ConfigurationParts, host: Configuration['adapter']): NonNullable<Configuration['adapter']> {
  const others = host ?? ours;
  if (!clients) return others;
  const withClients = clients.adapter(factoryOf(others));
  return registration?.adapter(withClients) ?? withClients;
}

/** The library makes an object of whatever has a prototype, and calls the rest. */
function factoryOf(adapter: AdapterConstructor | AdapterFactory): AdapterFactory {
  return adapter.prototype ? (name) => new (adapter as AdapterConstructor)(name) : (adapter as AdapterFactory);
}

/** Only a registration comes with a request; a metadata document is told by its URL, which is the client's id. */
function selfOf({ registration }: ConfigurationParts, ctx: KoaContextWithOIDC | undefined, { client_id: id }: ClientMetadata, features: Features) {
  if (ctx && registration) return { given: registration.given(ctx) };
  if (ctx) return { given: ctx.oidc.route === 'client_update' ? (ctx.oidc.client ?? {}) : {} };
  return features.clientIdMetadataDocument?.enabled && id?.startsWith('https://') ? { given: {} } : undefined;
}

/** Secure by the issuer, not by the connection, which ends at a proxy. */
function mergeCookies({ issuer, keys }: ConfigurationParts, host: Configuration['cookies'] = {}): NonNullable<Configuration['cookies']> {
  const secure = issuer.startsWith('https:');
  const given = host.keys !== undefined && !(Array.isArray(host.keys) && host.keys.length === 0);
  return {
    names: { session: '_session', interaction: '_interaction', resume: '_interaction_resume', ...defined(host.names ?? {}) },
    long: { httpOnly: true, sameSite: 'lax', secure, signed: true, ...host.long },
    short: { httpOnly: true, sameSite: 'lax', secure, signed: true, ...host.short },
    keys: given ? host.keys : keys().cookieKeys,
  };
}

function mergeClaims(host: Configuration['claims'] = {}): NonNullable<Configuration['claims']> {
  const names = (value: unknown) => (Array.isArray(value) ? (value as string[]) : Object.keys(value ?? {}));
  return { ...CLAIMS, ...host, openid: [...union(names(CLAIMS['openid']), names(host['openid']))] };
}

function withSector(client: ClientMetadata): ClientMetadata {
  return client.sector_identifier_uri ? client : { ...client, sector_identifier_uri: sectorUri(client.client_id) };
}

const union = (a: Iterable<string>, b: Iterable<string> = []): string[] => [...new Set([...a, ...b])];

/** Without members that are undefined: they would hide our defaults. */
function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Partial<T>;
}
