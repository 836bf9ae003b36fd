declare module '../../lib/events.ts' {
  interface EventMap {
    /** The client may enrol the account's first phone from now on, and read how far that is. */
    'account.given': { accountId: string; clientId: string };
    /** The client reaches the account no more; enrolments that it has under way end. */
    'account.taken': { accountId: string; clientId: string };
  }
}

export {};
