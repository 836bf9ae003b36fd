import * as z from 'zod';
import type { Context, Transaction } from '../context.ts';
import { AppError } from '../errors.ts';
import type { Factors } from '../factors/factors.ts';
import { actedBy, type Actor } from '../lib/actor.ts';
import type { EventSubject } from '../lib/events.ts';
import { isPlain } from '../lib/names.ts';
import { ACR, satisfies } from '../oidc/acr.ts';
import { publicDevice } from './device-store.ts';
import type { Device, DeviceStore, NewDevice } from './device-store.ts';
import type { RevocationReason, RevokedBy } from './events.ts';

/** How long a device counts as level 1 at most, where nothing stronger than a password vouched for it, in milliseconds. */
export const CAP_MS = 24 * 3_600_000;
/**
 * The same for a first phone where those before were reported lost, no longer ago than this, by a sign-in that could not have added one:
 * a password is then all that stands behind it, and the owner of the phones before needs the time to notice.
 */
export const UNPROVEN_CAP_MS = 7 * CAP_MS;

/** Words about a phone, of its owner's or its own making. */
const plainWords = z
  .string()
  .trim()
  .max(60)
  .refine(isPlain, 'must not have control characters');

/** A device's name as people may choose it. */
export const deviceName = plainWords.min(1);
/** What a phone says it is. */
export const devicePlatform = plainWords.default('');

export type DeviceService = ReturnType<typeof createDeviceService>;

