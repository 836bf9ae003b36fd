import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import type { Roles } from '../admin/roles/roles.ts';
import type { Context } from '../context.ts';
import { AppError, type ErrorCode } from '../errors.ts';
import type { GuardedState } from '../guard/guard.ts';
import type { ProtectOwn } from '../guard/in-process.ts';
import type { TokenAuth } from '../guard/tokens/token.ts';
import { base64url, sha256 } from '../lib/crypto.ts';
import { apiHeaders, challenge } from '../lib/http/headers.ts';
import { openApiOf } from '../lib/http/openapi.ts';
import { createApi, type Api, type ApiCaller, type Authorize } from '../lib/http/operation.ts';
import { packageVersion } from '../lib/views/package-root.ts';
import type { AccessTokens } from '../oidc/access-tokens.ts';
import { ACR, satisfies } from '../oidc/acr.ts';
import type { Resource } from '../oidc/configuration/resources.ts';
import { apiOf } from '../totp/two-call/resource.ts';
import type { Frame } from './frame.ts';

/** Where the document of the API is. */
const DOCUMENT_PATH = '/openapi.json';
/** Seconds that it may be kept. */
const KEPT_FOR = 300;

interface Parts {
  readonly protect: ProtectOwn;
  readonly tokens: AccessTokens;
  readonly roles: Pick<Roles, 'isAdmin'>;
}

/** Creates the provider's own API, whose operations take access tokens for `{issuer}/api`. */
export function createOwnApi(context: Pick<Context, 'issuer'>, { router, ...parts }: Parts & { router: Router }): Api {
  return createApi({ router, authorize: createAuthorize(context, parts) });
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

/** Serves the OpenAPI document of what is declared, where anything is: to any site, as it holds nothing but what the code says. */
export function addDocument({ context, options, api, oidc, resources, router }: Frame): void {
  if (api.operations.length === 0) return;
  let made: { text: string; tag: string } | undefined;

  async function make() {
    const [resource, name] = [apiOf(context.issuer), options.theme?.name];
    const text = JSON.stringify(openApiOf(api.operations, {
      issuer: context.issuer,
      resource,
      title: `The API of ${name ?? 'Tandem'}`,
      version: packageVersion(),
      scopes: wordsOf(await resources.find(resource)),
      tokenUrl: oidc.endpoint('token'),
      authorizationUrl: oidc.endpoint('authorization'),
    }), undefined, 2);
    return { text, tag: `"${base64url(sha256(text))}"` };
  }

  router.get(DOCUMENT_PATH, async (anyCtx) => {
    const ctx = anyCtx as unknown as KoaContext;
    apiHeaders(ctx);
    const { text, tag } = (made ??= await make());
    ctx.set({ 'Access-Control-Allow-Origin': '*', 'Cache-Control': `public, max-age=${KEPT_FOR}`, ETag: tag });
    ctx.status = 200;
    ctx.type = 'json';
    if (ctx.fresh) ctx.status = 304;
    else ctx.body = text;
  });
}

/** In English: documents are for those who write programs. */
function wordsOf(resource: Resource | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(resource?.scopes ?? {}).map(([scope, given]) => {
    const words = typeof given === 'string' ? given : given.description;
    return [scope, typeof words === 'string' ? words : (words['en'] ?? scope)];
  }));
}
