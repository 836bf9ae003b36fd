import type { Grant, KoaContextWithOIDC } from 'oidc-provider';
import { BUILT_IN_CLIENT } from './built-in-client.ts';
import type { Ledger } from './ledger/ledger.ts';

type LoadExistingGrant = (ctx: KoaContextWithOIDC) => Promise<Grant | undefined> | Grant | undefined;
/** Makes the provider's `loadExistingGrant` around a host's own, if it has one. */
export type GrantLoader = (hostLoader: LoadExistingGrant | undefined) => (ctx: KoaContextWithOIDC) => Promise<Grant | undefined>;

/**
 * The one place where consent becomes a grant: the person approved all that the request asks (on the consent page, or
 * on the phone), or the client is of the provider's own house. Here the request's scopes, claims and resources are
 * resolved, which an interaction does not know.
 */
export function createGrantLoader(ledger: Pick<Ledger, 'record'>): GrantLoader {
  return (hostLoader = loadSessionGrant) =>
    async (ctx) => {
      let grant = await hostLoader(ctx);
      if (approvesAll(ctx)) grant = await approveAll(ctx, grant);
      await ledger.record(ctx, grant?.jti);
      return grant;
    };
}

async function loadSessionGrant({ oidc }: KoaContextWithOIDC): Promise<Grant | undefined> {
  const grantId = oidc.result?.consent?.grantId ?? (oidc.client && oidc.session?.grantIdFor(oidc.client.clientId));
  return grantId ? oidc.provider.Grant.find(grantId) : undefined;
}

function approvesAll({ oidc }: KoaContextWithOIDC): boolean {
  if ((oidc.result?.consent as { all?: unknown } | undefined)?.all === true) return true;
  if (oidc.client?.clientId === BUILT_IN_CLIENT) return true;
  return oidc.client?.tandem_consent === 'implicit' && !oidc.promptPending('consent');
}

async function approveAll(ctx: KoaContextWithOIDC, existing: Grant | undefined): Promise<Grant> {
  const { oidc } = ctx;
  const grant = existing ?? new oidc.provider.Grant({ accountId: oidc.account!.accountId, clientId: oidc.client!.clientId });
  const before = JSON.stringify([grant.openid, grant.resources]);
  const scopes = [...oidc.requestParamOIDCScopes];
  if (scopes.length) grant.addOIDCScope(scopes.join(' '));
  const claims = [...oidc.requestParamClaims];
  if (claims.length) grant.addOIDCClaims(claims);
  for (const [indicator, server] of Object.entries(oidc.resourceServers ?? {})) {
    const wanted = [...oidc.requestParamScopes].filter((scope) => server.scopes.has(scope));
    if (wanted.length) grant.addResourceScope(indicator, wanted.join(' '));
  }
  if (!grant.jti || JSON.stringify([grant.openid, grant.resources]) !== before) await grant.save();
  return grant;
}
