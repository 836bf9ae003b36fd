import type Router from '@koa/router';
import type { AccountItem } from '../accounts/items.ts';
import type { Context, Transaction } from '../context.ts';
import type { Actor } from '../lib/actor.ts';
import { createSweeper } from '../lib/database/sweeper.ts';
import type { Browsers } from '../lib/http/browser.ts';
import type { Views } from '../lib/views/views.ts';
import type { ChangeGate } from '../factors/change-gate.ts';
import type { Factors } from '../factors/factors.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { SignInGate } from '../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from '../recovery/recovery.ts';
import './events.ts';
import { createEnrolmentApi, type EnrolmentApi, type EnrolmentApiRooms } from './api/service.ts';
import { createDeviceStore } from './device-store.ts';
import type { Device } from './device-store.ts';
import { createEnrolmentStore } from './enrolment-store.ts';
import { createEnrolmentService } from './enrolment.ts';
import { createNonces } from './nonce.ts';
import { devicePages } from './pages.ts';
import { createPasskeys, createPasskeySignIns, PASSKEY_SECONDS } from './passkeys.ts';
import type { PasskeySignIns } from './passkeys.ts';
import { phoneRoutes } from './phone-routes.ts';
import { createRekeyingService } from './rekeying.ts';
import { createDeviceService } from './service.ts';
import { createVerification } from './verification.ts';
import type { SignedCall, VerifyOptions } from './verification.ts';
import { createWebAuthn } from './webauthn.ts';

