import { z } from 'zod';

export const PROBLEM_TYPE = 'application/problem+json';

/** How many things that are wrong with a request are told at once. */
const MAX_ERRORS = 10;

/** The words of a code: `insufficient_scope` is told as "Insufficient scope". */
export function titleOf(code: string): string {
  const words = code.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The URI that names a kind of problem (RFC 9457 §3.1.1). */
export function problemType(code: string): string {
  return `urn:tandem:error:${code}`;
}

/** Problem details (RFC 9457), with the members that OAuth clients read beside them. */
export function problemOf(
  { status, code, description, extra, reference }: { status: number; code: string; description: string; extra: object; reference: string | undefined },
  error: unknown,
): object {
  const standard = { type: problemType(code), title: titleOf(code), status, detail: description, error: code, error_description: description };
  // First in the text, where people look, and last in what counts: no extra member takes the place of one of these.
  return { ...standard, ...extra, ...standard, ...errorsOf(error), ...(reference && { reference }) };
}

/** All that is wrong with a body or query, each with a pointer to where (RFC 9457 §3, RFC 6901). */
function errorsOf(error: unknown): { errors: ReadonlyArray<{ detail: string; pointer: string }> } | undefined {
  const { cause } = (error ?? {}) as { cause?: unknown };
  if (!(cause instanceof z.ZodError)) return undefined;
  const errors = cause.issues.flatMap(({ path, message, ...issue }) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ detail: 'unknown field', pointer: pointer([...path, key.slice(0, 60)]) }))
      : [{ detail: message, pointer: pointer(path) }]);
  // One of each place: what is of the wrong type is often too short as well.
  const places = new Map(errors.reverse().map((each) => [each.pointer, each]));
  return { errors: [...places.values()].reverse().slice(0, MAX_ERRORS) };
}

function pointer(path: readonly PropertyKey[]): string {
  return `#${path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}
