import { z, type ZodType } from 'zod';
import { AppError } from '../../errors.ts';

/** Objects refuse fields that they do not know, unless they say what they do with the others. */
export function strict(schema: ZodType): ZodType {
  return schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema.strict() : schema;
}

/** @throws AppError `invalid_request` that tells the first thing that is wrong; the others are in its cause */
export function parse(schema: ZodType, value: unknown): unknown {
  const result = schema.safeParse(value, { error: ({ code, input }) => (code === 'invalid_type' && input === undefined ? 'it is missing' : undefined) });
  if (result.success) return result.data;
  throw new AppError('invalid_request', explain(result.error.issues[0]!), { cause: result.error });
}

/** What is wrong, in a sentence that names the field. */
function explain(issue: z.core.$ZodIssue): string {
  const quote = (name: PropertyKey) => JSON.stringify(String(name).slice(0, 60));
  if (issue.code === 'unrecognized_keys') return `unknown field ${issue.keys.slice(0, 3).map(quote).join(', ')}`;
  const field = issue.path.map(String).join('.');
  return field ? `field ${quote(field)}: ${issue.message}` : issue.message;
}

/** The names in a route's path: `id` of `/things/:id`. */
export function parametersOf(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
}
