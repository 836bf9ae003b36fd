import type { Logger } from 'pino';
import { AppError, newEncryptionKey, type Actor, type Tandem } from '../index.ts';

/** An account of the first start; its password is known then, and never again. */
export interface FirstAccount {
  readonly email: string;
  readonly password: string | undefined;
}

const DEMO_EMAIL = 'demo@example.com';
const ADMINISTRATOR_EMAIL = 'admin@example.com';
const PROGRAM: Actor = { kind: 'host', id: 'first start', authority: 'all' };

/** Makes the demo account on first start. */
export async function ensureDemoAccount({ accounts: service }: Tandem): Promise<FirstAccount> {
  const password = newEncryptionKey().slice(0, 16);
  const made = await unlessTaken(async () => service?.register({ email: DEMO_EMAIL, password, name: 'Demo Person' }));
  return { email: DEMO_EMAIL, password: made && password };
}

/**
 * Makes an administrator where there is none, unless somebody has taken the address: who registered it does not become one by that. In
 * production the operator does so, and the log says how.
 *
 * @returns undefined where the one of a first start is not, or no longer, an administrator
 */
export async function ensureAdministrator({ admin }: Tandem, { make, log }: { make: boolean; log: Logger }): Promise<FirstAccount | undefined> {
  if (!admin) return undefined;
  const { accounts } = await admin.accounts.list({ admin: true }, { limit: 1 });
  if (!make) {
    if (accounts.length === 0) log.warn({}, 'nobody is an administrator yet; tandem accounts create you@example.com --admin makes one');
    return undefined;
  }
  if (accounts.length === 0) {
    // Whoever sets up an installation has no other factor to vouch for a first phone, and waits a day for nothing.
    const made = await unlessTaken(() => admin.accounts.create({ email: ADMINISTRATOR_EMAIL, name: 'Administrator', admin: true, exempt: true }, PROGRAM));
    if (made) return { email: ADMINISTRATOR_EMAIL, password: made.password };
  }
  const { accounts: found } = await admin.accounts.list({ admin: true, search: ADMINISTRATOR_EMAIL });
  return found.some(({ email }) => email === ADMINISTRATOR_EMAIL) ? { email: ADMINISTRATOR_EMAIL, password: undefined } : undefined;
}

/** Undefined where the address has an account: of a start before, or of another process that starts now. */
async function unlessTaken<T>(make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof AppError && error.code === 'email_taken') return undefined;
    throw error;
  }
}
