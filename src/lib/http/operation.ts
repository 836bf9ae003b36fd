import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import { z, type ZodObject, type ZodType } from 'zod';
import { AppError, type ErrorCode } from '../../errors.ts';
import type { Actor } from '../actor.ts';
import type { Limit } from '../limits.ts';
import { networkOf } from '../network.ts';
import { answerError, OPERATION } from './answers.ts';
import { parseForm, parseJson, readBody } from './body.ts';
import { apiHeaders, challenge } from './headers.ts';
import { parse, strict } from './parsing.ts';
import type { RouteContext } from './route.ts';
import { servicesOf } from './services.ts';

/** Who may call: clients for themselves, those and people who administer, or anybody. */
export type Callers = 'clients' | 'administrators' | 'public';

/** Who calls an operation, by the access token that was sent. */
export interface ApiCaller {
  readonly clientId: string;
  /** The administrator for whom the client calls; undefined where it calls for itself. */
  readonly accountId: string | undefined;
  /** The scopes of the token. */
  readonly scopes: readonly string[];
  /** Who this is to the services and the audit log. */
  readonly actor: Actor;
  /** What the token says. Times in seconds since the epoch. */
  readonly auth: {
    readonly subject: string | undefined;
    readonly acr: string | undefined;
    readonly amr: readonly string[];
    readonly authTime: number | undefined;
    readonly expiresAt: number;
  };
}

/**
 * Tells who calls, if they may.
 *
 * @throws AppError with its challenge in `WWW-Authenticate`
 */
export type Authorize = (ctx: KoaContext, scope: string, callers: Exclude<Callers, 'public'>) => Promise<ApiCaller>;

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** An operation as the OpenAPI document tells of it. */
export interface Operation {
  readonly method: Method;
  /** As the router has it: `/api/admin/clients/:id`. */
  readonly path: string;
  /** In camel case, unique: names the operation in generated code. */
  readonly operationId: string;
  /** The noun under which documents group it. */
  readonly tag: string;
  /** One line, without a full stop. */
  readonly summary: string;
  readonly description?: string;
  readonly callers: Callers;
  /** The scope of `{issuer}/api` that it takes; one of its own for each operation. */
  readonly scope?: string;
  /** Strings, as all of a URL is. What does not fit is 404. */
  readonly params?: ZodObject;
  /** Strings, each sent once at most: use `z.coerce` for numbers, and `z.stringbool()`. */
  readonly query?: ZodObject;
  /** Request headers beside the common ones, such as `Idempotency-Key`; undefined where one is not sent. */
  readonly headers?: ZodObject;
  readonly body?: ZodType;
  /** What the body may be sent as; default: `['json']`. */
  readonly bodyTypes?: ReadonlyArray<'json' | 'form'>;
  /** Bytes; default: 64 KiB. */
  readonly maxBody?: number;
  /** What is answered; members that it does not name are left out. Without it the answer is empty: 204. */
  readonly answer?: ZodType;
  /** The media type of an answer that is no JSON; the handler sets `ctx.body` and returns nothing. */
  readonly answerType?: string;
  /** Of success; default: 200, and 204 where nothing is answered. A handler may set another of the 2xx. */
  readonly status?: 200 | 201 | 202 | 204;
  /** Codes that the handler answers with, beside those of every operation. */
  readonly errors?: readonly ErrorCode[];
  readonly example?: { readonly body?: unknown; readonly answer?: unknown };
  /** Of one whose route is registered elsewhere: how callers prove themselves. Its errors are plain JSON. */
  readonly elsewhere?: { readonly security: ReadonlyArray<Readonly<Record<string, readonly string[]>>> };
}

interface Definition<P extends ZodObject, Q extends ZodObject, H extends ZodObject, B extends ZodType, A extends ZodType> extends Operation {
  readonly params?: P;
  readonly query?: Q;
  readonly headers?: H;
  readonly body?: B;
  readonly answer?: A;
  readonly elsewhere?: never;
  /** By the calling client, or the network address where there is none, unless told otherwise. */
  readonly limit?: { readonly limit: Limit; readonly by?: (ctx: RouteContext, caller: ApiCaller | undefined) => string };
}

interface Input<P extends ZodType, Q extends ZodType, H extends ZodType, B extends ZodType, C> {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly headers: z.output<H>;
  readonly body: z.output<B>;
  readonly caller: C;
}

type Handler<In, A extends ZodType> = (ctx: RouteContext, input: In) => Promise<z.input<A>>;

/** Where operations are put: the routes of the provider's own API. */
export interface Api {
  readonly router: Router;
  readonly authorize: Authorize;
  /** All that there are, for the OpenAPI document. */
  readonly operations: readonly Operation[];
  /** Takes an operation into the document whose route is registered elsewhere. */
  describe(operation: Operation): void;
}

/** Creates the API that operations are declared on. */
export function createApi({ router, authorize }: { router: Router; authorize: Authorize }): Api {
  const operations: Operation[] = [];
  return {
    router,
    authorize,
    operations,
    describe(operation) {
      if (operations.some(({ operationId }) => operationId === operation.operationId)) throw new Error(`the operation ${operation.operationId} is declared twice`);
      operations.push(operation);
    },
  };
}

/**
 * Declares an operation of the API: registers its route behind the guard, and takes it into the OpenAPI document.
 *
 * A call is authorised first, then limited, then validated strictly: unknown fields and query parameters, and those sent twice, are
 * refused. Errors are problem details (RFC 9457) with challenges (RFC 6750 §3).
 *
 * @example
 * operation(api, {
 *   method: 'POST', path: '/api/things', operationId: 'createThing', tag: 'things', summary: 'Make a thing',
 *   callers: 'clients', scope: 'things:create',
 *   body: z.strictObject({ name: z.string() }), answer: z.object({ id: z.string() }), status: 201, errors: ['conflict'],
 * }, async (_ctx, { body, caller }) => things.create(caller.clientId, body.name));
 */
