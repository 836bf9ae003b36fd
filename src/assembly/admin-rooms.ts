import { createAdmin } from '../admin/admin.ts';
import { adminOperations } from '../admin/api/operations.ts';
import { adminPages } from '../admin/pages/pages.ts';
import type { AdminService } from '../admin/types.ts';
import type { AuditService } from '../audit/audit.ts';
import type { KeysService } from '../keys/service.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { ResetSecondFactor } from '../recovery/reset.ts';
import type { Frame } from './frame.ts';

/** What administrators do, where that is on. */
export function addAdmin(
  frame: Frame,
  { audit, keys, directory, reset }: {
    audit: AuditService;
    keys: Omit<KeysService, 'load'>;
    directory: AccountDirectory | undefined;
    reset: ResetSecondFactor | undefined;
  },
): AdminService | undefined {
  const { context, features, late, accounts, roles } = frame;
  if (!features.admin) return undefined;
  const admin = createAdmin(context, {
    clients: frame.clients!,
    resources: frame.registry!,
    registrationTokens: frame.registration!.tokens,
    roles,
    accounts,
    directory,
    devices: () => late.devices,
    authenticators: () => late.authenticators,
    resetSecondFactor: reset,
    managed: frame.managed,
    keys,
    audit,
  });
  const registration = features.admin.options.registration !== false;
  adminOperations(frame.api, admin, { registration, managedAccounts: frame.managed !== undefined });
  const pages = adminPages(frame.router, { issuer: context.issuer, admin, gate: frame.oidc.gate, secondFactors: frame.secondFactors, views: frame.http.views, home: frame.home, registration });
  frame.items.push(pages.item);
  return admin;
}

