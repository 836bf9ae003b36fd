declare module '../lib/events.ts' {
  interface EventMap {
    /** A device's passkey signed somebody in; `acr` is what it counted as. */
    'passkey.signed_in': { deviceId: string; acr: string };
  }
}

export {};
