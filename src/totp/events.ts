import type { ActivatedBy } from './authenticators/authenticators.ts';

declare module '../lib/events.ts' {
  interface EventMap {
    /** An account was given a seed, which is of no use before its first code. */
    'totp.enrolment_started': { authenticatorId: string };
    /** The first code was typed: from now on the account signs in with a code; `first` where it did not before. Hosts notify the account here. */
    'totp.activated': { authenticatorId: string; name: string; by: ActivatedBy; first: boolean };
    /** A code was taken. */
    'totp.verified': { authenticatorId: string };
    /** A code was refused, the last of so many in a row; without an account where nobody's code was typed. */
    'totp.failed': { failures: number };
    /** So many codes were refused in a row that somebody else may be typing them, who has the password. Hosts notify the account here. */
    'totp.guessed': { failures: number };
    /** Too many codes were refused: none is taken until an authenticator is added anew. Hosts notify the account here. */
    'totp.switched_off': object;
    'totp.renamed': { authenticatorId: string; name: string };
    /** By the account, or with the others when it was recovered or reset. Hosts notify the account here. */
    'totp.removed': { authenticatorId: string; name: string; reason: 'account' | 'recovery' | 'reset' };
  }
}
