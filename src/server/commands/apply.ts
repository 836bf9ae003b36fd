import type { ApplyDocument, ApplyStep } from '../../index.ts';
import { command, type Command } from '../command-line/command.ts';
import { readObject } from '../command-line/read.ts';
import { columns, count } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';

const SIGNS = { create: '+', update: '~', remove: '-', unchanged: '=' } as const;
const WORDS = { create: 'created', update: 'changed', remove: 'removed', unchanged: 'as it is' } as const;

/** `tandem apply`: the registry as a file that is kept with the rest of an installation's configuration. */
export const apply: readonly Command[] = [
  command({
    name: 'apply',
    about: 'makes resource servers, scopes and clients what a JSON file says; - for standard input. A second run changes nothing',
    operands: ['<file>'],
    options: {
      'dry-run': { about: 'tells what it would do, and does nothing' },
      prune: { about: 'removes what the file does not name, except clients that registered themselves' },
    },
    run: ({ operands: [file], given: { 'dry-run': dryRun, prune }, json }) => withRegistry(json, async ({ admin, actor }) => {
      const result = await admin.apply((await readObject(file!)) as ApplyDocument, actor, { dryRun, prune });
      const changed = result.steps.filter(({ action }) => action !== 'unchanged').length;
      const verdict = `${result.dryRun ? 'would change' : 'changed'} ${count(changed, 'entry', 'entries')}, ${count(result.steps.length - changed, 'is', 'are')} as the file says`;
      return {
        json: { dry_run: result.dryRun, steps: result.steps },
        text: [...(result.steps.length > 0 ? [columns(result.steps.map(lineOf)), ''] : []), ...secretsOf(result.steps), verdict].join('\n'),
      };
    }),
  }),
];

function lineOf({ action, kind, id, changes = {} }: ApplyStep): string[] {
  const members = Object.entries(changes).map(([name, { before, after }]) => `${name}: ${show(before)} → ${show(after)}`);
  return [`${SIGNS[action]} ${kind.replace('_', ' ')}`, id, [WORDS[action], ...(action === 'update' ? members : [])].join('; ')];
}

function secretsOf(steps: readonly ApplyStep[]): string[] {
  const made = steps.filter(({ secret }) => secret !== undefined);
  return made.length === 0 ? [] : [columns(made.map(({ id, secret }) => [`secret of ${id}`, secret!])), 'The secrets are not shown again.', ''];
}

function show(value: unknown): string {
  return value === undefined || value === null ? 'none' : JSON.stringify(value);
}
