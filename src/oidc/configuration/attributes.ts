import type { FindAccount } from 'oidc-provider';

/**
 * Gives a client no more of a person than the attributes that it is allowed (`tandem_attributes`), whatever scopes and claims it asks for, in ID
 * tokens and at UserInfo alike. The subject is no attribute; a client without such a list gets what its scopes tell.
 */
export function withinAttributes(findAccount: FindAccount): FindAccount {
  return async (ctx, sub, token) => {
    const account = await findAccount(ctx, sub, token);
    if (!account) return account;
    // A derived object, as a host's account may be one that it keeps.
    return Object.create(account, {
      accountId: { value: account.accountId, enumerable: true },
      claims: {
        async value(...args: Parameters<typeof account.claims>) {
          const claims = await account.claims(...args);
          const allowed = ctx.oidc?.client?.tandem_attributes;
          if (!Array.isArray(allowed)) return claims;
          return Object.fromEntries(Object.entries(claims).filter(([name]) => name === 'sub' || allowed.includes(name))) as typeof claims;
        },
      },
    }) as typeof account;
  };
}
