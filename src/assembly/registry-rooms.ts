import { assertAuthority } from '../clients/changes.ts';
import { createClients } from '../clients/clients.ts';
import type { Clients } from '../clients/types.ts';
import type { Context } from '../context.ts';
import { apiOf } from '../lib/own-api.ts';
import { usualTtl, type Resources, type SigningAlgorithm } from '../oidc/configuration/resources.ts';
import { sectorUri } from '../oidc/subjects/subjects.ts';
import { createRegistration, type Registration } from '../registration/registration.ts';
import { createResources } from '../resources/resources.ts';
import type { ResourceRegistry, ScopeHolders } from '../resources/types.ts';
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

/** The clients in the database, where their registry is on. */
export function clientsOf(context: Context, { features, registry }: { features: Features; registry: ResourceRegistry | undefined }): Clients | undefined {
  if (!features.admin || !registry) return undefined;
  return createClients(context, {
    resources: registry,
    api: apiOf(context.issuer),
    sectorOf: features.accounts && sectorUri,
  });
}

/** Clients that register themselves, where the registry is on. */
export function registrationOf(context: Context, { features, registry }: { features: Features; registry: ResourceRegistry | undefined }): Registration | undefined {
  if (!features.admin || !registry) return undefined;
  return createRegistration(context, {
    enabled: features.admin.options.registration ?? true,
    resources: registry,
    assertAuthority: (actor, metadata) => assertAuthority(actor, apiOf(context.issuer), metadata),
    sectorOf: features.accounts && sectorUri,
  });
}
