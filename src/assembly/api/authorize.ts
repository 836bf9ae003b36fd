import type { Context as KoaContext } from 'koa';
import type { Roles } from '../../admin/roles/roles.ts';
import type { Context } from '../../context.ts';
import { AppError, type ErrorCode } from '../../errors.ts';
import type { GuardedState } from '../../guard/guard.ts';
import type { ProtectOwn } from '../../guard/in-process.ts';
import type { TokenAuth } from '../../guard/tokens/token.ts';
import { challenge } from '../../lib/http/headers.ts';
import type { ApiCaller, Authorize } from '../../lib/http/operation.ts';
import { apiOf } from '../../lib/own-api.ts';
import type { AccessTokens } from '../../oidc/access-tokens.ts';
import { ACR, satisfies } from '../../oidc/acr.ts';

interface Parts {
  readonly protect: ProtectOwn;
  readonly tokens: AccessTokens;
  readonly roles: Pick<Roles, 'isAdmin'>;
}

/** Asks of a token what every operation asks: that it counts, has the scope, and that who bears it still may. */
export function createAuthorize({ issuer }: Pick<Context, 'issuer'>, { protect, tokens, roles }: Parts): Authorize {
  const indicator = apiOf(issuer);
  const guards = new Map<string, ReturnType<ProtectOwn>>();

  function guardOf(scope: string) {
    const guard = guards.get(scope) ?? protect({ resource: indicator, scopes: [scope], realm: issuer });
    guards.set(scope, guard);
    return guard;
  }

  function refuse(ctx: KoaContext, code: ErrorCode, description: string, extra: Readonly<Record<string, string>>): AppError {
    ctx.set('WWW-Authenticate', challenge(/^dpop /i.test(ctx.get('Authorization')) ? 'DPoP' : 'Bearer', { realm: issuer, error: code, error_description: description, ...extra }));
    return new AppError(code, description, { extra });
  }

  /** The guard answers for itself; here its answer is made one of this API. Its challenges stay. */
  async function tokenOf(ctx: KoaContext, scope: string): Promise<TokenAuth> {
    let passed = false;
    await guardOf(scope)(ctx as never, async () => void (passed = true));
    if (passed) return (ctx.state as GuardedState).auth;
    const { error, error_description: description } = ctx.body as { error: ErrorCode; error_description: string };
    throw new AppError(error, error === 'insufficient_scope' ? `the access token lacks the scope ${scope}` : description, { extra: error === 'insufficient_scope' ? { scope } : {} });
  }

  /** An administrator, who has signed in with two factors (RFC 9470). */
  async function checkPerson(ctx: KoaContext, { accountId, acr }: TokenAuth, scope: string) {
    if (accountId === undefined || !(await roles.isAdmin(accountId))) throw new AppError('access_denied', 'only administrators may do this');
    if (!satisfies(acr, ACR.two)) throw refuse(ctx, 'insufficient_user_authentication', 'a sign-in with two factors is needed', { scope, acr_values: ACR.two });
  }

  return async (ctx, scope, callers): Promise<ApiCaller> => {
    const auth = await tokenOf(ctx, scope);
    const { clientId, accountId, scopes } = auth;
    const grants = await tokens.grantsOf(clientId, indicator, ctx);
    const isPerson = auth.subject !== undefined || accountId !== undefined;
    // What a person has granted to a site is no business of other people's accounts.
    if (!grants || (isPerson && callers === 'clients')) throw refuse(ctx, 'invalid_token', 'the access token must be of client credentials', {});
    // What an operator takes from a client is gone from the tokens that it has, too.
    if (!grants.includes(scope)) throw refuse(ctx, 'insufficient_scope', `the client may no longer ask for the scope ${scope}`, { scope });
    if (isPerson) await checkPerson(ctx, auth, scope);
    const address = ctx.ip;
    return {
      clientId,
      accountId,
      scopes,
      auth,
      actor: accountId === undefined
        ? { kind: 'client', id: clientId, address, authority: new Set(grants) }
        // The person may do anything, but lets this client do no more than it was asked for: or it would help itself to the rest.
        : { kind: 'account', id: accountId, clientId, address, authority: new Set(scopes.filter((each) => grants.includes(each))) },
    };
  };
}
