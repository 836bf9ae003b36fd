import type { Context as KoaContext } from 'koa';
import type { Client, Provider } from 'oidc-provider';
import type { Context } from '../../context.ts';
import { AppError, type ErrorCode } from '../../errors.ts';
import type { GuardedState } from '../../guard/guard.ts';
import type { ProtectOwn } from '../../guard/in-process.ts';
import { challenge } from '../../lib/http/headers.ts';
import { apiOf } from '../../lib/own-api.ts';
import { TWO_CALL_SCOPE, type TwoCallScope } from './scopes.ts';

/** Who calls: a registered client, or anybody, where that was allowed. */
export interface Caller {
  readonly client: Client | undefined;
}

export interface Callers {
  /**
   * The client that a request authenticates as, by HTTP Basic (RFC 6749 §2.3.1) or by an access token of its own (RFC 6750), if it may do what `scope` says.
   *
   * @returns undefined where the request has been answered, as a guarded resource answers
   * @throws AppError `invalid_client`, `invalid_token`, `insufficient_scope`, each with its challenge in `WWW-Authenticate`
   */
  authenticate(ctx: KoaContext, provider: Provider, scope: TwoCallScope): Promise<Caller | undefined>;
}

/** What is sent in the header of `client_secret_basic`; registered for the form, a client may use the header too, as at the token endpoint. */
const BY_SECRET = ['client_secret_basic', 'client_secret_post'];

/** Creates the check of callers. With `open`, a request without credentials is let in, as nobody. */
export function createCallers({ issuer, clock }: Pick<Context, 'issuer' | 'clock'>, { open, protect }: { open: boolean; protect: ProtectOwn }): Callers {
  const api = apiOf(issuer);
  const guardOf = (scope: TwoCallScope) => protect({ resource: api, scopes: [scope], realm: issuer });
  const guards = { [TWO_CALL_SCOPE.enrol]: guardOf(TWO_CALL_SCOPE.enrol), [TWO_CALL_SCOPE.validate]: guardOf(TWO_CALL_SCOPE.validate) };

  function refuse(ctx: KoaContext, scheme: 'Basic' | 'Bearer', code: ErrorCode, description: string, extra: Record<string, string> = {}): AppError {
    ctx.append('WWW-Authenticate', challenge(scheme, { realm: issuer, error: code, error_description: description, ...extra }));
    return new AppError(code, description, { extra });
  }

  /** By the client's metadata `tandem_resources`, as for its tokens; default nothing. */
  function mayAsk(client: Client, scope: TwoCallScope): boolean {
    const allowed = (client.tandem_resources as Record<string, unknown> | undefined)?.[api];
    return Array.isArray(allowed) && allowed.includes(scope);
  }

  async function byBasic(ctx: KoaContext, provider: Provider, credentials: string, scope: TwoCallScope): Promise<Client> {
    const given = readBasic(credentials);
    const client = given && (await provider.Client.find(given.id));
    const known = client && BY_SECRET.includes(client.clientAuthMethod ?? '') && client.clientSecret !== undefined;
    // The library compares in constant time.
    const matches = known === true && (await client.compareClientSecret(given.secret));
    if (!matches || isExpired(client)) throw refuse(ctx, 'Basic', 'invalid_client', 'client authentication failed');
    if (!mayAsk(client, scope)) throw refuse(ctx, 'Basic', 'insufficient_scope', `the client needs the scope ${scope} of ${api}`, { scope });
    return client;
  }

  function isExpired({ clientSecretExpiresAt: at }: Client): boolean {
    return typeof at === 'number' && at !== 0 && clock() >= at * 1000;
  }

  /** Undefined where the guard has answered. */
  async function byToken(ctx: KoaContext, provider: Provider, scope: TwoCallScope): Promise<Client | undefined> {
    let passed = false;
    await guards[scope](ctx as never, async () => void (passed = true));
    if (!passed) return undefined;
    const { auth } = ctx.state as GuardedState;
    const client = await provider.Client.find(auth.clientId);
    // A client's own token alone: what a person granted to a site says nothing of trying other people's passwords.
    if (!client || auth.subject !== undefined || auth.accountId !== undefined) throw refuse(ctx, 'Bearer', 'invalid_token', 'the access token must be of client credentials');
    // What an operator takes from a client is gone from the tokens that it has, too.
    if (!mayAsk(client, scope)) throw refuse(ctx, 'Bearer', 'insufficient_scope', `the client needs the scope ${scope} of ${api}`, { scope });
    return client;
  }

  return {
    async authenticate(ctx, provider, scope) {
      const [scheme = '', credentials = ''] = ctx.get('Authorization').trim().split(/ +/);
      if (/^basic$/i.test(scheme)) return { client: await byBasic(ctx, provider, credentials, scope) };
      if (/^(bearer|dpop)$/i.test(scheme)) {
        const client = await byToken(ctx, provider, scope);
        return client && { client };
      }
      if (open && ctx.get('Authorization') === '') return { client: undefined };
      // Without credentials there is nothing to find wrong with them (RFC 6750 §3.1).
      ctx.append('WWW-Authenticate', [challenge('Basic', { realm: issuer }), challenge('Bearer', { realm: issuer, scope })]);
      throw new AppError('invalid_client', 'authenticate as a client: HTTP Basic, or a Bearer token of client credentials');
    },
  };
}

/** Both halves are form-encoded before they are joined (RFC 6749 §2.3.1, appendix B). Undefined for what is no such pair. */
function readBasic(credentials: string): { id: string; secret: string } | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(credentials)) return undefined;
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1) return undefined;
  try {
    const [id, secret] = [text.slice(0, colon), text.slice(colon + 1)].map((half) => decodeURIComponent(half.replaceAll('+', ' ')));
    return id && secret ? { id, secret } : undefined;
  } catch {
    return undefined;
  }
}
