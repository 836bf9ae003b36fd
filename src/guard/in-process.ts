import type { Middleware } from 'koa';
import type { Context } from '../context.ts';
import type { AccessTokens } from '../oidc/access-tokens.ts';
import type { Resources, ResourceServers } from '../oidc/configuration/resources.ts';
import { createGuard, type GuardedState, type Requirements } from './guard.ts';
import { checkRequirements, checkUrl } from './options.ts';
import { targetOf } from './request.ts';
import { verifyJwt } from './tokens/jwt.ts';
import type { TokenSource } from './tokens/token.ts';

export interface OwnRouteOptions extends Requirements {
  /** A resource server by its resource indicator: one of `tandem({ resources })`, or with the feature admin() one of the registry. */
  readonly resource: string;
  /** Where callers reach this route's app, if not below the issuer; DPoP proofs are made for it. */
  readonly origin?: string;
}

/** Makes the guards of routes in the provider's own process. */
export type ProtectOwn = (options: OwnRouteOptions) => Middleware<GuardedState>;

/**
 * As the guard over the wire, with the same core, where the attached provider answers without HTTP.
 *
 * @param known.fixed the resource servers that stay as they are
 * @param known.registry where further ones come and go
 */
export function createProtect(
  { issuer, clock }: Pick<Context, 'issuer' | 'clock'>,
  tokens: AccessTokens,
  { fixed, registry }: { fixed: Resources; registry: ResourceServers | undefined },
): ProtectOwn {
  const source = createLocalSource({ issuer, clock }, tokens);

  return (options) => {
    checkRequirements(options, ['resource', 'origin']);
    const { resource: indicator, origin, ...requirements } = options;
    const resource = Object.hasOwn(fixed, indicator) ? fixed[indicator] : undefined;
    if (!resource && !registry) throw new TypeError(`protect: there is no resource ${JSON.stringify(indicator)} among those of tandem({ resources })`);
    const elsewhere = origin === undefined ? undefined : checkUrl('origin', origin);
    return createGuard({
      ...requirements,
      source,
      clock,
      audience: resource ? (resource.audience ?? indicator) : () => audienceOf(registry!, indicator),
      // Mounted, the path has lost what the issuer has; so it has behind a proxy that takes it away.
      urlOf: (ctx) => (elsewhere === undefined ? targetOf(issuer, ctx.url) : targetOf(elsewhere, ctx.originalUrl)),
    });
  };
}

/** One that is not there now may be made later, and one that was there is gone with all tokens that were made for it. */
async function audienceOf(registry: ResourceServers, indicator: string): Promise<string | undefined> {
  const resource = await registry.find(indicator);
  return resource && (resource.audience ?? indicator);
}

function createLocalSource({ issuer, clock }: Pick<Context, 'issuer' | 'clock'>, tokens: AccessTokens): TokenSource {
  return {
    async readJwt(token) {
      const claims = await verifyJwt(token, { issuer, keys: tokens.key, clock });
      return { claims, accountId: await tokens.accountOf(String(claims['client_id']), String(claims['sub'])) };
    },
    lookUp: (token, ctx) => tokens.find(token, ctx),
    firstUse: (proof) => tokens.firstUse(proof),
  };
}
