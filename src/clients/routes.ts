import type Router from '@koa/router';
import { AppError } from '../errors.ts';
import { route } from '../lib/http/route.ts';
import type { ClientRegistry } from './types.ts';

/** Seconds for which published keys may be kept. */
export const PUBLIC_FOR = 60;

/** What the provider hosts for its clients: their public keys, for whoever verifies what they sign (RFC 7517 §5). */
export function clientRoutes(router: Router, clients: Pick<ClientRegistry, 'jwks'>): void {
  route(router, { method: 'GET', path: '/clients/:id/jwks', kind: 'json' }, async (ctx) => {
    const jwks = await clients.jwks(ctx.params['id']!);
    if (!jwks) throw new AppError('not_found', 'there is no such client');
    ctx.set('Cache-Control', `public, max-age=${PUBLIC_FOR}`);
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.body = jwks;
    ctx.type = 'application/jwk-set+json';
  });
}
