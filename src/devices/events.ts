/** Why a device stopped being one: put away, lost, or never confirmed in the browser. */
export type RevocationReason = 'retired' | 'lost' | 'unconfirmed';

/** Who ended it: the account, the device itself, an enrolment that was not confirmed, a recovery code, or an administrator, with all factors or alone. */
export type RevokedBy = 'account' | 'device' | 'enrolment' | 'recovery' | 'reset' | 'administrator';

declare module '../lib/events.ts' {
  interface EventMap {
    /** An enrolment ticket was made; `acr` is the strength of the sign-in that asked for it. */
    'device.enrolment_started': { enrolmentId: string; acr: string | undefined };
    /** A phone presented the ticket and its keys; it waits for its confirm code. */
    'device.enrolled': { enrolmentId: string; deviceId: string; name: string; platform: string; userVerifying: boolean };
    /** The confirm code was typed: the device can sign in. Hosts notify the account here. */
    'device.confirmed': {
      enrolmentId: string;
      deviceId: string;
      name: string;
      userVerifying: boolean;
      cappedUntil: number | undefined;
      /** The account's phones had lately been reported lost by somebody who proved less than adding one takes. Worth a louder notice. */
      afterUnprovenLoss: boolean;
    };
    /** A wrong confirm code was typed; `triesLeft` 0 ends the enrolment. */
    'device.confirm_failed': { enrolmentId: string; deviceId: string; triesLeft: number };
    'device.enrolment_cancelled': { enrolmentId: string };
    /** The user-verifying key vouched for a new presence key; the one before is worthless. Hosts notify the account here. */
    'device.rekeyed': { deviceId: string; name: string };
    'device.renamed': { deviceId: string; name: string };
    /**
     * From now on every call of the device is refused. `lost` also ends the sessions and grants that it made. Where the account ended it,
     * `proven` tells whether the sign-in had proven as much as adding a phone takes; of a device that ended itself it is false where that had not.
     */
    'device.revoked': { deviceId: string; reason: RevocationReason; by: RevokedBy; name?: string; proven?: boolean };
  }
}
