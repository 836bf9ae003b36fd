import Router from '@koa/router';
import type { Middleware } from 'koa';
import { methodNotAllowed } from '../lib/http/answers.ts';
import type { Http } from '../lib/http/http.ts';

/**
 * Answers the paths that are ours by their first segment, each with the routes below it alone: neither tokens nor polls look through
 * every page for theirs.
 */
export function ourPaths(router: Router, http: Http): Middleware {
  const first = (path: string) => path.split('/', 2)[1] ?? '';
  const routers = new Map<string, Router>();
  for (const layer of router.stack) {
    const segment = first(String(layer.path));
    const below = routers.get(segment) ?? new Router();
    below.stack.push(layer);
    routers.set(segment, below);
  }
  const ours = new Map<string, Middleware>([['assets', http.views.assets]]);
  for (const [segment, below] of routers) ours.set(segment, compose([http.middleware, below.routes() as unknown as Middleware, methodNotAllowed()]));
  return (ctx, next) => (ours.get(first(ctx.path)) ?? pass)(ctx, next);
}

const pass: Middleware = (_ctx, next) => next();

/** One middleware of several, put together once. */
export function compose(stack: readonly Middleware[]): Middleware {
  return stack.reduceRight<Middleware>(
    (rest, each) => (ctx, next) => each(ctx, async () => rest(ctx, next)),
    pass,
  );
}
