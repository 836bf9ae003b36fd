import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import { z, type ZodType } from 'zod';
import { AppError } from '../../errors.ts';
import type { Limit } from '../limits.ts';
import { networkOf } from '../network.ts';
import { answerError, type ErrorShape } from './answers.ts';
import { parseForm, parseJson, readBody } from './body.ts';
import { isFromAnotherSite } from './fetch-metadata.ts';
import { apiHeaders, pageHeaders, type CspAdditions } from './headers.ts';
import { parse, strict } from './parsing.ts';
import { servicesOf } from './services.ts';

export type RouteContext = KoaContext & { params: Record<string, string> };
export type Handler<Body, Query> = (ctx: RouteContext, input: { body: Body; query: Query }) => Promise<void>;

/** A limit on a route: how often, and by what; by the network address unless told otherwise. */
export interface RouteLimit {
  readonly limit: Limit;
  readonly by?: (ctx: RouteContext) => string;
}

interface RouteOptions<Query extends ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly limit?: RouteLimit;
  /** Widens the content security policy of this page. */
  readonly csp?: CspAdditions;
}

type Kind = 'page' | 'form' | 'api-form' | 'json' | 'sse' | 'jose';

const CONTENT_TYPES: Partial<Record<Kind, readonly string[]>> = {
  form: ['application/x-www-form-urlencoded'],
  'api-form': ['application/x-www-form-urlencoded'],
  json: ['application/json'],
  jose: ['application/jose', 'application/jose+json'],
};

/**
 * Registers a route behind the one guard: headers, limit, content type, size, same-origin check and token of forms,
 * parsing, and answers to errors in the shape that the route's callers read.
 *
 * | kind | body | errors |
 * | --- | --- | --- |
 * | `page` | none | page |
 * | `form` | urlencoded from our own page, with the hidden field `csrf` | page, or JSON where `Accept` asks for it |
 * | `api-form` | urlencoded from a program, which has no token; not from another site's page | JSON |
 * | `json` | JSON; an empty body is `{}` | JSON |
 * | `jose` | `application/jose` or `application/jose+json`, as the text received | JSON |
 * | `sse` | none, and of our own page | JSON |
 *
 * @example
 * route(router, { method: 'POST', path: '/things', kind: 'json', body: z.strictObject({ name: z.string() }) },
 *   async (ctx, { body }) => { ctx.body = await things.add(body.name); });
 */
export function route<Query extends ZodType = ZodType<object>>(
  router: Router,
  options: RouteOptions<Query> & { readonly kind: 'jose' },
  handler: Handler<string, z.output<Query>>,
): void;
export function route<Body extends ZodType = ZodType<object>, Query extends ZodType = ZodType<object>>(
  router: Router,
  options: RouteOptions<Query> & { readonly kind: Exclude<Kind, 'jose'>; readonly body?: Body },
  handler: Handler<z.output<Body>, z.output<Query>>,
): void;
export function route(
  router: Router,
  options: RouteOptions<ZodType> & { readonly kind: Kind; readonly body?: ZodType },
  handler: Handler<never, never>,
): void {
  const { method, path, kind, limit, csp } = options;
  const bodySchema = strict(options.body ?? z.strictObject({}));
  const querySchema = options.query ?? z.object({});

  router.register(path, [method], async (anyCtx) => {
    const ctx = anyCtx as unknown as RouteContext;
    const shape = errorShape(ctx, kind);
    if (shape === 'page') pageHeaders(ctx, csp);
    else apiHeaders(ctx);
    try {
      // The router lets HEAD in with GET; a stream without a body would only be held open.
      if (kind === 'sse' && ctx.method === 'HEAD') throw new AppError('method_not_allowed', 'an event stream is read by GET');
      if (kind === 'sse') checkSite(ctx);
      if (kind === 'api-form') checkProgram(ctx);
      await limit?.limit.take(limit.by?.(ctx) ?? networkOf(ctx.ip));
      const query = parse(querySchema, { ...ctx.query });
      const body = method === 'POST' ? await parseBody(ctx, kind, bodySchema) : {};
      await handler(ctx, { body, query } as never);
    } catch (error) {
      // An event stream that is open already can only be ended.
      if (ctx.respond === false) ctx.res.destroy();
      else answerError(ctx, error, shape);
    }
  });
}

/** A stream is held open, so that no other site may have the browser open any; only a page of ours reads them. */
function checkSite(ctx: KoaContext) {
  if (isFromAnotherSite(ctx)) throw new AppError('access_denied', 'the request comes from another site');
}

/**
 * A form is what a page of another site can have a browser send, cookies and all, without asking us. What it cannot add is an Authorization header:
 * for that the browser asks first (Fetch §4.8), and is told nothing.
 */
function checkProgram(ctx: KoaContext) {
  if (ctx.get('Authorization') !== '') return;
  checkSite(ctx);
  const origin = ctx.get('Origin');
  if (origin && origin !== new URL(servicesOf(ctx).issuer).origin) throw new AppError('access_denied', 'the request comes from another origin');
}

function errorShape(ctx: KoaContext, kind: Kind): ErrorShape {
  if (kind === 'page') return 'page';
  if (kind === 'form') return ctx.accepts('html', 'json') === 'json' ? 'json' : 'page';
  return 'json';
}

async function parseBody(ctx: KoaContext, kind: Kind, schema: ZodType): Promise<unknown> {
  const types = CONTENT_TYPES[kind];
  if (!types) return {};
  const text = await readBody(ctx);
  const type = ctx.get('Content-Type').split(';', 1)[0]!.trim().toLowerCase();
  if ((text !== '' || type !== '' || kind !== 'json') && !types.includes(type)) {
    throw new AppError('unsupported_media_type', `send ${types.join(' or ')}`);
  }
  if (kind === 'jose') return text;
  if (kind === 'json') return parse(schema, parseJson(text));
  if (kind === 'api-form') return parse(schema, parseForm(text));
  const { csrf, ...fields } = parseForm(text);
  servicesOf(ctx).csrf.check(ctx, csrf);
  return parse(schema, fields);
}
