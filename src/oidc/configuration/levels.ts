import type { Client } from 'oidc-provider';
import { grantableScopes, levelOf, type ResourceServers } from './resources.ts';

/** How strong a sign-in must be: 1 for any, 2 for two factors. */
export type Level = 1 | 2;

/** Who may demand a level beside the request itself: the site, the client, and the scopes. */
export interface Levels {
  readonly site: Level;
  readonly resources: ResourceServers;
}

export const isLevel = (value: unknown): value is Level => value === 1 || value === 2;

/**
 * The level that site, client and scopes demand of a request, whatever it asks for itself. A scope demands it where the
 * request could be given it: it names the resource, and the client may ask for it there.
 */
export async function demandedLevel({ site, resources }: Levels, client: Client, params: Readonly<Record<string, unknown>>): Promise<Level> {
  if (site === 2 || client.tandem_level === 2) return 2;
  const asked = new Set(typeof params['scope'] === 'string' ? params['scope'].split(' ') : []);
  for (const indicator of resourcesAsked(params)) {
    const resource = await resources.find(indicator);
    if (resource && grantableScopes(client, indicator, resource).some((scope) => asked.has(scope) && levelOf(resource.scopes[scope]) === 2)) return 2;
  }
  return 1;
}

/** The resource indicators that a request names (RFC 8707 §2). */
export function resourcesAsked(params: Readonly<Record<string, unknown>>): string[] {
  return [params['resource'] ?? []].flat().filter((each): each is string => typeof each === 'string');
}
