import type { AccountsOptions } from './accounts/accounts.ts';
import type { AccountDirectory } from './oidc/accounts.ts';
import type { QrOptions as QrRoomOptions } from './qr/transaction/core.ts';

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

/** A part of Tandem that is switched on by being listed. Plain data; {@link tandem} makes the parts. */
export type Feature = AccountsFeature | QrFeature;

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
