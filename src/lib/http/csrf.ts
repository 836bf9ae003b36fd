import type { Context as KoaContext } from 'koa';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { base64url, equal, hmac } from '../crypto.ts';
import type { Browsers } from './browser.ts';
import { isFromAnotherSite } from './fetch-metadata.ts';
import { servicesOf } from './services.ts';

export interface Csrf {
  /** The token for forms sent to this browser; sets the browser cookie where there is none. */
  token(ctx: KoaContext): string;
  /** Throws `invalid_csrf` unless the request comes from our own page in the browser that `token` was made for. */
  check(ctx: KoaContext, token: unknown): void;
}

/**
 * Creates the guard of form posts. Two independent checks, both must pass: the browser's own word on where the request
 * came from (Fetch Metadata and `Origin`), and a token that only a page of ours in the same browser can know.
 */
export function createCsrf({ issuer, keyRing }: Pick<Context, 'issuer' | 'keyRing'>, browsers: Browsers): Csrf {
  const keys = keyRing.derive('csrf tokens');
  const { origin } = new URL(issuer);
  const tokenOf = (key: Uint8Array, browserId: string) => base64url(hmac(key, browserId));

  function checkOrigin(ctx: KoaContext) {
    if (isFromAnotherSite(ctx)) throw new AppError('invalid_csrf', 'the request comes from another site');
    const sent = ctx.get('Origin');
    if (sent && sent !== origin) throw new AppError('invalid_csrf', 'the request comes from another origin');
  }

  return {
    token: (ctx) => tokenOf(keys[0], browsers.ensure(ctx)),
    check(ctx, token) {
      checkOrigin(ctx);
      const browserId = browsers.id(ctx);
      const valid =
        browserId !== undefined && typeof token === 'string' && keys.some((key) => equal(token, tokenOf(key, browserId)));
      if (!valid) throw new AppError('invalid_csrf', 'the form was not made for this browser, or cookies are off');
    },
  };
}

/** The anti-forgery token of this browser, for the hidden field `csrf`. */
export function csrfToken(ctx: KoaContext): string {
  return servicesOf(ctx).csrf.token(ctx);
}
