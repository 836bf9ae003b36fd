import type { Context as KoaContext, Middleware } from 'koa';
import { AppError, type ErrorCode } from '../../errors.ts';
import { uuid } from '../crypto.ts';
import { apiHeaders, pageHeaders } from './headers.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';
import { servicesOf } from './services.ts';

/** How an error is told: as a page for people, as JSON for programs, or to callers of our API as problem details. */
export type ErrorShape = 'page' | 'json' | 'problem';

interface Answer {
  readonly status: number;
  readonly code: ErrorCode | 'server_error';
  readonly description: string;
  readonly retryAfter: number | undefined;
  readonly extra: Readonly<Record<string, string | number | boolean>>;
  /** Under which an unexpected error stands in the log. */
  readonly reference: string | undefined;
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'sign_in_required',
  403: 'access_denied',
  404: 'not_found',
  405: 'method_not_allowed',
  409: 'conflict',
  410: 'expired',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
};

/** Which words of `views/errors` tell an error; all others are told as a bad request. */
const PAGE_KINDS: Readonly<Partial<Record<Answer['code'], string>>> = {
  access_denied: 'denied',
  expired: 'expired',
  frame_stale: 'expired',
  invalid_csrf: 'invalid_csrf',
  locked: 'too_often',
  not_found: 'not_found',
  rate_limited: 'too_often',
  server_error: 'server',
  slow_down: 'too_often',
  temporarily_unavailable: 'server',
};

/** Errors of Koa and oidc-provider that are the caller's own fault, and say so with `expose`. */
function expected(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error;
  const { expose, status, statusCode, message } = (error ?? {}) as Record<string, unknown>;
  const given = typeof status === 'number' ? status : statusCode;
  if (expose !== true || typeof given !== 'number' || given < 400 || given > 499) return undefined;
  return new AppError(CODE_OF_STATUS[given] ?? 'invalid_request', String(message), { cause: error });
}

const REFERENCE = Symbol('tandem.reference');

/** Under which the log keeps what went wrong in this request; all that may be told of it. */
export function referenceOf(ctx: KoaContext): string {
  const state = ctx.state as { [REFERENCE]?: string };
  return (state[REFERENCE] ??= uuid());
}

/** A path for the log: of our routes their pattern, as the links of phones are secrets. */
export function loggedPath(ctx: KoaContext): string {
  const { _matchedRoute: pattern } = ctx as { _matchedRoute?: unknown };
  return typeof pattern === 'string' ? pattern : ctx.path;
}

function answerOf(ctx: KoaContext, error: unknown): Answer {
  const known = expected(error);
  if (known) {
    const { status, code, message: description, retryAfter, extra } = known;
    return { status, code, description, retryAfter, extra, reference: undefined };
  }
  const reference = referenceOf(ctx);
  servicesOf(ctx).log.error({ err: error, reference, method: ctx.method, path: loggedPath(ctx) }, 'an unexpected error');
  const description = 'something went wrong on our side';
  return { status: 500, code: 'server_error', description, retryAfter: undefined, extra: {}, reference };
}

/** Answers with an error: never a stack trace, and the unexpected only as a reference into the log. */
export function answerError(ctx: KoaContext, error: unknown, shape: ErrorShape): void {
  const answer = answerOf(ctx, error);
  if (shape === 'page') answerPage(ctx, answer);
  else if (shape === 'problem') answerProblem(ctx, answer, error);
  else answerJson(ctx, answer);
  setRetryAfter(ctx, answer);
}

/** Says when the next try makes sense, where that is known (RFC 9110 §10.2.3): in seconds, never none. */
export function setRetryAfter(ctx: KoaContext, { retryAfter }: { readonly retryAfter?: number | undefined }): void {
  if (retryAfter !== undefined) ctx.set('Retry-After', String(Math.max(1, Math.ceil(retryAfter))));
}

/** Sends the browser on to a path of ours, which it gets whatever it has sent here (RFC 9110 §15.4.4). */
export function seeOther(ctx: KoaContext, path: string): void {
  ctx.redirect(servicesOf(ctx).issuer + path);
  ctx.status = 303;
}

function answerJson(ctx: KoaContext, { status, code, description, extra, reference }: Answer) {
  apiHeaders(ctx);
  ctx.status = status;
  ctx.body = { ...extra, error: code, error_description: description, ...(reference && { reference }) };
}

function answerProblem(ctx: KoaContext, answer: Answer, error: unknown) {
  apiHeaders(ctx);
  ctx.status = answer.status;
  ctx.body = problemOf(answer, error);
  ctx.type = PROBLEM_TYPE;
}

function answerPage(ctx: KoaContext, answer: Answer) {
  pageHeaders(ctx);
  const { status, code, description, reference } = answer;
  const { views, log } = servicesOf(ctx);
  try {
    const kind = PAGE_KINDS[code] ?? 'request';
    const data = { kind, description: kind === 'request' ? description : '', reference: reference ?? '' };
    views.render(ctx, 'errors/error', data, { status, title: views.text(ctx, `errors.title_${kind}`) });
  } catch (error) {
    log.error({ err: error }, 'the error page does not render');
    ctx.status = status;
    ctx.type = 'text';
    ctx.body = `${status} ${code}`;
  }
}

/** The shape that the caller asks for; programs that ask for nothing get JSON. */
export function shapeOf(ctx: KoaContext): ErrorShape {
  return ctx.accepts('json', 'html') === 'html' ? 'page' : 'json';
}

/** Answers the paths that nobody serves, and what breaks outside of every route. Runs before all others. */
export function catchAll(): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      if (ctx.headerSent || ctx.respond === false) throw error;
      return answerError(ctx, error, shapeOf(ctx));
    }
    const unanswered = ctx.status === 404 && ctx.body === undefined && ctx.respond !== false && !ctx.headerSent;
    if (unanswered) answerError(ctx, new AppError('not_found', 'there is nothing under this address'), ctx.path.startsWith('/api/') ? 'problem' : shapeOf(ctx));
  };
}

/** Begins the names of the router's layers that are operations of our API. */
export const OPERATION = 'operation:';

/** Answers 405 with `Allow` where a route exists for the path but not for the method. Runs right after the router. */
export function methodNotAllowed(): Middleware {
  return async (ctx, next) => {
    const matched = (ctx as { matched?: ReadonlyArray<{ name?: string; methods: readonly string[] }> }).matched ?? [];
    const methods = [...new Set(matched.flatMap((layer) => layer.methods))];
    if (methods.length === 0 || methods.includes(ctx.method)) return next();
    ctx.set('Allow', methods.join(', '));
    const ofApi = matched.some(({ name }) => name?.startsWith(OPERATION));
    answerError(ctx, new AppError('method_not_allowed', `${ctx.method} is not allowed here`), ofApi ? 'problem' : shapeOf(ctx));
  };
}
