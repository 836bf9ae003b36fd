import type { Middleware } from 'koa';
import type { Context } from '../context.ts';
import type { AccessTokens } from '../oidc/access-tokens.ts';
import type { Resources } from '../oidc/configuration/resources.ts';
import { createGuard, type GuardedState, type Requirements } from './guard.ts';
import { checkRequirements, checkUrl } from './options.ts';
import { targetOf } from './request.ts';
import { verifyJwt } from './tokens/jwt.ts';
import type { TokenSource } from './tokens/token.ts';

export interface OwnRouteOptions extends Requirements {
  /** One of `tandem({ resources })`, by its resource indicator. */
  readonly resource: string;
  /** Where callers reach this route's app, if not below the issuer; DPoP proofs are made for it. */
  readonly origin?: string;
}

/** Makes the guards of routes in the provider's own process. */
export type ProtectOwn = (options: OwnRouteOptions) => Middleware<GuardedState>;

/** As the guard over the wire, with the same core, where the attached provider answers without HTTP. */
export function createProtect({ issuer, clock }: Pick<Context, 'issuer' | 'clock'>, tokens: AccessTokens, resources: Resources): ProtectOwn {
  const source = createLocalSource({ issuer, clock }, tokens);

  return (options) => {
    checkRequirements(options, ['resource', 'origin']);
    const { resource: indicator, origin, ...requirements } = options;
    const resource = Object.hasOwn(resources, indicator) ? resources[indicator] : undefined;
    if (!resource) throw new TypeError(`protect: there is no resource ${JSON.stringify(indicator)} among those of tandem({ resources })`);
    const elsewhere = origin === undefined ? undefined : checkUrl('origin', origin);
    return createGuard({
      ...requirements,
      source,
      clock,
      audience: resource.audience ?? indicator,
      // Mounted, the path has lost what the issuer has; so it has behind a proxy that takes it away.
      urlOf: (ctx) => (elsewhere === undefined ? targetOf(issuer, ctx.url) : targetOf(elsewhere, ctx.originalUrl)),
    });
  };
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
