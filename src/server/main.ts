#!/usr/bin/env node
import { drawBox } from './box.ts';
import { UsageError, command, findCommand } from './command-line/command.ts';
import { failureOf } from './command-line/failure.ts';
import { helpAbout, helpOf } from './command-line/help.ts';
import { commands } from './commands/commands.ts';
import { readConfig } from './config.ts';
import { createLog } from './log.ts';

/** The demo relying site is its own program, beside this one in the source as in the build. */
const demoProgram = new URL(`../demo/main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

const all = [command({ name: 'start', about: 'serves (the default)', run: start }), ...commands];

async function start(): Promise<undefined> {
  const config = readConfig(process.env);
  const log = createLog({ level: config.logLevel, production: config.production });
  // Loaded once the settings are known to be good, so that a mistake is answered at once and with nothing else.
  const { startServer } = await import('./app.ts');
  const server = await startServer(config, { log, demoProgram });

  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ error }, `${event}: ending, since nobody knows what state this process is in`);
      process.exit(1);
    });
  }

  let stopping = false;
  async function stop(signal: string) {
    // A second signal means it: do not wait for requests under way.
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping');
    await server.close();
    if (process.connected) process.disconnect();
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));

  const { issuer, demo, administrator } = server;
  if (demo) {
    const madeNow = demo.password !== undefined || administrator?.password !== undefined;
    const before = 'as printed on the first start';
    console.log(drawBox('Tandem', [
      ['Relying site', demo.url],
      ['Phone', `${config.phoneOrigin ?? issuer}/phone`],
      ['Provider', issuer],
      ['Account', `${issuer}/account`],
      ['Admin', `${issuer}/admin`],
      '',
      ['Demo account', demo.email],
      ['Password', demo.password ?? before],
      ...(administrator ? ['', ['Administrator', administrator.email] as const, ['Password', administrator.password ?? before] as const] : []),
      ...(madeNow ? ['', 'The passwords are not shown again.'] : []),
    ]));
  }
  // For a program that started this one.
  process.send?.({ issuer, demo, administrator });
}

/** What a call asks to be told about, rather than done; undefined where it asks for something else. */
function helpFor(args: readonly string[], words: readonly string[]): string | undefined {
  const asked = words[0] === 'help' ? words.slice(1) : args.some((arg) => arg === '--help' || arg === '-h') ? words : undefined;
  if (!asked) return undefined;
  // Of a command with operands, or of words that are too many, what its first ones name.
  for (let length = asked.length; length > 0; length -= 1) {
    const found = helpAbout(all, asked.slice(0, length));
    if (found !== undefined) return found;
  }
  return helpOf(all);
}

async function main(given: readonly string[]): Promise<void> {
  const json = given.includes('--json');
  const args = given.some((arg) => arg === '--version' || arg === '-v') ? ['version'] : given;
  const { command: found, words } = findCommand(all, args);
  const help = helpFor(args, words);
  if (help !== undefined) return console.log(help.trimEnd());
  const chosen = words.length === 0 ? all[0] : found;
  if (!chosen) {
    const noun = all.some(({ name }) => name.startsWith(`${words[0]} `)) ? ` ${words[0]}` : '';
    throw new UsageError(`there is no command ${JSON.stringify(words.join(' '))}; tandem help${noun} lists ${noun ? 'those that begin so' : 'them'}`);
  }
  const answer = await chosen.call(args, { json });
  if (answer) await print(json ? JSON.stringify(answer.json) : answer.text);
}

/** Prints an answer. Nobody has to read it to its end, as behind `head`; but one that has nowhere to go may have had a secret in it. */
async function print(text: string): Promise<void> {
  const { stdout } = process;
  stdout.on('error', () => {});
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => stdout.write(`${text}\n`, resolve));
  if (error && error.code !== 'EPIPE') throw new UsageError(`it is done, but the answer could not be written (${error.code})`);
}

const given = process.argv.slice(2);
// What libraries have to say (oidc-provider: on Node 20 that it is old) is not JSON, and standard error is.
if (given.includes('--json')) console.warn = () => {};
try {
  await main(given);
} catch (error) {
  const { json, text } = failureOf(error);
  console.error(given.includes('--json') ? JSON.stringify(json) : text);
  process.exitCode = 1;
}
