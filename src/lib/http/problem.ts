import type { Context as KoaContext } from 'koa';
import { z } from 'zod';
import { answerOf, setRetryAfter } from './answers.ts';
import { apiHeaders, challenge } from './headers.ts';
import { servicesOf } from './services.ts';

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

/**
 * Answers with an error as problem details (RFC 9457), with the members that OAuth clients read beside them, and where the caller is not
 * let in with a challenge (RFC 6750 §3).
 *
 * @param scope what the operation asks for, named in challenges
 */
export function answerProblem(ctx: KoaContext, error: unknown, scope?: string): void {
  const answer = answerOf(ctx, error);
  const { status, code, description, extra, reference } = answer;
  apiHeaders(ctx);
  ctx.status = status;
  ctx.body = {
    ...extra,
    type: problemType(code),
    title: titleOf(code),
    status,
    detail: description,
    error: code,
    error_description: description,
    ...errorsOf(error),
    ...(reference && { reference }),
  };
  ctx.type = PROBLEM_TYPE;
  setRetryAfter(ctx, answer);
  const asked = typeof extra['scope'] === 'string' ? extra['scope'] : scope;
  if (scope === undefined || ctx.response.get('WWW-Authenticate')) return;
  // One who may not do this at all is helped by no other token: there is nothing to ask for (RFC 9110 §15.5.4).
  if (code === 'insufficient_scope' || status === 401) ctx.set('WWW-Authenticate', challenge('Bearer', { realm: servicesOf(ctx).issuer, error: code, error_description: plain(description), scope: asked }));
}

/** What may stand in a challenge (RFC 6750 §3). */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

/** All that is wrong with a body or query, each with a pointer to where (RFC 9457 §3, RFC 6901). */
function errorsOf(error: unknown): { errors: ReadonlyArray<{ detail: string; pointer: string }> } | undefined {
  const { cause } = (error ?? {}) as { cause?: unknown };
  if (!(cause instanceof z.ZodError)) return undefined;
  const errors = cause.issues.flatMap((issue) => {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys : [];
    const at = pointer(issue.path);
    return unknown.length ? unknown.map((key) => ({ detail: 'unknown field', pointer: pointer([...issue.path, key.slice(0, 60)]) })) : [{ detail: issue.message, pointer: at }];
  });
  return { errors: errors.slice(0, MAX_ERRORS) };
}

function pointer(path: readonly PropertyKey[]): string {
  return `#${path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}
