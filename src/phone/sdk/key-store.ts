import type { DeviceKey } from './keys.ts';

/** One account for which this phone is an enrolled device. Everything in it survives a structured clone. */
export interface PhoneAccount {
  readonly deviceId: string;
  readonly issuer: string;
  /** The words by which the person knows the account, such as an e-mail address. */
  readonly label: string;
  /** What this phone is called in the account's list of devices. */
  readonly name: string;
  /** `pending` until the confirm code has been typed where the enrolment QR was shown. */
  readonly state: 'pending' | 'active';
  readonly key: DeviceKey;
  /** The user-verifying credential, when the phone made one and the server accepted it. */
  readonly credential: { readonly id: string; readonly rpId: string } | undefined;
  /** Milliseconds since the epoch. */
  readonly enrolledAt: number;
}

/** Where a phone keeps its accounts and their keys. Implement it on the platform's secure storage. */
export interface KeyStore {
  /** All accounts, oldest first. */
  list(): Promise<PhoneAccount[]>;
  /** Adds the account, or replaces the one of the same device id. */
  save(account: PhoneAccount): Promise<void>;
  remove(deviceId: string): Promise<void>;
}

/** A {@link KeyStore} that forgets everything with the process: for tests and command lines. */
export function memoryKeyStore(): KeyStore {
  const accounts = new Map<string, PhoneAccount>();
  return {
    list: () => Promise.resolve([...accounts.values()]),
    save: (account) => Promise.resolve(void accounts.set(account.deviceId, account)),
    remove: (deviceId) => Promise.resolve(void accounts.delete(deviceId)),
  };
}
