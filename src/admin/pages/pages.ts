import type Router from '@koa/router';
import type { AccountItem } from '../../accounts/items.ts';
import { clientChanges } from './clients/changes.ts';
import { clientPages } from './clients/client.ts';
import { clientCreation } from './clients/creation.ts';
import { clientCredentials } from './clients/credentials.ts';
import { clientList } from './clients/listing.ts';
import { createDesk, type AdminPagesRooms } from './desk.ts';
import { adminItem, overviewPage } from './overview.ts';
import { registrationTokenPages } from './registration-tokens.ts';
import { resourcePages } from './resources/resources.ts';
import { scopePages } from './resources/scopes.ts';

export type { AdminPagesRooms };

/**
 * Registers the admin pages under `/admin`: for accounts that may administer and have signed in with two factors. To all others there is nothing there.
 *
 * @returns what stands of them on the account's page
 * @example
 * adminPages(router, { issuer, admin, gate: oidc.gate, secondFactors, views: http.views, home, registration: true });
 */
export function adminPages(router: Router, rooms: AdminPagesRooms): { item: AccountItem } {
  const desk = createDesk(router, rooms);
  overviewPage(desk);
  clientList(desk);
  // Before the pages of a client: its path looks like that of one.
  clientCreation(desk);
  clientPages(desk);
  clientChanges(desk);
  clientCredentials(desk);
  resourcePages(desk);
  scopePages(desk);
  if (rooms.registration) registrationTokenPages(desk);
  return { item: adminItem(desk) };
}
