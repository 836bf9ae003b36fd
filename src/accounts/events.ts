declare module '../lib/events.ts' {
  interface EventMap {
    'account.registered': { accountId: string };
    /** Somebody else made it: an administrator, or a client for whoever registered there. */
    'account.created': { accountId: string };
    /** Without `accountId` where the address belongs to no account; what was typed is never kept, it may be a password. */
    'account.password_failed': { accountId: string | undefined };
    'account.signed_in': { accountId: string; method: 'password' };
    'account.signed_out': { accountId: string };
    /** Hosts notify the account here. */
    'account.password_changed': {
      accountId: string;
      /** The provider's session in which it was changed: the only one of the account that goes on. */
      sessionUid: string | undefined;
    };
    'account.profile_changed': { accountId: string };
  }
}

export {};
