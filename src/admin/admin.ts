import type { AuditService } from '../audit/audit.ts';
import type { ClientRegistry } from '../clients/types.ts';
import type { Context } from '../context.ts';
import type { KeysService } from '../keys/service.ts';
import type { InitialAccessTokens } from '../registration/types.ts';
import type { ResourceRegistry } from '../resources/types.ts';
import { createAdminAccounts, type AdminAccountsParts } from './accounts/accounts.ts';
import { createApply } from './apply/apply.ts';
import type { AdminService } from './types.ts';

export interface AdminParts extends AdminAccountsParts {
  readonly clients: ClientRegistry;
  readonly resources: ResourceRegistry;
  readonly registrationTokens: InitialAccessTokens;
  readonly keys: Omit<KeysService, 'load'>;
  readonly audit: AuditService;
}

/** Creates the one service beneath the admin API, the admin pages and the command line. */
export function createAdmin(context: Pick<Context, 'db'>, { clients, resources, registrationTokens, keys, audit, ...parts }: AdminParts): AdminService {
  return {
    clients,
    resources,
    registrationTokens,
    accounts: createAdminAccounts(context, parts),
    keys,
    audit,
    isAdmin: (accountId) => parts.roles.isAdmin(accountId),
    apply: createApply({ clients, resources }),
  };
}
