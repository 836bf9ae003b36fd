import type { Context as KoaContext } from 'koa';
import type { Desk } from './desk.ts';
import type { Problem } from './problems.ts';

/** What a form sends. */
export type FormValues = Readonly<Record<string, string>>;

/** A field of a form: its words are `field_<name>` and, with `hint`, `field_<name>_hint`; those of an option `option_<value>`. */
export interface FieldSpec {
  readonly name: string;
  /** `area` has a line for each value, `checks` boxes of which any number may be ticked, each a field `<name>:<value>`. */
  readonly kind: 'text' | 'area' | 'select' | 'radios' | 'checks' | 'check';
  readonly options?: readonly string[];
  readonly required?: boolean;
  readonly hint?: boolean;
  /** What is read letter by letter. */
  readonly mono?: boolean;
  readonly rows?: number;
}

/** A field as its view takes it. */
export interface Field extends FieldSpec {
  readonly label: string;
  readonly hintText: string;
  readonly value: string;
  readonly choices: ReadonlyArray<{ readonly value: string; readonly label: string; readonly chosen: boolean; readonly field: string }>;
  readonly invalid: boolean;
  /** Why, in the words of the service. */
  readonly problem: string;
  readonly optional: boolean;
}

const isOn = (values: FormValues, name: string) => values[name] === 'on';

/** Makes fields of what they are and what is in them. */
export function fieldsOf({ say }: Pick<Desk, 'say'>, ctx: KoaContext, specs: readonly FieldSpec[], values: FormValues, problem?: Problem): Field[] {
  return specs.map((spec) => {
    const { name, kind, options = [], required = false, hint = false } = spec;
    const value = values[name] ?? '';
    return {
      ...spec,
      label: say(ctx, `field_${name}`),
      hintText: hint ? say(ctx, `field_${name}_hint`) : '',
      value,
      choices: options.map((option) => ({
        value: option,
        label: say(ctx, `option_${option.replace(/\W/g, '_') || 'default'}`),
        chosen: kind === 'checks' ? isOn(values, `${name}:${option}`) : value === option,
        field: `${name}:${option}`,
      })),
      invalid: problem?.field === name,
      problem: problem?.detail ?? '',
      optional: !required && (kind === 'text' || kind === 'area'),
    };
  });
}

/** The ticked options of a field `checks`. */
export const ticked = (values: FormValues, name: string, options: readonly string[]): string[] => options.filter((option) => isOn(values, `${name}:${option}`));

/** The values of a field of kind `area`, one a line. */
export const linesOf = (text: string | undefined): string[] => (text ?? '').split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
