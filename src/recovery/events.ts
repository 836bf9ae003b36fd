declare module '../lib/events.ts' {
  interface EventMap {
    /** The account has been given new codes; those before are worthless. Hosts notify the account here. */
    'recovery.codes_made': { count: number };
    /** The account has no codes any more, since there is no factor left that they stand for. */
    'recovery.codes_voided': { count: number };
    /** Somebody signed in with a code. Unless `kept`, the account's phones and authenticators are gone. Hosts notify the account here. */
    'recovery.used': {
      /** Codes that the account has left. */
      left: number;
      kept: boolean;
      /** The provider's session in which it was used: unless `kept`, the only one of the account that goes on. */
      sessionUid: string | undefined;
    };
    /** Something was typed that is no unused code of the account. */
    'recovery.failed': object;
    /** An administrator took the account's second factors away, which ended its sessions. Hosts notify the account here. */
    'second_factor.reset': { by: string; authenticators: number; phones: number };
  }
}

export {};
