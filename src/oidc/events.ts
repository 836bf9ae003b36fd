declare module '../lib/events.ts' {
  interface EventMap {
    /** A person allowed a client all that it asked for, on the consent page. */
    'consent.granted': { scopes: readonly string[] };
    /** A person ended a request that a client had made. */
    'request.denied': { reason: string };
    /** What a lost device had made is over. */
    'device.sign_ins_ended': { sessions: number; grants: number };
    /** An account's sessions are over, but the one in which its password was changed, and with them what they granted. */
    'account.sign_ins_ended': { sessions: number; grants: number };
  }
}

export {};
