import { parseArgs, type ParseArgsConfig } from 'node:util';

/** A mistake in how the program was called, or in what it was given: one line, no stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An option of a command. A flag unless it names its value. */
export interface Option {
  readonly about: string;
  /** What stands for its value in the help: `URL`. */
  readonly value?: string;
  /** Whether it may be given more than once. */
  readonly many?: boolean;
}

export type Options = Readonly<Record<string, Option>>;

/** What the options of a call say: a flag is true or false, one with a value is undefined where it was not given. */
export type Given<O extends Options> = {
  readonly [Name in keyof O]: O[Name] extends { readonly value: string } ? (O[Name] extends { readonly many: true } ? readonly string[] : string) | undefined : boolean;
};

/** What a command has to say: one JSON document for programs, or text for people. */
export interface Answer {
  readonly json: unknown;
  readonly text: string;
}

/** One thing that the command line does. */
export interface Command {
  /** Its words: `clients secrets add`. */
  readonly name: string;
  readonly about: string;
  /** What is named behind the words: `<client>`, `[file]`; one in brackets may be left out. */
  readonly operands: readonly string[];
  readonly options: Options;
  /** Reads the arguments behind the words and does it; `json`: whether a program reads along. */
  call(args: readonly string[], environment: { readonly json: boolean }): Promise<Answer | undefined>;
}

/** What a command is called with. */
export interface Call<O extends Options> {
  readonly operands: readonly string[];
  readonly given: Given<O>;
  readonly json: boolean;
}

/** Declares a command, its options typed by their declaration. */
export function command<const O extends Options = Record<never, Option>>(definition: {
  readonly name: string;
  readonly about: string;
  readonly operands?: readonly string[];
  readonly options?: O;
  readonly run: (call: Call<O>) => Promise<Answer | undefined> | Answer | undefined;
}): Command {
  const { name, about, operands = [], options = {} as O, run } = definition;
  return {
    name,
    about,
    operands,
    options,
    async call(args, { json }) {
      const { values, positionals } = parsed(name, args, options);
      const found = positionals.slice(name.split(' ').length);
      const needed = operands.filter((operand) => operand.startsWith('<'));
      if (found.length < needed.length) throw new UsageError(`${needed[found.length]} is missing: ${usageOf({ name, operands, options })}`);
      if (found.length > operands.length) throw new UsageError(`${JSON.stringify(found[operands.length])} is one too many: ${usageOf({ name, operands, options })}`);
      return run({ operands: found, given: values as Given<O>, json });
    },
  };
}

/** What Node's parser has to say of an unknown option is about operands that look like one. */
function parsed(name: string, args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: configOf(options) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [, option] = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? (/'(-[^']*)'/.exec(message) ?? []) : [];
    if (option === undefined) throw error;
    throw new UsageError(`there is no option ${option} here; tandem ${name} --help lists those that there are`);
  }
}

/** How a command is called, in a line. */
export function usageOf({ name, operands, options }: Pick<Command, 'name' | 'operands' | 'options'>): string {
  return ['tandem', name, ...operands, ...(Object.keys(options).length > 0 ? ['[options]'] : [])].join(' ');
}

/** Options that every command has. */
export const COMMON: Options = {
  json: { about: 'answers by one JSON document, errors too (on standard error)' },
  help: { about: 'tells what the command takes' },
};

function configOf(options: Options): NonNullable<ParseArgsConfig['options']> {
  const entries = Object.entries({ ...COMMON, ...options }).map(([name, { value, many = false }]) => {
    const short = name === 'help' ? { short: 'h' } : {};
    return [name, value === undefined ? { type: 'boolean' as const, default: false, ...short } : { type: 'string' as const, multiple: many }] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * The command that the arguments name, by the most words that are one's name. Words may stand behind flags, as in `--json keys list`.
 *
 * @returns undefined where no command has that name, with what was said instead
 */
export function findCommand(commands: readonly Command[], args: readonly string[]): { command: Command | undefined; words: readonly string[] } {
  const words = args.filter((arg) => arg === '-' || !arg.startsWith('-'));
  const named = commands.filter(({ name }) => words.slice(0, name.split(' ').length).join(' ') === name);
  const [command] = named.sort((a, b) => b.name.split(' ').length - a.name.split(' ').length);
  return { command, words };
}
