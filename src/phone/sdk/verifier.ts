import { PhoneError } from './errors.ts';

/** Options for a new credential in WebAuthn's JSON form (WebAuthn L3 §5.1, `PublicKeyCredentialCreationOptionsJSON`). */
export interface CredentialOptions {
  readonly rp: { readonly id?: string; readonly name: string };
  readonly user: { readonly id: string; readonly name: string; readonly displayName: string };
  readonly challenge: string;
  readonly pubKeyCredParams?: ReadonlyArray<{ readonly type: 'public-key'; readonly alg: number }>;
  readonly [member: string]: unknown;
}

/** `RegistrationResponseJSON` of WebAuthn L3 §5.1. */
export interface Registration {
  readonly id: string;
  readonly rawId: string;
  readonly type: 'public-key';
  readonly response: { readonly clientDataJSON: string; readonly attestationObject: string; readonly transports?: string[] };
  readonly clientExtensionResults: object;
  readonly authenticatorAttachment?: string;
}

/** `AuthenticationResponseJSON` of WebAuthn L3 §5.1. */
export interface Assertion {
  readonly id: string;
  readonly rawId: string;
  readonly type: 'public-key';
  readonly response: {
    readonly clientDataJSON: string;
    readonly authenticatorData: string;
    readonly signature: string;
    readonly userHandle?: string;
  };
  readonly clientExtensionResults: object;
  readonly authenticatorAttachment?: string;
}

/**
 * The user-verifying key of a phone: one that a PIN or biometry gates. In a browser it is WebAuthn; see `webAuthnVerifier`.
 */
export interface Verifier {
  /** Whether this phone can verify its user at all. */
  available(): Promise<boolean>;
  /** Makes a credential; undefined where the person declined, and the phone goes on with its presence key alone. */
  create(options: CredentialOptions): Promise<Registration | undefined>;
  /**
   * Verifies the user and signs `challenge` (base64url): by this credential, or without one by whichever of `rpId` the
   * person chooses. `timeout` is in milliseconds, and up to the phone unless given.
   *
   * @throws {PhoneError} `verification_failed`
   */
  get(options: { challenge: string; rpId: string; credentialId?: string; timeout?: number }): Promise<Assertion>;
}

/** A phone without a user-verifying key: presence only. */
export const presenceOnly: Verifier = {
  available: () => Promise.resolve(false),
  create: () => Promise.resolve(undefined),
  get: () => Promise.reject(new PhoneError('verification_failed', 'this phone has no user-verifying key')),
};
