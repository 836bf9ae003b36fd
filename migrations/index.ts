import type { Migration } from '../src/lib/database/migrate.ts';
import { oidc } from './001_oidc.ts';
import { keys } from './002_keys.ts';
import { accounts } from './003_accounts.ts';
import { devices } from './004_devices.ts';
import { qr } from './005_qr.ts';
import { limits } from './006_limits.ts';
import { subjects } from './007_subjects.ts';
import { audit } from './008_audit.ts';
import { signIns } from './009_sign_ins.ts';
import { browserTrust } from './010_browser_trust.ts';
import { notices } from './011_notices.ts';
import { totp } from './012_totp.ts';
import { recovery } from './013_recovery.ts';
import { twoCall } from './014_two_call.ts';
import { resources } from './015_resources.ts';
import { clients } from './016_clients.ts';
import { registration } from './017_registration.ts';
import { managedAccounts } from './018_managed_accounts.ts';
import { roles } from './019_roles.ts';

/** Every migration, in the order of its name. Each room adds its own. */
export const migrations: readonly Migration[] = [oidc, keys, accounts, devices, qr, limits, subjects, audit, signIns, browserTrust, notices, totp, recovery, twoCall, resources, clients, registration, managedAccounts, roles];
