import type { AccountsOptions } from './accounts/accounts.ts';
import type { AccountDirectory } from './oidc/accounts.ts';
import type { QrOptions as QrRoomOptions } from './qr/transaction/core.ts';
import type { TotpOptions as TotpRoomOptions } from './totp/authenticators/authenticators.ts';
import type { TwoCallOptions } from './totp/two-call/two-call.ts';

/** Tandem's own accounts: registration, password, profile. */
export interface AccountsFeature {
  readonly name: 'accounts';
  readonly options: AccountsOptions;
}

/** Sign-in by QR code, and the phones that approve it. */
export interface QrFeature {
  readonly name: 'qr';
  readonly options: QrOptions;
}

export interface QrOptions extends QrRoomOptions {
  /** The accounts of the host. Needed where {@link accounts} is not on. */
  readonly accounts?: AccountDirectory;
}

/** Codes of an authenticator app as a second factor. */
export interface TotpFeature {
  readonly name: 'totp';
  readonly options: TotpOptions;
}

export interface TotpOptions extends TotpRoomOptions, TwoCallOptions {
  /** The accounts of the host. Needed where {@link accounts} is not on. */
  readonly accounts?: AccountDirectory;
}

/** The registry of clients and resource servers, dynamic registration, and the ways to administer them: API and pages. */
export interface AdminFeature {
  readonly name: 'admin';
  readonly options: AdminOptions;
}

export interface AdminOptions {
  /** Whether clients may register themselves with an initial access token (RFC 7591, 7592); default: true. */
  readonly registration?: boolean;
}

/** Enrolment of phones, and accounts of new registrations, by backends: `/omi/qr/enrol`, `/api/accounts`. */
export interface EnrolmentFeature {
  readonly name: 'enrolment';
}

/** A part of Tandem that is switched on by being listed. Plain data; {@link tandem} makes the parts. */
export type Feature = AccountsFeature | QrFeature | TotpFeature | EnrolmentFeature | AdminFeature;

/**
 * Switches on Tandem's own accounts.
 *
 * @example
 * tandem({ …, features: [accounts({ minPasswordLength: 12 })] });
 */
export function accounts(options: AccountsOptions = {}): AccountsFeature {
  return { name: 'accounts', options };
}

/**
 * Switches on sign-in by QR code.
 *
 * @example
 * // with the accounts of a host:
 * qr({ accounts: { find: async (accountId) => ({ accountId, label: 'ada@example.com', name: 'Ada' }) } });
 */
export function qr(options: QrOptions = {}): QrFeature {
  return { name: 'qr', options };
}

/**
 * Switches on codes of authenticator apps (TOTP, RFC 6238) as a second factor, and recovery codes with them.
 *
 * @example
 * tandem({ …, features: [accounts(), qr(), totp()] });
 */
export function totp(options: TotpOptions = {}): TotpFeature {
  return { name: 'totp', options };
}

/**
 * Switches on the enrolment API: with {@link qr} a backend enrols phones of the accounts that it manages, and with {@link accounts} it makes those.
 *
 * @example
 * tandem({ …, features: [accounts(), qr(), enrolment(), admin()] });
 */
export function enrolment(): EnrolmentFeature {
  return { name: 'enrolment' };
}

/**
 * Switches on the registry of clients and resource servers in the database, dynamic registration, the admin API and the admin pages.
 *
 * @example
 * tandem({ …, features: [accounts(), qr(), totp(), admin()] });
 */
export function admin(options: AdminOptions = {}): AdminFeature {
  return { name: 'admin', options };
}
