import type { Context as KoaContext } from 'koa';

/**
 * Whether the browser says that another site has made it send this request (Fetch Metadata). `none` is a request that the person made without any
 * page, which no attacker's page can forge; programs say nothing.
 */
export function isFromAnotherSite(ctx: KoaContext): boolean {
  const site = ctx.get('Sec-Fetch-Site');
  return site !== '' && site !== 'same-origin' && site !== 'none';
}