/** Creates what an account does with its devices. */
export function createDeviceService({ db, clock, events, store, factors, useExemption }: Pick<Context, 'db' | 'clock' | 'events'> & {
  store: DeviceStore;
  factors: Factors;
  /** Whether the first phone of this account counts in full at once; that is told once. */
  useExemption?: ((accountId: string, tx: Transaction) => Promise<boolean>) | undefined;
}) {
  /** A device of this account; those of others do not exist for it. */
  async function own(accountId: string, deviceId: string, tx?: Transaction): Promise<Device> {
    const device = tx ? await store.lock(deviceId, tx) : await store.find(deviceId);
    if (!device || device.accountId !== accountId || device.state !== 'active') throw new AppError('not_found', 'there is no such device');
    return publicDevice(device);
  }

  /** Revokes in `tx`; false when it was revoked before. `proven`: by a proof that could also add a phone. */
  async function revoke(
    tx: Transaction,
    device: Pick<Device, 'id' | 'accountId'> & Partial<Pick<Device, 'name'>>,
    reason: RevocationReason,
    by: RevokedBy,
    address?: string,
    proven?: boolean,
    administrator?: Pick<EventSubject, 'actor'>,
  ) {
    if (!(await store.revoke(device.id, proven === false ? `${reason}-unproven` : reason, tx))) return false;
    await events.emit(tx, 'device.revoked', { deviceId: device.id, accountId: device.accountId, reason, by, address, ...(device.name !== undefined && { name: device.name }), ...(proven !== undefined && { proven }), ...administrator });
    return true;
  }

  async function lostUnproven(accountId: string, tx?: Transaction): Promise<boolean> {
    return await store.lostUnproven(accountId, clock() - UNPROVEN_CAP_MS, tx);
  }

  return {
    revokeIn: revoke,

    /**
     * The device, where it is active. Inside `tx` it stays so until that ends: a revocation at the same time waits, and
     * then finds what `tx` wrote. Ask for the device before anything that its revocation changes, or the two may deadlock.
     */
    async usable(deviceId: string, tx?: Transaction): Promise<Device | undefined> {
      const device = tx ? await store.lock(deviceId, tx) : await store.find(deviceId);
      return device?.state === 'active' ? publicDevice(device) : undefined;
    },

    /** The active devices of an account, oldest first. */
    async list(accountId: string, tx?: Transaction): Promise<Device[]> {
      return (await store.list(accountId, tx)).map(publicDevice);
    },

    /** One active device of the account. @throws AppError `not_found` */
    find: own,

    /** The device in whatever state. */
    async any(deviceId: string): Promise<Device | undefined> {
      const device = await store.find(deviceId);
      return device && publicDevice(device);
    },

    /** The strongest class that the account's phones can prove: level 2 once one counts in full that verifies its user, until then presence. */
    async reach(accountId: string, tx?: Transaction): Promise<string | undefined> {
      const devices = await store.list(accountId, tx);
      if (!devices.length) return undefined;
      return devices.some(({ userVerifying, levelCap }) => userVerifying && levelCap === 2) ? ACR.twoQr : ACR.oneQr;
    },

    /** Whether a phone of the account was lately reported lost, or put away, by a proof that could not have added one. */
    lostUnproven,

    /** Ends all devices of an account as lost, as has been proven to be its wish; returns how many there were. */
    async loseAll(tx: Transaction, accountId: string, by: RevokedBy, address?: string): Promise<number> {
      const devices = await store.list(accountId, tx);
      for (const { id } of devices) {
        const device = await store.lock(id, tx);
        if (device) await revoke(tx, device, 'lost', by, address, true);
      }
      return devices.length;
    },

    /** The account has proven by other means what those who reported its devices lost did not: that they were the account. */
    vouch: (accountId: string, tx: Transaction): Promise<void> => store.vouch(accountId, tx),

    async add(tx: Transaction, device: NewDevice): Promise<boolean> {
      return await store.insert(device, tx);
    },

    /**
     * A pending device becomes active. Where the sign-in that asked for it was below level 2, it counts as level 1 for
     * {@link CAP_MS}: time for the notice to be read by whose account it really is. For {@link UNPROVEN_CAP_MS} where no
     * phone vouched for the end of those before; nor does it count sooner than one that may vouch for it. The first phone of who set
     * the installation up counts in full, where they added it themselves.
     *
     * @throws AppError `conflict` when the account has got a factor since, which that sign-in cannot vouch beside
     */
    async activate(tx: Transaction, device: Pick<Device, 'id' | 'accountId'>, acr: string | undefined): Promise<{ cappedUntil: number | undefined; afterUnprovenLoss: boolean }> {
      if (!(await factors.suffices(acr, device.accountId, 'phone', tx))) throw new AppError('conflict', 'a phone or an app has been connected since; it must vouch for this phone');
      const others = await store.list(device.accountId, tx);
      const proven = satisfies(acr, ACR.two);
      const afterUnprovenLoss = !proven && others.length === 0 && (await lostUnproven(device.accountId, tx));
      const cap = clock() + (afterUnprovenLoss ? UNPROVEN_CAP_MS : CAP_MS);
      const exempt = !proven && others.length === 0 && !afterUnprovenLoss && satisfies(acr, ACR.one) && (await useExemption?.(device.accountId, tx)) === true;
      const cappedUntil = proven || exempt ? undefined : Math.max(cap, ...others.map((other) => other.cappedUntil ?? 0));
      if (!(await store.activate(device.id, cappedUntil, tx))) throw new AppError('device_revoked', 'this device no longer waits for its code');
      return { cappedUntil, afterUnprovenLoss };
    },

    /** The account has proven another factor: its devices count in full from now on. */
    async liftCap(accountId: string, tx: Transaction): Promise<void> {
      await store.uncap(accountId, tx);
    },

    async rename(accountId: string, deviceId: string, name: string, address?: string): Promise<void> {
      await db.transaction(async (tx) => {
        if (!(await store.rename(accountId, deviceId, name, tx))) throw new AppError('not_found', 'there is no such device');
        await events.emit(tx, 'device.renamed', { accountId, deviceId, name, address });
      });
    },

    /**
     * Ends a device. `retired` leaves the grants that it made, `lost` ends them. A person without the phone must be able to say that it
     * is lost; to put it away takes what adding one takes, or whoever has the password would do so, and add their own as a first one.
     *
     * @param signIn the sign-in that asks; without it the caller has made sure who does
     * @throws AppError `not_found`; `access_denied` where `signIn` is too weak to put a phone away
     */
    async revoke(accountId: string, deviceId: string, reason: 'retired' | 'lost', address?: string, signIn?: { acr: string | undefined }): Promise<Device> {
      return await db.transaction(async (tx) => {
        const device = await own(accountId, deviceId, tx);
        const proven = !signIn || (await factors.suffices(signIn.acr, accountId, 'phone', tx));
        if (reason === 'retired' && !proven) throw new AppError('access_denied', 'another factor of the account must vouch for this');
        if (!(await revoke(tx, device, reason, 'account', address, proven))) throw new AppError('not_found', 'there is no such device');
        return device;
      });
    },

    /** Ends a device as an administrator does. @throws AppError `not_found` */
    async revokeAs(deviceId: string, reason: 'retired' | 'lost', actor: Actor): Promise<Device> {
      return await db.transaction(async (tx) => {
        const device = await store.lock(deviceId, tx);
        const { address, ...by } = actedBy(actor);
        if (device?.state !== 'active' || !(await revoke(tx, device, reason, 'administrator', address, undefined, by))) throw new AppError('not_found', 'there is no such device');
        return publicDevice(device);
      });
    },

    /** Ends the devices that nobody confirmed in time, so that the log tells of their end as of any other's. */
    async endUnconfirmed(): Promise<void> {
      for (const id of await store.overdue()) {
        await db.transaction(async (tx) => {
          const device = await store.lock(id, tx);
          // Its code may have been typed at the last moment.
          if (device && device.state !== 'active') await revoke(tx, device, 'unconfirmed', 'enrolment');
        });
      }
    },

    /**
     * The device ends itself; that it had ended before is as well. Its presence key signs that: of a phone that proves level 2 by the other one, whoever
     * has it without its PIN could otherwise make the account one without a factor, and put their own in its place.
     */
    async retire({ id, state, userVerifying, levelCap, ...device }: Device, address?: string): Promise<void> {
      const proven = state === 'active' && userVerifying && levelCap === 2 ? false : undefined;
      await db.transaction(async (tx) => {
        await revoke(tx, { ...device, id }, 'retired', 'device', address, proven);
      });
    },
  };
}
