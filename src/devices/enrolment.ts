import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import * as z from 'zod';
import type { Context, Transaction } from '../context.ts';
import { AppError } from '../errors.ts';
import { base64url, equal, hmac, randomDigits, randomToken, sha256, uuid } from '../lib/crypto.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { Enrolment, EnrolmentState, EnrolmentStore } from './enrolment-store.ts';
import { deviceName, devicePlatform } from './service.ts';
import type { DeviceService } from './service.ts';
import type { Verification } from './verification.ts';
import type { WebAuthn } from './webauthn.ts';

/** How long a ticket can be used, and then how long its confirm code can be typed, in milliseconds. */
export const TICKET_MS = 300_000;
export const CODE_MS = 300_000;
const TRIES = 3;

const enrolmentClaims = z.looseObject({
  ticket: z.string().max(128),
  name: deviceName,
  platform: devicePlatform,
});

/** What the page that shows the QR may know. */
export interface EnrolmentStatus {
  readonly id: string;
  readonly state: EnrolmentState | 'expired';
  /** Whole seconds until the ticket, or the code, runs out; 0 once ended. */
  readonly expiresIn: number;
  readonly triesLeft: number;
  /** The phone that enrolled. */
  readonly device: { readonly name: string; readonly platform: string; readonly userVerifying: boolean } | undefined;
}

/** Who shows the QR, and takes the code: the account that is signed in, in that browser; or a client that looks after the account. */
export type EnrolmentOwner = BrowserOwner | { readonly clientId: string };

export interface BrowserOwner {
  readonly accountId: string;
  readonly browserHash: string;
}

/** A ticket, as it is shown once. */
export interface StartedEnrolment {
  readonly id: string;
  /** What the QR says. */
  readonly link: string;
  /** Whole seconds. */
  readonly expiresIn: number;
}

export type EnrolmentService = ReturnType<typeof createEnrolmentService>;

