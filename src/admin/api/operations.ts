import type { Api } from '../../lib/http/operation.ts';
import type { AdminService } from '../types.ts';
import { accountOperations, managedAccountOperations } from './accounts.ts';
import { clientOperations } from './clients.ts';
import { credentialOperations } from './credentials.ts';
import { installationOperations } from './installation.ts';
import { registrationTokenOperations } from './registration-tokens.ts';
import { resourceServerOperations } from './resource-servers.ts';

/** The admin API: an operation for each thing that administrators do, with a scope of its own. */
export function adminOperations(api: Api, admin: AdminService, { registration, managedAccounts }: { registration: boolean; managedAccounts: boolean }): void {
  clientOperations(api, admin);
  credentialOperations(api, admin);
  if (managedAccounts) managedAccountOperations(api, admin);
  resourceServerOperations(api, admin);
  if (registration) registrationTokenOperations(api, admin);
  accountOperations(api, admin);
  installationOperations(api, admin);
}
