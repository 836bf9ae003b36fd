import { ACCOUNT_SCOPES } from '../../accounts/api/scopes.ts';
import { ADMIN_SCOPES } from '../../admin/api/scopes.ts';
import { ENROLMENT_SCOPES } from '../../devices/api/scopes.ts';
import { apiOf } from '../../lib/own-api.ts';
import type { Resources, ScopeWords } from '../../oidc/configuration/resources.ts';
import { TWO_CALL_SCOPES } from '../../totp/two-call/scopes.ts';
import type { Features } from '../frame.ts';
import type { TandemOptions } from '../options.ts';

/** The scopes of the provider's own API, of the rooms that are on. */
function scopesOf(features: Features): Readonly<Record<string, ScopeWords>> {
  return {
    ...(features.accounts && features.totp && TWO_CALL_SCOPES),
    ...(features.enrolment && features.accounts && ACCOUNT_SCOPES),
    ...(features.enrolment && features.qr && ENROLMENT_SCOPES),
    ...(features.admin && ADMIN_SCOPES),
  };
}

/**
 * Adds the provider's own API to the resource servers of the host, where something of it is on.
 *
 * @throws TypeError where the host has a resource server of this name
 */
export function withOwnApi({ resources = {}, api = {} }: Pick<TandemOptions, 'resources' | 'api'>, features: Features, issuer: string): Resources {
  const [indicator, scopes] = [apiOf(issuer), scopesOf(features)];
  if (Object.keys(scopes).length === 0) return resources;
  if (Object.hasOwn(resources, indicator)) throw new TypeError(`tandem: resources clashes with Tandem: ${indicator} is its own API`);
  const described = Object.entries(scopes).map(([scope, description]) => [scope, { description }] as const);
  return { ...resources, [indicator]: { scopes: Object.fromEntries(described), format: api.format ?? 'opaque' } };
}
