import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError, command, type Command } from '../command-line/command.ts';
import { withTandem } from '../with-tandem.ts';

/** The commands of whoever installs Tandem. */
export const installation: readonly Command[] = [
  command({
    name: 'migrate',
    about: 'brings the database’s schema up to date; start does so too',
    run: ({ json }) => withTandem(json, async ({ migrate }) => {
      const done = await migrate();
      return { json: { migrations: done }, text: 'the schema is up to date' };
    }),
  }),
  command({
    name: 'rollback',
    about: 'takes the whole schema back, and all that is stored with it',
    options: { yes: { about: 'does so' } },
    run: ({ given: { yes }, json }) => withTandem(json, async ({ t }) => {
      if (!yes) throw new UsageError('rollback deletes every account, device and key; to do so: tandem rollback --yes');
      const done = await t.rollback();
      return { json: { migrations: done }, text: 'the schema has been taken back' };
    }),
  }),
  command({
    name: 'secret',
    about: 'prints a new encryption key for ENCRYPTION_KEY',
    async run() {
      const { newEncryptionKey } = await import('../../index.ts');
      const secret = newEncryptionKey();
      return { json: { secret }, text: secret };
    },
  }),
  command({
    name: 'version',
    about: 'prints the version',
    async run() {
      const { packageRoot } = await import('../../lib/views/package-root.ts');
      const { version } = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
      return { json: { version }, text: version };
    },
  }),
];
