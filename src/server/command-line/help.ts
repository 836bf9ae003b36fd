import { describeSettings } from '../config.ts';
import { COMMON, usageOf, type Command, type Options } from './command.ts';
import { columns } from './text.ts';

/** What `tandem help` prints: every command, and every setting. */
export function helpOf(commands: readonly Command[]): string {
  const rows = commands.map((command) => [`  tandem ${[command.name, ...command.operands].join(' ')}`, command.about]);
  return `tandem: an identity provider that makes a phone the second half of every sign-in

${columns(rows)}

tandem help clients, or any command with --help, tells the options. With --json a command answers by one JSON document.

Settings are environment variables:

${describeSettings()}
`;
}

/** The help of the commands whose names begin with these words; undefined where there are none. */
export function helpAbout(commands: readonly Command[], words: readonly string[]): string | undefined {
  const found = commands.filter(({ name }) => `${name} `.startsWith(`${words.join(' ')} `));
  if (words.length === 0 || found.length === 0) return undefined;
  return `${found.map((command) => `${usageOf(command)}\n  ${command.about}\n${optionsOf(command.options)}`).join('\n')}
with every command
${optionsOf(COMMON)}`;
}

function optionsOf(options: Options): string {
  const rows = Object.entries(options).map(([name, { value, many, about }]) => [`    --${name}${value === undefined ? '' : ` ${value}`}`, `${about}${many ? '; may be repeated' : ''}`]);
  return rows.length > 0 ? `${columns(rows)}\n` : '';
}
