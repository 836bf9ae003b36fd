import type { Client } from 'oidc-provider';
import { grantableScopes, type Resources } from './resources.ts';

/** How strong a sign-in must be: 1 for any, 2 for two factors. */
export type Level = 1 | 2;

/** Who may demand a level beside the request itself: the site, the client, and the scopes. */
export interface Levels {
  readonly site: Level;
  readonly resources: Resources;
}

export const isLevel = (value: unknown): value is Level => value === 1 || value === 2;

/**
 * The level that site, client and scopes demand of a request, whatever it asks for itself. A scope demands it where the
 * request could be given it: it names the resource, and the client may ask for it there.
 */
export function demandedLevel({ site, resources }: Levels, client: Client, params: Readonly<Record<string, unknown>>): Level {
  if (site === 2 || client.tandem_level === 2) return 2;
  const asked = new Set(typeof params['scope'] === 'string' ? params['scope'].split(' ') : []);
  const indicators = [params['resource'] ?? []].flat().filter((each): each is string => typeof each === 'string');
  const strong = indicators.some((indicator) => {
    const resource = Object.hasOwn(resources, indicator) ? resources[indicator] : undefined;
    return resource && grantableScopes(client, indicator, resource).some((scope) => asked.has(scope) && levelOf(resource.scopes[scope]) === 2);
  });
  return strong ? 2 : 1;
}

const levelOf = (scope: Resources[string]['scopes'][string] | undefined): Level => (typeof scope === 'object' && scope.level === 2 ? 2 : 1);
