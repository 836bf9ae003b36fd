/** What an account may do here beside signing in. */
export type Role = 'admin';

declare module '../lib/events.ts' {
  interface EventMap {
    /** The account may administer from now on. */
    'role.granted': { accountId: string; role: Role };
    /** The account may not administer any more. */
    'role.revoked': { accountId: string; role: Role };
  }
}
