import type { Migration } from '../src/lib/database/migrate.ts';
import { oidc } from './001_oidc.ts';
import { accounts } from './003_accounts.ts';
import { devices } from './004_devices.ts';

/** Every migration, in the order of its name. Each room adds its own. */
export const migrations: readonly Migration[] = [oidc, accounts, devices];
