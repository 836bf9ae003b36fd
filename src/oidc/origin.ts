import type { Context as KoaContext, Middleware } from 'koa';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { carriedAcr, requestedAcr } from './acr.ts';

/**
 * Pins what the provider sees of a request's origin to the issuer, whatever `Host` or `X-Forwarded-*` say: the library
 * builds its URLs, cookies and checks (the `htu` of a DPoP proof) from them. Then a forged Host ends in no link, and a
 * provider mounted under a path, or behind a proxy that takes one away, needs no settings of its own.
 */
export function pinOrigin(issuer: string, provider: Provider): Middleware {
  const { host, hostname, origin, protocol } = new URL(issuer);
  const scheme = protocol.slice(0, -1);
  const pinned = {
    protocol: { get: () => scheme, configurable: true },
    secure: { get: () => scheme === 'https', configurable: true },
    host: { get: () => host, configurable: true },
    hostname: { get: () => hostname, configurable: true },
    origin: { get: () => origin, configurable: true },
  };

  // Requests that the provider itself receives inherit all of it, the cookies' keys too: nothing is left to do for each.
  const { request: own } = provider as unknown as { request: object };
  Object.defineProperties(own, pinned);

  return async (ctx, next) => {
    ctx.req.headers.host = host;
    delete ctx.req.headers['x-forwarded-host'];
    if (!Object.prototype.isPrototypeOf.call(own, ctx.request)) {
      Object.defineProperties(ctx.request, pinned);
      ctx.cookies = cookiesOf(provider, ctx, scheme === 'https');
    }
    await next();
  };
}

/** The provider's cookies: mounted in an app of the host, the request has the app's, with other keys or none. */
function cookiesOf(provider: Provider, ctx: KoaContext, secure: boolean): KoaContext['cookies'] {
  const { cookies } = provider.createContext(ctx.req, ctx.res);
  (cookies as { secure?: boolean }).secure = secure;
  return cookies;
}

/**
 * Gives the provider's own view of a request two answers of ours: URLs come from the issuer alone, and `acr` is the
 * requested value that the session satisfies, else the session's.
 */
export function adjustContext(provider: Provider): void {
  const { prototype } = (provider as unknown as { OIDCContext: { prototype: object } }).OIDCContext;
  Object.defineProperties(prototype, {
    urlFor: { value: (name: string, options?: object) => provider.urlFor(name, options as never), configurable: true },
    acr: {
      get(this: KoaContextWithOIDC['oidc']) {
        return carriedAcr(this.session?.acr, requestedAcr(this.params ?? {}));
      },
      configurable: true,
    },
  });
}
