import type { Purpose, State, Via } from './states.ts';

/** A transaction as a browser starts it. */
export interface NewTransaction {
  /** 128 random bits, base64url. */
  readonly id: string;
  readonly purpose: Purpose;
  /** The interaction whose page shows it, and the request that the interaction belongs to. */
  readonly uid: string;
  readonly cid: string;
  readonly browserHash: string;
  readonly slot: number;
  readonly clientId: string;
  /** The only account that may approve, if the request is for one. */
  readonly expectedAccount: string | undefined;
  readonly policy: 'auto' | 'always';
  /** Marks of the accounts that this browser knew when it started. */
  readonly knownAccounts: readonly string[];
  readonly isStatic: boolean;
  /** The level that an approval must prove. */
  readonly level: 1 | 2;
  /** What the phone will be shown, as far as the browser's side knows it: JSON. */
  readonly facts: string;
  readonly codeHash: string;
  /** When the first of a row of renewals started; like all times in epoch milliseconds. */
  readonly firstStartedAt: number;
}

/** A QR transaction as it stands. */
export interface QrTransaction extends NewTransaction {
  readonly state: State;
  readonly reason: string | undefined;
  readonly startedAt: number;
  readonly changedAt: number;
  readonly expiresAt: number;
  /** The one event stream that may wait for it. */
  readonly stream: string | undefined;
  readonly deviceId: string | undefined;
  readonly accountId: string | undefined;
  readonly via: Via | undefined;
  readonly codeDue: boolean;
  readonly challenge: string | undefined;
  /** The bytes that the phone shows and hashes, base64url. */
  readonly request: string | undefined;
  readonly decidedAt: number | undefined;
  readonly provenLevel: 1 | 2;
  readonly confirmHash: string | undefined;
  readonly confirmTries: number;
}

/** As much of a transaction as a page that asks again and again is told; a poll reads no more. */
export type Glance = Pick<QrTransaction, 'id' | 'state' | 'reason' | 'isStatic' | 'startedAt' | 'firstStartedAt' | 'expiresAt'>;

/** What waiting pages hear of a change that another process made. */
export interface Change {
  readonly id: string;
  readonly state: State;
  readonly reason: string | undefined;
  readonly expiresAt: number;
  readonly stream: string | undefined;
}
