import type { Middleware } from 'koa';
import type { AccountsService } from './types.ts';

interface EndSession {
  readonly oidc?: {
    readonly route?: string;
    readonly params?: { readonly logout?: unknown };
    readonly session?: { readonly accountId?: string };
  };
}

/** Goes around the provider: once it has ended a session, tells the other rooms. Its own event would not be waited for. */
export function tellSignOuts(accounts: Pick<AccountsService, 'signedOut'>): Middleware {
  return async (ctx, next) => {
    await next();
    const { oidc } = ctx as EndSession;
    if (oidc?.route !== 'end_session_confirm' || !oidc.params?.logout || ctx.status >= 400) return;
    const accountId = oidc.session?.accountId;
    if (accountId) await accounts.signedOut(accountId, { address: ctx.ip });
  };
}
