import { assertAuthority } from '../clients/changes.ts';
import { createClients } from '../clients/clients.ts';
import type { Clients } from '../clients/types.ts';
import type { Context } from '../context.ts';
import { sectorUri } from '../oidc/subjects/subjects.ts';
import { createRegistration, type Registration } from '../registration/registration.ts';
import type { ResourceRegistry } from '../resources/types.ts';
import { apiOf } from '../totp/two-call/resource.ts';
import type { Features } from './frame.ts';

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
