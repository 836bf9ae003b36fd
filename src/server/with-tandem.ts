import { userInfo } from 'node:os';
import type { Actor, AdminService } from '../index.ts';
import type { openTandem } from './app.ts';
import { readClients } from './clients-file.ts';
import { readConfig } from './config.ts';
import { createLog } from './log.ts';

export type Opened = Awaited<ReturnType<typeof openTandem>> & { readonly issuer: string };

/** What the commands of the registry work with. */
export interface Registry {
  readonly admin: AdminService;
  /** Whoever runs this program. */
  readonly actor: Actor;
  readonly issuer: string;
}

/** Runs a command on the database of the settings, without a network. What is logged goes where it is not taken for the answer. */
export async function withTandem<T>(json: boolean, work: (opened: Opened) => Promise<T>): Promise<T> {
  const config = readConfig(process.env);
  // A program that reads standard error as JSON gets nothing there but JSON, and, unless it asks for more, the one error.
  const level = json && !process.env['LOG_LEVEL'] ? 'silent' : config.logLevel;
  const log = createLog({ level, production: json || config.production }, process.stderr);
  const { openTandem } = await import('./app.ts');
  const issuer = config.issuer ?? `http://localhost:${config.port}`;
  const opened = await openTandem(config, { issuer, log });
  try {
    return await work({ ...opened, issuer });
  } finally {
    await opened.close();
  }
}

/**
 * Runs a command as an administrator whom nobody asks for a sign-in: who has the database and its key has everything. No server need run; one that
 * does sees what changed at once.
 */
export async function withRegistry<T>(json: boolean, work: (registry: Registry) => Promise<T>): Promise<T> {
  const clients = await readClients(readConfig(process.env).clientsFile);
  return withTandem(json, async ({ t, migrate, issuer }) => {
    await migrate();
    // With a provider of its own this process knows what a client's metadata may be, and ends sessions and tokens itself.
    const { Provider } = await import('oidc-provider');
    const provider = new Provider(issuer, t.configure({ clients }));
    provider.use(t.attach(provider));
    const { admin } = t;
    if (!admin) throw new Error('the server is made without admin()');
    return work({ admin, issuer, actor: { kind: 'command-line', id: operator(), authority: 'all' } });
  });
}

/** Who runs this program, as the system knows them; in a container there may be a number alone. */
function operator(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
