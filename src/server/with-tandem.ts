import type { openTandem } from './app.ts';
import { readConfig } from './config.ts';
import { createLog } from './log.ts';

/** A mistake in how the program was called, or in its settings: one line, no stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type Opened = Awaited<ReturnType<typeof openTandem>> & { readonly issuer: string };

/** Runs a command on the database of the settings, without a network. What is logged goes where it is not taken for the answer. */
export async function withTandem(work: (opened: Opened) => Promise<void>): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog({ level: config.logLevel, production: config.production }, process.stderr);
  const { openTandem } = await import('./app.ts');
  const issuer = config.issuer ?? `http://localhost:${config.port}`;
  const opened = await openTandem(config, { issuer, log });
  try {
    await work({ ...opened, issuer });
  } finally {
    await opened.close();
  }
}
