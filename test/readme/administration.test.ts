import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { accounts, admin, enrolment, qr, totp } from '../../src/index.ts';
import { findCommand } from '../../src/server/command-line/command.ts';
import { commands } from '../../src/server/commands/commands.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem, type TestTandem } from '../support/tandem.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const section = (heading: string): string => readme.split(`\n${heading}\n`)[1]!.split(/^#{2,3} /m)[0]!;
const rows = (text: string): string[][] => text.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.slice(2, -2).split(' | ')).slice(2);
const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, words]) => words!);

describe('the README on administration', () => {
  it('lists every command, and no other', () => {
    const written = rows(section('### Command line')).flatMap(([noun, verbs]) => {
      const nouns = quoted(noun!);
      const words = quoted(verbs!);
      return words.length === 0 ? nouns : words.map((verb) => `${nouns[0]} ${verb}`);
    });
    assert.deepEqual(written.sort(), ['start', ...commands.map(({ name }) => name)].sort());
  });

  it('calls commands that there are, with options that they have', () => {
    const calls = [...readme.replaceAll('\\\n', ' ').matchAll(/npx tandem ((?:[^\n#`|)]|`api`)+)/g)].map(([, call]) => call!.trim().split(/\s+/));
    assert.ok(calls.length > 15);
    for (const words of calls.filter(([first]) => !['start', 'help'].includes(first!))) {
      const { command } = findCommand(commands, words);
      assert.ok(command, words.join(' '));
      for (const option of words.filter((word) => word.startsWith('--'))) {
        assert.ok(['json', ...Object.keys(command.options)].includes(option.slice(2)), `${command.name} ${option}`);
      }
    }
  });
});

onEachDatabase('the README on the APIs', (database) => {
  let tandem: TestTandem;
  before(async () => {
    tandem = await startTandem(database, { features: [accounts(), qr(), totp(), enrolment(), admin()] });
  });
  after(() => tandem.close());

  it('lists every operation with its scope, and no other', async () => {
    const { paths } = (await (await fetch(tandem.url('/openapi.json'))).json()) as { paths: Record<string, Record<string, { security: Array<Record<string, string[]>> }>> };
    const declared = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')} ${Object.values(security[0]!)[0]!.join(' ')}`));
    const ofAdmin = rows(section('### Admin API')).flatMap(([path, operations]) =>
      [...operations!.matchAll(/`([A-Z]+)` `([\w:-]+)`/g)].map(([, method, scope]) => `${method} /api/admin${quoted(path!)[0]} ${scope}`));
    const ofBackends = rows(section('## Enrolment API')).flatMap(([calls, scope]) => {
      const words = quoted(calls!);
      const path = words.at(-1)!.split(' ')[1];
      return words.map((call) => `${call.split(' ')[0]} ${path} ${quoted(scope!)[0]}`);
    });
    const wanted = declared.filter((each) => !each.includes('/2FAuth/'));
    assert.deepEqual([...ofAdmin, ...ofBackends].sort(), wanted.sort());
  });
});
