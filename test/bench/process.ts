import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PINNED = spawnSync('taskset', ['-c', '0', 'true']).status === 0;
/** The last core drives the load, the first serves. */
const LOAD_CORE = availableParallelism() - 1;

/** Whether processes are held to cores here (Linux with `taskset`). */
export const pinned = PINNED && LOAD_CORE > 0;

/** Moves this process, which makes the load, off the cores of the servers. */
export function pinLoad(): void {
  if (pinned) spawnSync('taskset', ['-a', '-cp', String(LOAD_CORE), String(process.pid)]);
}

/** Compiles the servers, so that no loader runs inside what is measured. */
export async function compileServers(): Promise<{ folder: string; remove(): Promise<void> }> {
  await mkdir(join(ROOT, 'dist'), { recursive: true });
  const folder = await mkdtemp(join(ROOT, 'dist', 'bench-'));
  await build({
    entryPoints: ['bare', 'koa', 'tandem', 'registry', 'argon2', 'codes'].map((name) => join(ROOT, 'test/bench/servers', `${name}.ts`)),
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outdir: folder,
    logLevel: 'error',
  });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A server in a process of its own. */
export interface ServerProcess {
  readonly issuer: string;
  /** What it said of itself when it was ready. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Milliseconds from spawning it until it was ready. */
  readonly startMs: number;
  call<T = number>(name: string, argument?: unknown): Promise<T>;
  stop(): Promise<void>;
}

/**
 * Starts a compiled server, pinned to a core.
 *
 * @param core which; the first by default
 */
export async function startServer(folder: string, name: string, { env = {}, core = 0 }: { env?: Record<string, string>; core?: number } = {}): Promise<ServerProcess> {
  const began = performance.now();
  // BENCH_PROFILE names a folder for CPU profiles: where the time of a row goes.
  const profile = process.env['BENCH_PROFILE'] ? ['--cpu-prof', `--cpu-prof-dir=${process.env['BENCH_PROFILE']}/${name}`] : [];
  const program = [process.execPath, ...profile, '--expose-gc', '--no-warnings', join(folder, `${name}.js`)];
  const [command, ...args] = pinned ? ['taskset', '-c', String(core), ...program] : program;
  const child: ChildProcess = spawn(command!, args, {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
    // What oidc-provider has to say of its settings is known, and that the load hangs up is no news; what goes wrong is.
    if (/error/i.test(chunk.toString()) && !chunk.toString().includes('ECONNRESET')) process.stderr.write(chunk);
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 0;

  const ready = await new Promise<{ issuer: string }>((resolve, reject) => {
    child.on('exit', (code) => {
      const error = new Error(`the ${name} server ended with ${code}\n${stderr}`);
      reject(error);
      for (const { reject: fail } of waiting.values()) fail(error);
    });
    child.on('message', (message: { ready?: { issuer: string }; id?: number; value?: unknown; error?: string }) => {
      if (message.ready) return resolve(message.ready);
      const asked = waiting.get(message.id!);
      waiting.delete(message.id!);
      if (message.error) asked?.reject(new Error(`${name}: ${message.error}`));
      else asked?.resolve(message.value);
    });
  });

  return {
    issuer: ready.issuer,
    facts: ready,
    startMs: performance.now() - began,
    call<T>(call: string, argument?: unknown) {
      return new Promise<T>((resolve, reject) => {
        next += 1;
        waiting.set(next, { resolve: resolve as (value: unknown) => void, reject });
        child.send({ id: next, call, argument });
      });
    },
    async stop() {
      if (child.exitCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      // It ends by itself, so that its profile is written.
      child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await gone;
      clearTimeout(timer);
    },
  };
}
