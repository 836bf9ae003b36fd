#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawBox } from './box.ts';
import { resetSecondFactor } from './reset-second-factor.ts';
import { UsageError, withTandem } from './with-tandem.ts';
import { ConfigError, describeSettings, readConfig } from './config.ts';
import { createLog } from './log.ts';

const HELP = `tandem: an identity provider that makes a phone the second half of every sign-in

  tandem start                 serves (the default)
  tandem migrate               brings the database's schema up to date; start does so too
  tandem rollback --yes        takes the whole schema back, and all that is stored with it
  tandem keys list             lists the signing and cookie keys
  tandem keys rotate [--now]   replaces them by the next ones; running servers follow within a minute.
                               Waits until the next ones have been published for an hour, with --now not
  tandem accounts reset-second-factor <email> --yes [--keep-phones] [--json]
                               for a person who has lost phone, authenticator and recovery codes: takes them
                               all away and signs the account out everywhere. The password stays. It is in
                               the audit log, and told to the account
  tandem secret                prints a new encryption key for ENCRYPTION_KEY
  tandem version               prints the version
  tandem help                  prints this

Settings are environment variables:

${describeSettings()}
`;

/** The demo relying site is its own program, beside this one in the source as in the build. */
const demoProgram = new URL(`../demo/main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

interface Options {
  readonly now: boolean;
  readonly yes: boolean;
  readonly keepPhones: boolean;
  readonly json: boolean;
}

const commands: Readonly<Record<string, (options: Options) => Promise<void> | void>> = {
  start,
  migrate: () => withTandem(async ({ migrate }) => {
    await migrate();
    console.log('the schema is up to date');
  }),
  rollback: ({ yes }) => withTandem(async ({ t }) => {
    if (!yes) throw new UsageError('rollback deletes every account, device and key; to do so: tandem rollback --yes');
    await t.rollback();
    console.log('the schema has been taken back');
  }),
  'keys list': () => withTandem(async ({ t, migrate }) => {
    await migrate();
    for (const key of await t.keys.list()) {
      const until = key.endsAt !== undefined ? `published until ${instant(key.endsAt)}` : key.activatesAt !== undefined ? `signs from ${instant(key.activatesAt)}` : '';
      console.log(`${key.purpose.padEnd(8)}${key.state.padEnd(9)}${key.kid.padEnd(45)}made ${instant(key.createdAt)}  ${until}`.trimEnd());
    }
  }),
  'keys rotate': ({ now }) => withTandem(async ({ t, migrate }) => {
    await migrate();
    const { activatesAt } = await t.keys.rotate({ now });
    console.log(activatesAt <= Date.now()
      ? 'the next keys sign from now on; running servers follow within a minute'
      : `the next keys sign from ${instant(activatesAt)}, when they have been published for long enough; --now does not wait`);
  }),
  async secret() {
    const { newEncryptionKey } = await import('../index.ts');
    console.log(newEncryptionKey());
  },
  async version() {
    const { packageRoot } = await import('../lib/views/package-root.ts');
    const { version } = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
    console.log(version);
  },
  help: () => console.log(HELP),
};

async function start() {
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

  const { issuer, demo } = server;
  if (demo) {
    console.log(drawBox('Tandem', [
      ['Relying site', demo.url],
      ['Phone', `${config.phoneOrigin ?? issuer}/phone`],
      ['Provider', issuer],
      ['Account', `${issuer}/account`],
      '',
      ['Demo account', demo.email],
      ['Password', demo.password ?? 'as printed on the first start'],
      ...(demo.password ? ['', 'The password is not shown again.'] : []),
    ]));
  }
  // For a program that started this one.
  process.send?.({ issuer, demo });
}

function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 19) + 'Z';
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      now: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      'keep-phones': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', short: 'v', default: false },
    },
  });
  const options = { ...values, keepPhones: values['keep-phones'] };
  const name = values.help ? 'help' : values.version ? 'version' : positionals.join(' ') || 'start';
  const [noun, verb, ...rest] = positionals;
  if (`${noun} ${verb}` === 'accounts reset-second-factor' && !values.help && !values.version) return resetSecondFactor(rest, options);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new UsageError(`there is no command ${JSON.stringify(name)}; tandem help lists them`);
  await command(options);
}

try {
  await main();
} catch (error) {
  const { name, code, message } = error as NodeJS.ErrnoException;
  const expected = error instanceof ConfigError || error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS');
  console.error(expected ? message : `tandem: ${name}: ${(error as Error).stack ?? message}`);
  process.exitCode = 1;
}
