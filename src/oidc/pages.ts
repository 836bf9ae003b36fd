import type { Configuration, ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import type { Context as KoaContext } from 'koa';
import { referenceOf } from '../lib/http/answers.ts';
import { pageHeaders } from '../lib/http/headers.ts';
import { Html } from '../lib/views/html.ts';
import type { Views } from '../lib/views/views.ts';

/** The pages that the provider itself asks for, as views of ours. */
export interface ProviderPages {
  readonly renderError: NonNullable<Configuration['renderError']>;
  logoutSource(ctx: KoaContextWithOIDC, form: string): Promise<void>;
  postLogoutSuccessSource(ctx: KoaContextWithOIDC): Promise<void>;
}

/** Errors that a person can mend by starting over, in contrast to those that only the client's developer can. */
const START_OVER = new Set(['access_denied', 'login_required', 'interaction_required', 'invalid_request:session']);

export function createProviderPages(views: Views): ProviderPages {
  const plain = (ctx: KoaContextWithOIDC) => ctx as unknown as KoaContext;

  function prepare(ctx: KoaContextWithOIDC): KoaContext {
    pageHeaders(plain(ctx));
    const asked = ctx.oidc?.params?.ui_locales;
    if (asked) views.prefer(plain(ctx), asked);
    return plain(ctx);
  }

  return {
    async renderError(ctx, out: ErrorOut, error) {
      const page = prepare(ctx);
      const expired = error.name === 'SessionNotFound' || START_OVER.has(out.error);
      const broken = out.error === 'server_error';
      const data = { expired, code: out.error, description: broken ? '' : (out.error_description ?? ''), reference: broken ? referenceOf(page) : '' };
      views.render(page, 'oidc/error', data, { status: ctx.status, title: views.text(page, `oidc.error_title`) });
    },

    async logoutSource(ctx, form) {
      const page = prepare(ctx);
      const { client } = ctx.oidc;
      const name = client?.clientName ?? client?.clientId ?? '';
      // The form is the library's: an id, an action under the issuer, and one hidden token.
      const data = { form: new Html(form), client: name };
      views.render(page, 'oidc/logout', data, { title: views.text(page, 'oidc.logout_title') });
    },

    async postLogoutSuccessSource(ctx) {
      const page = prepare(ctx);
      const data = { client: ctx.oidc.client?.clientName ?? '', uri: ctx.oidc.client?.clientUri ?? '' };
      views.render(page, 'oidc/signed-out', data, { title: views.text(page, 'oidc.signed_out_title') });
    },
  };
}