const HOUR = 3_600_000;
/** A host that is an IP address, as URLs write them. */
const ADDRESS = /^\[|^[\d.]+$/;

/** What other rooms may do with devices. */
export interface Devices {
  /**
   * Verifies a call that a device signed.
   *
   * @throws AppError `invalid_request`, `invalid_signature`, `clock_skew`, `invalid_nonce`, `replayed`, `device_pending`, `device_revoked`
   */
  verify(body: string, options: VerifyOptions): Promise<SignedCall>;
  /**
   * The device, where it is active; ask again inside the transaction that relies on it. There it stays active until the
   * transaction ends: a revocation at the same time waits, and then finds what was written.
   */
  usable(deviceId: string, tx?: Transaction): Promise<Device | undefined>;
  /** The active devices of an account, oldest first. */
  list(accountId: string, tx?: Transaction): Promise<Device[]>;
  /** Ends a device: `retired` leaves the grants that it made, `lost` ends them. @throws AppError `not_found` */
  revoke(accountId: string, deviceId: string, reason: 'retired' | 'lost', address?: string): Promise<Device>;
  /** Ends a device as an administrator does. @throws AppError `not_found` */
  revokeAs(deviceId: string, reason: 'retired' | 'lost', actor: Actor): Promise<Device>;
  /** The strongest class that the account's phones can prove; undefined where it has none. */
  reach(accountId: string, tx?: Transaction): Promise<string | undefined>;
  /** Whether a phone of the account was reported lost, or put away, within the last week by a proof that could not have added one. */
  lostUnproven(accountId: string, tx?: Transaction): Promise<boolean>;
  /** The account has proven a factor other than a password and a phone: its phones count in full from now on. */
  liftCap(accountId: string, tx: Transaction): Promise<void>;
  /** The account has proven by other means that it was itself that reported its devices lost. */
  vouch(accountId: string, tx: Transaction): Promise<void>;
  /**
   * Ends all devices of an account as lost, and the enrolments under way; returns how many devices there were. The caller has made sure that it
   * is the account, or an administrator, who asks.
   */
  loseAll(tx: Transaction, accountId: string, by: 'recovery' | 'reset', address?: string): Promise<number>;
  /**
   * Sign-ins by passkey on the issuer's own pages. Undefined where the phone app, and with it the passkeys, is at home on
   * another origin, and where the issuer's host is an address, of which browsers know no passkeys.
   */
  readonly passkeys: PasskeySignIns | undefined;
  /** Deletes what has run out; returns how many rows went. */
  sweep(): Promise<number>;
}

export interface DevicesOptions {
  readonly accounts: AccountDirectory;
  /** The rule for adding and removing factors. */
  readonly factors: Factors;
  /** Who may go where phones are added and removed. */
  readonly changes: ChangeGate;
  /** Whether the first phone of an account counts in full at once, as that of who set the installation up; that is told once. */
  readonly useExemption?: ((accountId: string, tx: Transaction) => Promise<boolean>) | undefined;
  /** Shows the recovery codes that come with a first factor. */
  readonly showFirstCodes?: ShowFirstCodes | undefined;
  readonly gate: SignInGate;
  readonly browsers: Browsers;
  readonly views: Views;
  /** The origin of the phone app, where it does not live on the issuer's. */
  readonly phoneOrigin?: string | undefined;
  /** The name that passkeys carry; the issuer's host unless told otherwise. */
  readonly name?: string | undefined;
  /** The path of the account's own page under the issuer, where it has one. */
  readonly home?: string | undefined;
  /** What stands below the phones where there is no such page. */
  readonly others?: readonly AccountItem[] | undefined;
}

/**
 * Creates the room of enrolled phones.
 *
 * @returns the service for other rooms, and `routes`, to be called before those rooms register theirs under `/phone/`
 */
export function createDevices(context: Context, { accounts, factors, changes, useExemption, showFirstCodes, gate, browsers, views, phoneOrigin, name, home, others = [] }: DevicesOptions) {
  const { issuer, db, clock } = context;
  const { origin: issuerOrigin, host, hostname } = new URL(issuer);
  const origin = phoneOrigin ?? issuerOrigin;
  const store = createDeviceStore({ db, clock });
  const enrolmentStore = createEnrolmentStore({ db, clock });
  const nonces = createNonces(context);
  const webauthn = createWebAuthn({ origin, name: name ?? host });
  const verification = createVerification({ issuer, clock, store, nonces, webauthn });
  const devices = createDeviceService({ ...context, store, factors, useExemption });
  const enrolments = createEnrolmentService(context, { store: enrolmentStore, devices, verification, webauthn, accounts });
  const passkeys = createPasskeys({ store, webauthn });
  const challenges = createNonces(context, { purpose: 'passkey-challenge', seconds: PASSKEY_SECONDS });
  const rekeying = createRekeyingService(context, { store, passkeys, verification, nonces, webauthn, accounts });
  const sweeper = createSweeper(context);
  sweeper.register(
    { table: 'tandem_device_calls', column: 'expires_at' },
    { table: 'tandem_enrolments', column: 'expires_at', keepFor: HOUR },
    // Only what was never confirmed has this time; its phone can still learn for a while that it is none of ours.
    { table: 'tandem_devices', column: 'pending_until', keepFor: 30 * 24 * HOUR },
  );

  const service: Devices = {
    verify: (body, expected) => verification.verify(body, expected),
    usable: (deviceId, tx) => devices.usable(deviceId, tx),
    list: (accountId, tx) => devices.list(accountId, tx),
    revoke: (accountId, deviceId, reason, address) => devices.revoke(accountId, deviceId, reason, address),
    revokeAs: (deviceId, reason, actor) => devices.revokeAs(deviceId, reason, actor),
    reach: (accountId, tx) => devices.reach(accountId, tx),
    lostUnproven: (accountId, tx) => devices.lostUnproven(accountId, tx),
    liftCap: (accountId, tx) => devices.liftCap(accountId, tx),
    vouch: (accountId, tx) => devices.vouch(accountId, tx),
    async loseAll(tx, accountId, by, address) {
      await enrolments.cancelAll(tx, accountId, address);
      return devices.loseAll(tx, accountId, by, address);
    },
    passkeys: origin === issuerOrigin && !ADDRESS.test(hostname) ? createPasskeySignIns({ clock, passkeys, challenges, webauthn }) : undefined,
    async sweep() {
      await devices.endUnconfirmed();
      return sweeper.sweep();
    },
  };

  /** The phones on the account's page. */
  const item: AccountItem = async (ctx) => ({
    title: views.text(ctx, 'devices.item_title'),
    text: views.text(ctx, 'devices.item_text'),
    path: '/account/devices',
    link: views.text(ctx, 'devices.item_link'),
  });

  return {
    service,
    item,
    /** What clients do about the phones of accounts that they look after; without it, they do nothing. */
    enrolmentApi: (rooms: EnrolmentApiRooms): EnrolmentApi => createEnrolmentApi(context, { ...rooms, enrolments, factors }),
    routes(router: Router): void {
      // The link travels in the fragment, which no server's log keeps.
      const appUrl = (link: string) => `${phoneOrigin ?? issuer}/phone#${encodeURIComponent(link)}`;
      const separate = origin === issuerOrigin ? undefined : origin;
      phoneRoutes(router, context, { devices, enrolments, rekeying, verification, nonces, accounts, views, appUrl, phoneOrigin: separate });
      devicePages(router, { devices, enrolments, changes, showFirstCodes, gate, browsers, views, home, others });
    },
  };
}
