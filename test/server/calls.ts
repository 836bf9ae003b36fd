import { newEncryptionKey } from '../../src/index.ts';
import { findCommand } from '../../src/server/command-line/command.ts';
import { failureOf } from '../../src/server/command-line/failure.ts';
import { commands } from '../../src/server/commands/commands.ts';
import { run } from './program.ts';

/** An answer, of whatever shape: a wrong one fails the test by itself. */
export type Json = ReturnType<typeof JSON.parse>;

export interface CommandLine {
  readonly env: Readonly<Record<string, string>>;
  /** Does what the program does with these words and `--json`, in this process; what it answers. */
  call(...args: string[]): Promise<Json>;
  /** The same without `--json`: what people read. */
  tell(...args: string[]): Promise<string>;
  /** A call that fails: the error as JSON. */
  fail(...args: string[]): Promise<Json>;
  /** The program itself, as a process of its own. */
  process(...args: string[]): Promise<{ code: number | null; output: string; errors: string }>;
}

/** The command line on one database. Programs are slow to start: all but few calls are made in this process. */
export function commandLine(url: string, more: Readonly<Record<string, string>> = {}): CommandLine {
  const env = { DATABASE_URL: url, ENCRYPTION_KEY: newEncryptionKey(), LOG_LEVEL: 'error', ...more };

  async function answer(args: readonly string[], json: boolean) {
    const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
    Object.assign(process.env, env);
    try {
      const { command } = findCommand(commands, args);
      if (!command) throw new Error(`there is no command ${args.join(' ')}`);
      return (await command.call(args, { json }))!;
    } finally {
      // One by one: an object in the place of `process.env` is not what the system is asked for.
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  }

  return {
    env,
    // As a program gets it: what JSON does not say is not there.
    call: async (...args) => JSON.parse(JSON.stringify((await answer(['--json', ...args], true)).json)),
    tell: async (...args) => (await answer(args, false)).text,
    async fail(...args) {
      const done = await answer(args, true).catch((error: unknown) => ({ failed: failureOf(error).json }));
      if (!('failed' in done)) throw new Error(`it was done: ${JSON.stringify(done.json)}`);
      return done.failed;
    },
    async process(...args) {
      const program = run(args, env);
      return { code: await program.ended(), output: program.output(), errors: program.errors() };
    },
  };
}
