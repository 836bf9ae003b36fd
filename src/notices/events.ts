declare module '../lib/events.ts' {
  interface EventMap {
    /** A notice has been handed to the mail server, the folder or the host's hook. */
    'notice.sent': { kind: string };
    /** A notice will not arrive: the account has no address for it, the address was refused, or it was tried for three days. */
    'notice.failed': { kind: string; reason: 'no_address' | 'refused' | 'too_long' };
  }
}

export {};
