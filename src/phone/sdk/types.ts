import type { KeyStore, PhoneAccount } from './key-store.ts';
import type { Keys } from './keys.ts';
import type { EnrolmentLink, SignInLink, TypedCode } from './links.ts';
import type { Platform } from './platform.ts';
import type { SignInRequest } from './request.ts';
import type { CredentialOptions, Verifier } from './verifier.ts';

/** What {@link createPhone} may be given; all of it has a default. */
export interface PhoneOptions extends Partial<Platform> {
  /** Where accounts and keys are kept; the default forgets them with the process. */
  readonly store?: KeyStore;
  /** Makes presence keys; the default is non-extractable ECDSA P-256 in WebCrypto. */
  readonly keys?: Keys;
  /** The user-verifying key; the default is none. */
  readonly verifier?: Verifier;
}

/** What an enrolment offers, before anything is enrolled. */
export interface EnrolmentOffer {
  readonly link: EnrolmentLink;
  readonly account: { readonly label: string };
  /** Seconds. */
  readonly expiresIn: number;
  /** Options for a user-verifying credential, where the server takes one. */
  readonly webauthn: CredentialOptions | undefined;
}

/** A device that waits for its confirm code. */
export interface Enrolled {
  readonly account: PhoneAccount;
  /** Six digits, to be typed where the enrolment QR is shown. */
  readonly confirmCode: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** A transaction that this phone has taken, and must decide. */
export interface Claimed {
  readonly account: PhoneAccount;
  readonly tx: string;
  readonly challenge: string;
  readonly request: SignInRequest;
  /** The very bytes that {@link request} was read from and that the decision signs the hash of. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Seconds. */
  readonly expiresIn: number;
}

export interface Decided {
  readonly state: 'approved' | 'confirmed' | 'denied';
  /** Six digits to be typed in the waiting browser, where the approval is not complete without. */
  readonly confirmCode: string | undefined;
  /** Seconds. */
  readonly expiresIn: number | undefined;
}

export interface DeviceStatus {
  readonly state: 'pending' | 'active' | 'revoked';
  readonly label: string;
  readonly name: string;
  readonly userVerifying: boolean;
}

/** A phone: enrols as a device of accounts, and approves or denies what their browsers ask. */
export interface Phone {
  /** The accounts of this phone, oldest first; of one issuer, where given. */
  accounts(issuer?: string): Promise<PhoneAccount[]>;
  /**
   * Names the account of an enrolment link, so that the person can see whose phone this becomes.
   *
   * @throws {PhoneError} `expired`, `not_found`, `rate_limited`
   */
  offer(link: EnrolmentLink): Promise<EnrolmentOffer>;
  /**
   * Makes the keys and enrols this phone. It stays `pending` until the confirm code has been typed.
   *
   * @throws {PhoneError} `expired`, `already_claimed`, `invalid_signature`, `rate_limited`
   */
  enrol(offer: EnrolmentOffer, device: { name: string; platform: string; verify?: boolean }): Promise<Enrolled>;
  /**
   * Takes up a device again whose keys this phone has lost, as when a browser cleared its storage: the passkey made at its
   * enrolment vouches for a new presence key. The key that was lost is worthless from then on.
   *
   * @throws {PhoneError} `verification_failed` where the person, or the phone, showed no passkey; `not_found` where it is
   *   of no device; `device_revoked`, `device_pending`, `conflict`, `rate_limited`
   */
  rekey(issuer: string): Promise<PhoneAccount>;
  /** What the server holds of this device; brings the stored account up to date, and removes it when revoked. */
  status(account: PhoneAccount): Promise<DeviceStatus>;
  /** Ends this device at the server and forgets its keys. */
  retire(account: PhoneAccount): Promise<void>;
  /** Forgets an account without telling the server, for one that the server no longer knows. */
  forget(account: PhoneAccount): Promise<void>;
  /**
   * Takes a transaction by the frame that was scanned, or the code that was typed.
   *
   * A link that was opened rather than scanned may have grown stale on the way; with `ticket`, a stale frame is tried
   * once more with the ticket cookie that opening it has set.
   *
   * @throws {PhoneError} `frame_stale`, `already_claimed`, `expired`, `not_found`, `wrong_account`, `device_pending`,
   *   `device_revoked`, `invalid_code`, `slow_down`, `rate_limited`, `locked`; `unknown_issuer` for another provider's link
   */
  claim(account: PhoneAccount, link: SignInLink | TypedCode, options?: { ticket?: boolean }): Promise<Claimed>;
  /**
   * Approves or denies. Where level 2 is asked, approving verifies the user first; denying never does.
   *
   * @throws {PhoneError} `uv_required`, `verification_failed`, `expired`, `device_revoked`, `locked`
   */
  decide(claimed: Claimed, decision: 'approve' | 'deny'): Promise<Decided>;
}
