import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What the program says to whoever started it, once it serves. */
export interface Ready {
  readonly issuer: string;
  readonly demo: { readonly url: string; readonly email: string; readonly password?: string } | undefined;
  readonly administrator: { readonly email: string; readonly password?: string } | undefined;
}

export interface Program {
  readonly output: () => string;
  readonly errors: () => string;
  /** What it says when it serves; rejects when it ends before. */
  ready(): Promise<Ready>;
  /** Waits for its end; returns the exit code. */
  ended(): Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

/** Where programs on a database server leave their mail, instead of in this repository's `data`. */
const MAIL_FOLDER = join(tmpdir(), `tandem-test-mail-${randomUUID()}`);
after('remove the mail of programs', () => rm(MAIL_FOLDER, { recursive: true, force: true }));

/** Runs the command line as a process of its own, with nothing in its environment but `env`, and a folder for mail. */
export function run(args: readonly string[], env: Readonly<Record<string, string>> = {}, file = 'src/server/main.ts'): Program {
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], MAIL_FOLDER, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let [output, errors] = ['', ''];
  child.stdout!.on('data', (chunk) => (output += chunk));
  child.stderr!.on('data', (chunk) => (errors += chunk));
  const closed = once(child, 'close');
  const message = once(child, 'message').then(([ready]) => ready as Ready);
  return {
    output: () => output,
    // What oidc-provider says below Node 22 is no error of ours.
    errors: () => errors.replace(/^.*WARNING: Unsupported runtime.*\n/gm, ''),
    async ready() {
      const ready = await Promise.race([message, closed.then(() => undefined)]);
      if (!ready) throw new Error(`it ended: ${errors}${output}`);
      return ready;
    },
    async ended() {
      await closed;
      return child.exitCode;
    },
    kill: (signal) => void child.kill(signal),
  };
}

/** A folder that is removed after the suite, with a database URL in it. */
export function temporaryFolder() {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tandem-server-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  return { path: (...names: string[]) => join(folder, ...names), url: (name: string) => `sqlite:${join(folder, name)}` };
}
