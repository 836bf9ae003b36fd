import type { Context } from '../context.ts';
import { usualTtl, type Resources, type SigningAlgorithm } from '../oidc/configuration/resources.ts';
import { createResources } from '../resources/resources.ts';
import type { ResourceRegistry, ScopeHolders } from '../resources/types.ts';
import { apiOf } from '../totp/two-call/resource.ts';
import type { Features } from './frame.ts';
import type { TandemOptions } from './options.ts';

/** The registry of resource servers, where it is on. */
export function resourcesOf(
  context: Context,
  { features, theme, fixed, holders, algorithms }: {
    theme: TandemOptions['theme'] | undefined;
    features: Features;
    fixed: Resources;
    holders: () => ScopeHolders | undefined;
    algorithms: () => readonly SigningAlgorithm[];
  },
): ResourceRegistry | undefined {
  if (!features.admin) return undefined;
  const own = { identifier: apiOf(context.issuer), name: theme?.name ?? 'Tandem' };
  return createResources(context, { fixed, own, holders, defaults: { algorithms, ttl: usualTtl } });
}
