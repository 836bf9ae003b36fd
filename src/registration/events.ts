import type { RegistrationPolicy } from './types.ts';

declare module '../lib/events.ts' {
  interface EventMap {
    /** `expiresAt`: milliseconds since the epoch. */
    'registration_token.created': { tokenId: string; label: string; policy: RegistrationPolicy; expiresAt: number };
    'registration_token.revoked': { tokenId: string; label: string };
    /** A client registered itself with the token, which is worth nothing from now on. */
    'registration_token.used': { tokenId: string; label: string; clientId: string };
  }
}

export {};
