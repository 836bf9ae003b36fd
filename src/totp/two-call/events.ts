declare module '../../lib/events.ts' {
  interface EventMap {
    /** A password was proven by the two-call API, and a ticket made. With `authenticatorId` where a QR code was given out. */
    'two_call.started': { authenticatorId: string | undefined };
    /** A code was proven with that ticket, and a token made; `activated` where it was the authenticator's first. */
    'two_call.signed_in': { authenticatorId: string; activated: boolean };
  }
}

export {};