/** Creates the enrolment of phones: a ticket in a QR, keys made on the phone, a confirm code typed where the QR was shown. */
export function createEnrolmentService(
  { issuer, db, clock, keyRing, limits, events }: Pick<Context, 'issuer' | 'db' | 'clock' | 'keyRing' | 'limits' | 'events'>,
  { store, devices, verification, webauthn, accounts }: {
    store: EnrolmentStore;
    devices: DeviceService;
    verification: Pick<Verification, 'verifyNewKey'>;
    webauthn: WebAuthn;
    accounts: AccountDirectory;
  },
) {
  const codeKeys = keyRing.derive('enrolment-code');
  const webauthnKeys = keyRing.derive('enrolment-webauthn');
  const starts = limits.limit({ name: 'enrolment-start', points: 20, seconds: 3600 });
  // Its own: what a client uses up must not keep the person from the account's page.
  const clientStarts = limits.limit({ name: 'enrolment-start-client', points: 20, seconds: 3600 });

  const expired = ({ expiresAt }: Enrolment) => expiresAt <= clock();
  const secondsLeft = ({ expiresAt }: Enrolment) => Math.max(0, Math.ceil((expiresAt - clock()) / 1000));
  const codeHash = (key: Uint8Array, id: string, code: string) => base64url(hmac(key, `${id}|${code}`));

  /** Nothing of WebAuthn is kept before a credential exists: challenge and user handle follow from the enrolment. */
  const challenges = (id: string) => webauthnKeys.map((key) => base64url(hmac(key, `challenge|${id}`)));
  const userHandle = (id: string) => hmac(webauthnKeys[0], `user|${id}`);

  async function byTicket(ticket: string): Promise<Enrolment> {
    const enrolment = await store.findByTicket(hashOf(ticket));
    if (!enrolment) throw new AppError('not_found', 'there is no such enrolment');
    if (enrolment.state === 'enrolled' || enrolment.state === 'confirmed') throw usedUp();
    if (expired(enrolment) || enrolment.state === 'cancelled' || enrolment.state === 'failed') throw tooLate();
    return enrolment;
  }

  /** An id alone shows nothing: to another browser, account or client the enrolment does not exist. */
  async function owned(id: string, owner: EnrolmentOwner, tx?: Transaction): Promise<Enrolment> {
    const enrolment = await store.find(id, tx);
    if (!enrolment || !isOwn(enrolment, owner)) throw new AppError('not_found', 'there is no such enrolment');
    return enrolment;
  }

  async function end(tx: Transaction, enrolment: Enrolment, state: 'failed' | 'cancelled', address?: string) {
    if (!(await store.end(enrolment.id, state, tx))) return;
    const { accountId, clientId, deviceId } = enrolment;
    if (deviceId) await devices.revokeIn(tx, { id: deviceId, accountId }, 'unconfirmed', 'enrolment', address);
    if (state === 'cancelled') await events.emit(tx, 'device.enrolment_cancelled', { enrolmentId: enrolment.id, accountId, clientId, address });
  }

  /** Makes a ticket. An account enrols one phone at a time: what was under way before is cancelled. */
  async function begin(
    { address, ...owner }: Pick<Enrolment, 'accountId' | 'browserHash' | 'clientId' | 'acr'> & { address: string | undefined },
    guard?: (tx: Transaction) => Promise<void>,
  ): Promise<StartedEnrolment> {
    const { accountId, clientId, acr } = owner;
    const [id, ticket] = [uuid(), randomToken()];
    await db.transaction(async (tx) => {
      await guard?.(tx);
      for (const previous of await store.live(accountId, tx)) await end(tx, previous, 'cancelled', address);
      await store.insert({ id, ...owner, ticketHash: hashOf(ticket), expiresAt: clock() + TICKET_MS }, tx);
      await events.emit(tx, 'device.enrolment_started', { enrolmentId: id, accountId, clientId, acr, address });
    });
    return { id, link: `${issuer}/e/1.${ticket}`, expiresIn: TICKET_MS / 1000 };
  }

  return {
    /**
     * Makes a ticket for the account's page. An account enrols one phone at a time: what was under way before is cancelled.
     *
     * @param acr how strong the sign-in is; the caller has checked that it suffices
     */
    async start({ accountId, browserHash, acr, address }: BrowserOwner & { acr: string | undefined; address?: string | undefined }): Promise<StartedEnrolment> {
      await starts.take(accountId);
      return begin({ accountId, browserHash, clientId: undefined, acr, address });
    },

    /**
     * Makes a ticket for a client, on whose word the phone then counts as on that of a password.
     *
     * @param guard asked in the transaction: whether the client may do so for this account, which it then stays
     */
    async startFor({ accountId, clientId, address, guard }: { accountId: string; clientId: string; address: string; guard: (tx: Transaction) => Promise<void> }): Promise<StartedEnrolment> {
      await clientStarts.take(accountId);
      return begin({ accountId, browserHash: '', clientId, acr: undefined, address }, guard);
    },

    /** Names the account to the phone that holds the ticket, before anything is enrolled. */
    async offer(ticket: string): Promise<{ account: { label: string }; expiresIn: number; webauthn: PublicKeyCredentialCreationOptionsJSON }> {
      const enrolment = await byTicket(ticket);
      const account = await accounts.find(enrolment.accountId);
      if (!account) throw new AppError('not_found', 'there is no such enrolment');
      await store.scan(enrolment.id);
      const user = { handle: userHandle(enrolment.id), name: account.label, displayName: account.name ?? account.label };
      const [challenge = ''] = challenges(enrolment.id);
      return { account: { label: account.label }, expiresIn: secondsLeft(enrolment), webauthn: await webauthn.options(user, challenge) };
    },

    /**
     * The phone uses the ticket: its keys become a pending device.
     *
     * @param body the JWS `enrol+jwt`
     * @returns the confirm code, which only this answer ever holds
     */
    async enrol(body: string, address?: string): Promise<{ deviceId: string; confirmCode: string; expiresIn: number; userVerifying: boolean }> {
      const call = await verification.verifyNewKey(body, 'enrol+jwt');
      const claims = enrolmentClaims.safeParse(call.claims);
      if (!claims.success) {
        const [issue] = claims.error.issues;
        throw new AppError('invalid_request', `claim ${issue?.path.join('.')}: ${issue?.message}`);
      }
      const { ticket, name, platform } = claims.data;
      const enrolment = await byTicket(ticket);
      const { id: enrolmentId, accountId, clientId } = enrolment;
      const credential = call.webauthn === undefined ? undefined : await webauthn.register(call.webauthn, challenges(enrolmentId));
      const [deviceId, confirmCode, until] = [uuid(), randomDigits(6), clock() + CODE_MS];
      const device = { id: deviceId, accountId, name, platform, kid: call.kid, algorithm: call.algorithm, publicKey: call.jwk, credential, pendingUntil: until, enrolledBy: clientId };
      const userVerifying = credential !== undefined;

      const keyTaken = () => new AppError('conflict', 'this key is a device already; make a new one');
      try {
        await db.transaction(async (tx) => {
          const won = await store.enrol(enrolmentId, { deviceId, codeHash: codeHash(codeKeys[0], enrolmentId, confirmCode), expiresAt: until }, tx);
          if (!won) throw usedUp();
          if (!(await devices.add(tx, device))) throw keyTaken();
          await events.emit(tx, 'device.enrolled', { enrolmentId, deviceId, accountId, clientId, name, platform, userVerifying, address });
        });
      } catch (error) {
        throw db.isUniqueViolation(error) ? keyTaken() : error;
      }
      return { deviceId, confirmCode, expiresIn: CODE_MS / 1000, userVerifying };
    },

    /** How far an enrolment is, for the page that shows its QR. @throws AppError `not_found` */
    async status(id: string, owner: EnrolmentOwner): Promise<EnrolmentStatus> {
      const enrolment = await owned(id, owner);
      const live = enrolment.state === 'pending' || enrolment.state === 'scanned' || enrolment.state === 'enrolled';
      return {
        id,
        state: live && expired(enrolment) ? 'expired' : enrolment.state,
        expiresIn: live ? secondsLeft(enrolment) : 0,
        triesLeft: TRIES - enrolment.tries,
        device: enrolment.deviceId ? await devices.any(enrolment.deviceId) : undefined,
      };
    },

    /**
     * Takes the confirm code: the pending device becomes active. After three wrong ones it is gone.
     *
     * @throws AppError `invalid_code` with `tries_left`, `expired`, `already_claimed`, `not_found`
     */
    async confirm(id: string, owner: EnrolmentOwner, code: string, address?: string): Promise<{ deviceId: string }> {
      // A wrong code must be counted, so it is an outcome of the transaction and no error in it.
      const outcome = await db.transaction(async (tx) => {
        const { accountId, clientId } = await owned(id, owner, tx);
        // One after the other: whether a phone may be added depends on those that the account has.
        await store.lock(accountId, tx);
        const counted = await store.tryCode(id, TRIES, tx);
        const enrolment = await owned(id, owner, tx);
        if (!counted) return { failure: notWaiting(enrolment) };
        const { deviceId = '', acr } = enrolment;
        if (codeKeys.some((key) => equal(codeHash(key, id, code), enrolment.codeHash ?? ''))) {
          await store.end(id, 'confirmed', tx);
          const { cappedUntil, afterUnprovenLoss } = await devices.activate(tx, { id: deviceId, accountId }, acr);
          const device = await devices.usable(deviceId, tx);
          await events.emit(tx, 'device.confirmed', {
            enrolmentId: id, deviceId, accountId, clientId, cappedUntil, afterUnprovenLoss, name: device?.name ?? '', userVerifying: device?.userVerifying ?? false, address,
          });
          return { deviceId };
        }
        const triesLeft = TRIES - enrolment.tries;
        await events.emit(tx, 'device.confirm_failed', { enrolmentId: id, deviceId, accountId, clientId, triesLeft, address });
        if (triesLeft === 0) await end(tx, enrolment, 'failed', address);
        return { failure: new AppError('invalid_code', 'this is not the code that the phone shows', { extra: { tries_left: triesLeft } }) };
      });
      if (outcome.failure) throw outcome.failure;
      return { deviceId: outcome.deviceId };
    },

    /** Ends all that is under way. */
    async cancelAll(tx: Transaction, accountId: string, address?: string): Promise<void> {
      await store.lock(accountId, tx);
      for (const enrolment of await store.live(accountId, tx)) await end(tx, enrolment, 'cancelled', address);
    },

    /** Ends what a client has under way for an account, which it then has never enrolled. */
    async forget(tx: Transaction, accountId: string, clientId: string): Promise<void> {
      await store.lock(accountId, tx);
      for (const enrolment of await store.live(accountId, tx)) if (enrolment.clientId === clientId) await end(tx, enrolment, 'cancelled');
      await store.forget(accountId, clientId, tx);
    },

    /** Ends all that a client has under way, as there is nobody any more to take the codes. */
    async forgetClient(tx: Transaction, clientId: string): Promise<void> {
      for (const enrolment of await store.liveOfClient(clientId, tx)) {
        await store.lock(enrolment.accountId, tx);
        await end(tx, enrolment, 'cancelled');
      }
    },

    /** Ends an enrolment on request of whoever shows it. */
    async cancel(id: string, owner: EnrolmentOwner, address?: string): Promise<void> {
      await db.transaction(async (tx) => await end(tx, await owned(id, owner, tx), 'cancelled', address));
    },
  };

  function notWaiting(enrolment: Enrolment): AppError {
    if (enrolment.state === 'confirmed') return new AppError('already_claimed', 'this phone is confirmed already');
    if (expired(enrolment) || enrolment.state === 'failed' || enrolment.state === 'cancelled') return tooLate();
    return new AppError('invalid_code', 'no phone waits for a code yet');
  }
}

function isOwn(enrolment: Enrolment, owner: EnrolmentOwner): boolean {
  if ('clientId' in owner) return enrolment.clientId === owner.clientId;
  return enrolment.clientId === undefined && enrolment.accountId === owner.accountId && equal(enrolment.browserHash, owner.browserHash);
}

function hashOf(ticket: string): string {
  return base64url(sha256(ticket));
}

function tooLate(): AppError {
  return new AppError('expired', 'this enrolment has ended; start again on the other screen');
}

function usedUp(): AppError {
  return new AppError('already_claimed', 'another phone has used this code');
}
