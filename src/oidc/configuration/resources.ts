import { errors, type Client, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider';
import { ACR, satisfies } from '../acr.ts';
import { grantedBy } from './token-claims.ts';

/** Plain words by language (BCP 47), such as `{ en: 'Read your notes', de: 'Ihre Notizen lesen' }`. */
export type ScopeWords = Readonly<Record<string, string>>;

/** What signs JWT access tokens. */
export type SigningAlgorithm = 'ES256' | 'RS256' | 'PS256' | 'EdDSA';

/** A scope that is more than its words. */
export interface ScopeOptions {
  /** What it lets a client do, in plain words; by language where there are several. */
  readonly description: string | ScopeWords;
  /** 2 where it is given only to people who signed in with two factors (`acr` `urn:tandem:acr:2`); default: 1. */
  readonly level?: 1 | 2;
}

/** A resource server that access tokens can be made for (RFC 8707), by its resource indicator. */
export interface Resource {
  /** All scopes that it knows, with what each lets a client do, in plain words; or with those words and the level that it takes. */
  readonly scopes: Readonly<Record<string, string | ScopeOptions>>;
  /** `opaque` can be revoked and introspected at once; `jwt` (RFC 9068) is for servers that cannot ask. Default: `opaque`. */
  readonly format?: 'opaque' | 'jwt';
  /** Seconds; default: 3600, and 300 for a JWT, which nothing can take back. */
  readonly ttl?: number;
  /** Default: the resource indicator. */
  readonly audience?: string;
  /** What signs its JWTs; by default the provider's own for access tokens. */
  readonly algorithm?: SigningAlgorithm;
}

/**
 * The resource servers that access tokens can be made for, by resource indicator (RFC 8707 §2). A client may ask only of
 * those that its metadata `tandem_resources` names.
 *
 * @example
 * const resources: Resources = {
 *   'https://api.example.com': {
 *     scopes: { read: 'Read your documents', pay: { description: 'Pay in your name', level: 2 } },
 *   },
 * };
 */
export type Resources = Readonly<Record<string, Resource>>;

/** The resource servers as they are now. */
export interface ResourceServers {
  find(indicator: string): Promise<Resource | undefined>;
  all(): Promise<Resources>;
}

/** Resource servers that stay as they are. */
export function fixedResources(resources: Resources): ResourceServers {
  return {
    find: async (indicator) => (Object.hasOwn(resources, indicator) ? resources[indicator] : undefined),
    all: async () => resources,
  };
}

/** Seconds that an access token lasts where nobody said otherwise: nothing can take a JWT back. */
export const usualTtl = (format: 'opaque' | 'jwt'): number => (format === 'jwt' ? 300 : 3600);

/** What a client may ask of each resource server: its metadata `tandem_resources`, default nothing. */
export function grantableScopes(client: Client, indicator: string, resource: Resource): string[] {
  const allowed = (client.tandem_resources as Record<string, unknown> | undefined)?.[indicator];
  if (!Array.isArray(allowed)) return [];
  return allowed.filter((scope): scope is string => typeof scope === 'string' && Object.hasOwn(resource.scopes, scope));
}

/** 2 where a scope is given only to people who signed in with two factors. */
export const levelOf = (scope: string | ScopeOptions | undefined): 1 | 2 => (typeof scope === 'object' && scope.level === 2 ? 2 : 1);

/**
 * The scopes that the sign-in behind a token request is strong enough for. The authorization request asks for a stronger one by itself; what was
 * granted before a scope's level was raised is given no more, by refresh either.
 */
function withinLevel(ctx: KoaContextWithOIDC, resource: Resource, scopes: readonly string[]): readonly string[] {
  const source = ctx.oidc.route === 'token' ? grantedBy(ctx) : undefined;
  // A token may carry a weaker class than that of its sign-in, where its client asked for that.
  if (!source || satisfies(source.acr, ACR.two) || source.amr?.includes('mfa')) return scopes;
  return scopes.filter((scope) => levelOf(resource.scopes[scope]) === 1);
}

const asked = (ctx: KoaContextWithOIDC) => [...ctx.oidc.requestParamScopes];
const isClientCredentials = (ctx: KoaContextWithOIDC) =>
  ctx.oidc.route === 'token' && ctx.oidc.params?.grant_type === 'client_credentials';

/** The resource indicators feature: per client default deny, and no scope of client credentials silently dropped. */
export function resourceIndicators(resources: ResourceServers, staticScopes: ReadonlySet<string>) {
  return {
    enabled: true,
    async getResourceServerInfo(ctx: KoaContextWithOIDC, indicator: string, client: Client): Promise<ResourceServer> {
      const resource = await resources.find(indicator);
      const scopes = resource && grantableScopes(client, indicator, resource);
      if (!scopes?.length) throw new errors.InvalidTarget('the client may not ask for this resource');
      if (isClientCredentials(ctx)) refuse(asked(ctx).filter((scope) => !scopes.includes(scope)));
      const format = resource?.format ?? 'opaque';
      return {
        scope: withinLevel(ctx, resource!, scopes).join(' '),
        audience: resource?.audience ?? indicator,
        accessTokenFormat: format,
        accessTokenTTL: resource?.ttl ?? usualTtl(format),
        ...(format === 'jwt' && resource?.algorithm && { jwt: { sign: { alg: resource.algorithm } } }),
      };
    },
    defaultResource(ctx: KoaContextWithOIDC, client: Client, oneOf?: readonly string[] | string) {
      // A token without a resource has only the provider's own scopes, and those are a person's to give.
      if (oneOf === undefined && isClientCredentials(ctx)) {
        const granted = new Set(client.scope?.split(' ') ?? []);
        refuse(asked(ctx).filter((scope) => !granted.has(scope) || !staticScopes.has(scope)));
      }
      return oneOf as string | string[] | undefined as string;
    },
    useGrantedResource: () => false,
  };
}

function refuse(scopes: readonly string[]): void {
  if (scopes.length) throw new errors.InvalidScope('requested scope is unknown or not granted to the client', scopes.join(' '));
}

/**
 * The words of a scope, for a reader of `language`: of each of the resource servers `asked` that knows it, or of any where none of those does.
 *
 * @param language BCP 47; English where there are no words in it
 * @param asked resource indicators
 * @returns none where no resource server knows the scope
 */
export async function describeScope(resources: ResourceServers, scope: string, language: string, asked: readonly string[] = []): Promise<string[]> {
  const known = (resource: Resource | undefined) => (resource && Object.hasOwn(resource.scopes, scope) ? [wordsIn(resource.scopes[scope]!, language)] : []);
  const words = (await Promise.all(asked.map((indicator) => resources.find(indicator)))).flatMap(known);
  if (words.length) return [...new Set(words)];
  return Object.values(await resources.all()).flatMap(known).slice(0, 1);
}

/** The words in a language: of its region, or of another; English where there are none, as everybody gives these. */
function wordsIn(scope: string | ScopeOptions, language: string): string {
  const words = typeof scope === 'string' ? scope : scope.description;
  if (typeof words === 'string') return words;
  const primary = (tag: string) => tag.split('-', 1)[0]!.toLowerCase();
  const tags = Object.keys(words);
  const tag = tags.find((each) => each.toLowerCase() === language.toLowerCase()) ?? tags.find((each) => primary(each) === primary(language));
  return words[tag ?? 'en'] ?? Object.values(words)[0] ?? '';
}

/** @throws TypeError naming the resource and the scope whose words or level are none */
export function checkResources(resources: Resources): void {
  for (const [indicator, { scopes }] of Object.entries(resources)) {
    for (const [scope, value] of Object.entries(scopes)) checkScope(`resources[${JSON.stringify(indicator)}].scopes[${JSON.stringify(scope)}]`, value);
  }
}

function checkScope(where: string, value: unknown): void {
  if (typeof value === 'string') return;
  if (typeof value !== 'object' || value === null) throw new TypeError(`tandem: ${where} must be words, or { description, level }`);
  const { description, level = 1, ...others } = value as Record<string, unknown>;
  if (typeof description !== 'string' && !areWords(description)) throw new TypeError(`tandem: ${where}.description must be a string, or strings by language with en among them`);
  if (level !== 1 && level !== 2) throw new TypeError(`tandem: ${where}.level must be 1 or 2`);
  const [other] = Object.keys(others);
  if (other !== undefined) throw new TypeError(`tandem: there is no ${where}.${other}; there are description and level`);
}

const areWords = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, 'en') && Object.values(value).every((words) => typeof words === 'string' && words !== '');