export function operation<
  P extends ZodObject = ZodObject<Record<never, never>>, Q extends ZodObject = ZodObject<Record<never, never>>,
  H extends ZodObject = ZodObject<Record<never, never>>, B extends ZodType = ZodType<object>, A extends ZodType = z.ZodVoid,
>(api: Api, definition: Definition<P, Q, H, B, A> & { readonly callers: 'public'; readonly scope?: undefined }, handler: Handler<Input<P, Q, H, B, undefined>, A>): void;
export function operation<
  P extends ZodObject = ZodObject<Record<never, never>>, Q extends ZodObject = ZodObject<Record<never, never>>,
  H extends ZodObject = ZodObject<Record<never, never>>, B extends ZodType = ZodType<object>, A extends ZodType = z.ZodVoid,
>(api: Api, definition: Definition<P, Q, H, B, A> & { readonly callers: 'clients' | 'administrators'; readonly scope: string }, handler: Handler<Input<P, Q, H, B, ApiCaller>, A>): void;
export function operation(api: Api, definition: Definition<ZodObject, ZodObject, ZodObject, ZodType, ZodType>, handler: Handler<never, ZodType>): void {
  const { method, path, operationId, callers, scope, limit, answer, answerType } = definition;
  const read = createReader(definition);
  const status = definition.status ?? (answer || answerType !== undefined ? 200 : 204);
  api.describe(definition);

  async function perform(ctx: RouteContext): Promise<void> {
    const caller = callers === 'public' ? undefined : await api.authorize(ctx, scope!, callers);
    await limit?.limit.take(limit.by?.(ctx, caller) ?? caller?.clientId ?? networkOf(ctx.ip));
    const input = { ...(await read(ctx)), caller };
    ctx.status = status;
    const value = (await handler(ctx, input as never)) as unknown;
    // What a service knows beyond the schema is not told.
    if (answer) ctx.body = answer.parse(value);
    else if (answerType === undefined) ctx.status = 204;
  }

  api.router.register(path, [method], async (anyCtx) => {
    const ctx = anyCtx as unknown as RouteContext;
    apiHeaders(ctx);
    try {
      await perform(ctx);
    } catch (error) {
      answerError(ctx, error, 'problem');
      if (error instanceof AppError) addChallenge(ctx, error, scope);
    }
  }, { name: OPERATION + operationId });
}

/** The codes of challenges: RFC 6750 §3.1, RFC 9470 §3. */
const IN_CHALLENGES: ReadonlySet<string> = new Set(['invalid_token', 'insufficient_scope', 'insufficient_user_authentication']);

/** Refused by a service rather than by the guard, a caller is told no less of what to ask for (RFC 6750 §3). */
function addChallenge(ctx: KoaContext, { code, status, message, extra }: AppError, scope: string | undefined): void {
  const told = ctx.response.headers['www-authenticate'] !== undefined;
  if (scope === undefined || told || (status !== 401 && status !== 403)) return;
  const { issuer: realm } = servicesOf(ctx);
  const lacking = typeof extra['scope'] === 'string' ? extra['scope'] : scope;
  const description = message.replace(/[^\x20-\x7e]/g, '?');
  ctx.set('WWW-Authenticate', challenge('Bearer', IN_CHALLENGES.has(code) ? { realm, error: code, error_description: description, scope: lacking } : { realm, scope }));
}

/** Reads what a call says, in the order in which it is found wrong. */
function createReader({ method, params, query, headers, body, bodyTypes = ['json'], maxBody }: Definition<ZodObject, ZodObject, ZodObject, ZodType, ZodType>) {
  const empty = z.strictObject({});
  const schemas = { query: strict(query ?? empty), body: strict(body ?? empty) };
  const names = Object.keys(headers?.shape ?? {});
  const hasBody = body !== undefined || ['POST', 'PUT', 'PATCH'].includes(method);

  return async (ctx: RouteContext) => ({
    params: params ? readParams(params, ctx.params) : ctx.params,
    query: parse(schemas.query, queryOf(ctx)),
    headers: headers ? parse(headers, Object.fromEntries(names.flatMap((name) => (ctx.get(name) === '' ? [] : [[name, ctx.get(name)]])))) : {},
    body: hasBody ? parse(schemas.body, await bodyOf(ctx, bodyTypes, maxBody)) : {},
  });
}

/** A name that can be no name of anything is that of nothing. */
function readParams(schema: ZodObject, values: Readonly<Record<string, string>>): unknown {
  const result = schema.safeParse(values);
  if (!result.success) throw new AppError('not_found', 'there is nothing under this address');
  return result.data;
}

function queryOf(ctx: KoaContext): Record<string, string> {
  const twice = Object.keys(ctx.query).find((name) => Array.isArray(ctx.query[name]));
  if (twice !== undefined) throw new AppError('invalid_request', `the query parameter ${JSON.stringify(twice.slice(0, 60))} is sent twice`);
  return { ...ctx.query } as Record<string, string>;
}

const MEDIA_TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' } as const;

async function bodyOf(ctx: KoaContext, types: ReadonlyArray<'json' | 'form'>, max: number | undefined): Promise<unknown> {
  const text = await readBody(ctx, max);
  const sent = ctx.get('Content-Type').split(';', 1)[0]!.trim().toLowerCase();
  if (text === '' && sent === '') return {};
  const type = types.find((each) => MEDIA_TYPES[each] === sent);
  if (!type) throw new AppError('unsupported_media_type', `send ${types.map((each) => MEDIA_TYPES[each]).join(' or ')}`);
  return type === 'json' ? parseJson(text) : parseForm(text);
}
