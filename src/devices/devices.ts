import type Router from '@koa/router';
import type { Context, Transaction } from '../context.ts';
import { createSweeper } from '../lib/database/sweeper.ts';
import type { Browsers } from '../lib/http/browser.ts';
import type { Views } from '../lib/views/views.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { SignInGate } from '../oidc/sign-in.ts';
import './events.ts';
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
  list(accountId: string): Promise<Device[]>;
  /** Ends a device: `retired` leaves the grants that it made, `lost` ends them. @throws AppError `not_found` */
  revoke(accountId: string, deviceId: string, reason: 'retired' | 'lost', address?: string): Promise<Device>;
  /** The account has proven a factor other than a password and a phone: its phones count in full from now on. */
  liftCap(accountId: string, tx: Transaction): Promise<void>;
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
  readonly gate: SignInGate;
  readonly browsers: Browsers;
  readonly views: Views;
  /** The origin of the phone app, where it does not live on the issuer's. */
  readonly phoneOrigin?: string | undefined;
  /** The name that passkeys carry; the issuer's host unless told otherwise. */
  readonly name?: string | undefined;
  /** The path of the account's own page under the issuer, where it has one. */
  readonly home?: string | undefined;
}

/**
 * Creates the room of enrolled phones.
 *
 * @returns the service for other rooms, and `routes`, to be called before those rooms register theirs under `/phone/`
 */
export function createDevices(context: Context, { accounts, gate, browsers, views, phoneOrigin, name, home }: DevicesOptions) {
  const { issuer, db, clock } = context;
  const { origin: issuerOrigin, host, hostname } = new URL(issuer);
  const origin = phoneOrigin ?? issuerOrigin;
  const store = createDeviceStore({ db, clock });
  const enrolmentStore = createEnrolmentStore({ db, clock });
  const nonces = createNonces(context);
  const webauthn = createWebAuthn({ origin, name: name ?? host });
  const verification = createVerification({ issuer, clock, store, nonces, webauthn });
  const devices = createDeviceService({ ...context, store });
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
    list: (accountId) => devices.list(accountId),
    revoke: (accountId, deviceId, reason, address) => devices.revoke(accountId, deviceId, reason, address),
    liftCap: (accountId, tx) => devices.liftCap(accountId, tx),
    passkeys: origin === issuerOrigin && !ADDRESS.test(hostname) ? createPasskeySignIns({ clock, passkeys, challenges, webauthn }) : undefined,
    async sweep() {
      await devices.endUnconfirmed();
      return sweeper.sweep();
    },
  };

  return {
    service,
    routes(router: Router): void {
      // The link travels in the fragment, which no server's log keeps.
      const appUrl = (link: string) => `${phoneOrigin ?? issuer}/phone#${encodeURIComponent(link)}`;
      const separate = origin === issuerOrigin ? undefined : origin;
      phoneRoutes(router, context, { devices, enrolments, rekeying, verification, nonces, accounts, views, appUrl, phoneOrigin: separate });
      devicePages(router, context, { devices, enrolments, gate, browsers, views, home });
    },
  };
}
