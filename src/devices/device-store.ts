import type { JWK } from 'jose';
import type { Database, Transaction } from '../context.ts';
import { base64url, sha256 } from '../lib/crypto.ts';
import type { RevocationReason } from './events.ts';

/** An enrolled phone, as other rooms see it. */
export interface Device {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  /** What the phone says it is, such as `Firefox on Android`. */
  readonly platform: string;
  readonly state: 'pending' | 'active' | 'revoked';
  /** True when it holds a key that a PIN or biometry gates, and that key was proven at enrolment. */
  readonly userVerifying: boolean;
  /** The strongest level that its approvals may count as. */
  readonly levelCap: 1 | 2;
  /** Epoch milliseconds, like the other times. */
  readonly cappedUntil: number | undefined;
  readonly createdAt: number;
  readonly lastUsedAt: number | undefined;
  /** The client that enrolled it; undefined where its owner did, on the account's page. */
  readonly enrolledBy?: string | undefined;
}

/** The signature algorithms a presence key may have; the one of enrolment stays the device's only one. */
export type DeviceAlgorithm = 'ES256' | 'EdDSA';

/** The WebAuthn credential behind which the user-verifying key sits. */
export interface Credential {
  readonly id: string;
  /** COSE key, base64url. */
  readonly publicKey: string;
  readonly counter: number;
}

/** A device with what verifies its calls; stays in this room. */
export interface DeviceRecord extends Device {
  /** RFC 7638 SHA-256 thumbprint of the presence key. */
  readonly kid: string;
  readonly algorithm: DeviceAlgorithm;
  readonly publicKey: JWK;
  readonly credential: Credential | undefined;
}

/** What a phone brings to become a device. */
export interface NewDevice extends Pick<DeviceRecord, 'id' | 'accountId' | 'name' | 'platform' | 'kid' | 'algorithm' | 'publicKey' | 'credential' | 'enrolledBy'> {
  /** Until when the confirm code may be typed; a device still pending then is none. */
  readonly pendingUntil: number;
}

interface Row {
  id: string;
  account_id: string;
  name: string;
  platform: string;
  state: Device['state'];
  kid: string;
  algorithm: DeviceAlgorithm;
  public_key: string;
  credential_id: string | null;
  credential_key: string | null;
  credential_counter: number;
  pending_until: number | null;
  capped_until: number | null;
  created_at: number;
  last_used_at: number | null;
  client_id: string | null;
}

const COLUMNS = `id, account_id, name, platform, state, kid, algorithm, public_key, credential_id, credential_key, credential_counter,
  pending_until, capped_until, created_at, last_used_at, client_id`;

/** Devices and the calls they made. */
export type DeviceStore = ReturnType<typeof createDeviceStore>;

export function createDeviceStore({ db, clock }: { db: Database; clock: () => number }) {
  const byId = db.statement<Row>(`select ${COLUMNS} from tandem_devices where id = ?`);
  // SQLite has one writer at a time, and so nothing to lock.
  const byIdLocked = db.statement<Row>({
    sqlite: `select ${COLUMNS} from tandem_devices where id = ?`,
    postgres: `select ${COLUMNS} from tandem_devices where id = ? for update`,
    mysql: `select ${COLUMNS} from tandem_devices where id = ? for update`,
  });
  const byKid = db.statement<Row>(`select ${COLUMNS} from tandem_devices where kid = ?`);
  const byCredential = db.statement<Row>(`select ${COLUMNS} from tandem_devices where credential_hash = ?`);
  const ofAccount = db.statement<Row>(
    `select ${COLUMNS} from tandem_devices where account_id = ? and state = 'active' order by created_at, id`,
  );
  const overdue = db.statement<{ id: string }>(`select id from tandem_devices where state = 'pending' and pending_until < ? order by pending_until limit 100`);
  const insert = db.statement(
    `insert into tandem_devices (id, account_id, name, platform, state, kid, algorithm, public_key, credential_id, credential_hash, credential_key,
      credential_counter, pending_until, created_at, client_id) values (?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const activate = db.statement(
    `update tandem_devices set state = 'active', pending_until = null, capped_until = ?, confirmed_at = ? where id = ? and state = 'pending'`,
  );
  const rekey = db.statement(
    `update tandem_devices set kid = ?, algorithm = ?, public_key = ?, last_used_at = ? where id = ? and kid = ? and state = 'active'`,
  );
  const rename = db.statement(`update tandem_devices set name = ? where id = ? and account_id = ? and state = 'active'`);
  const revoke = db.statement(
    `update tandem_devices set state = 'revoked', revoked_at = ?, revoked_reason = ? where id = ? and state <> 'revoked'`,
  );
  const lostUnproven = db.statement<{ id: string }>(
    `select id from tandem_devices where account_id = ? and revoked_reason in ('lost-unproven', 'retired-unproven') and revoked_at > ? limit 1`,
  );
  const vouch = db.statement(
    `update tandem_devices set revoked_reason = case revoked_reason when 'lost-unproven' then 'lost' else 'retired' end
      where account_id = ? and revoked_reason in ('lost-unproven', 'retired-unproven')`,
  );
  const uncap = db.statement(`update tandem_devices set capped_until = null where account_id = ? and capped_until is not null`);
  const advance = db.statement(`update tandem_devices set credential_counter = ? where id = ? and credential_counter < ?`);
  const touch = db.statement(`update tandem_devices set last_used_at = ? where id = ?`);
  const insertCall = db.statement(`insert into tandem_device_calls (device_id, jti, expires_at) values (?, ?, ?)`);

  function record(row: Row): DeviceRecord {
    const now = clock();
    const forgotten = row.state === 'pending' && row.pending_until !== null && row.pending_until < now;
    const cappedUntil = row.capped_until !== null && row.capped_until > now ? row.capped_until : undefined;
    return {
      id: row.id,
      accountId: row.account_id,
      name: row.name,
      platform: row.platform,
      state: forgotten ? 'revoked' : row.state,
      userVerifying: row.credential_id !== null,
      levelCap: cappedUntil === undefined ? 2 : 1,
      cappedUntil,
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at ?? undefined,
      ...(row.client_id !== null && { enrolledBy: row.client_id }),
      kid: row.kid,
      algorithm: row.algorithm,
      publicKey: JSON.parse(row.public_key) as JWK,
      credential:
        row.credential_id === null || row.credential_key === null
          ? undefined
          : { id: row.credential_id, publicKey: row.credential_key, counter: row.credential_counter },
    };
  }

  return {
    async find(id: string, tx?: Transaction): Promise<DeviceRecord | undefined> {
      const row = await byId.get([id], tx);
      return row && record(row);
    },

    /** The device, which nobody else can change until `tx` ends. */
    async lock(id: string, tx: Transaction): Promise<DeviceRecord | undefined> {
      const row = await byIdLocked.get([id], tx);
      return row && record(row);
    },

    async findByKid(kid: string): Promise<DeviceRecord | undefined> {
      const row = await byKid.get([kid]);
      return row && record(row);
    },

    /** The device whose user-verifying key is behind this WebAuthn credential. */
    async findByCredential(credentialId: string): Promise<DeviceRecord | undefined> {
      const row = await byCredential.get([hashOf(credentialId)]);
      return row && record(row);
    },

    /** The active devices of an account, oldest first. */
    async list(accountId: string, tx?: Transaction): Promise<DeviceRecord[]> {
      return (await ofAccount.all([accountId], tx)).map(record);
    },

    /** Some of the devices that nobody confirmed in time. */
    async overdue(): Promise<string[]> {
      return (await overdue.all([clock()])).map(({ id }) => id);
    },

    /** Inserts a pending device; false when one of its keys is a device's already. */
    async insert(device: NewDevice, tx: Transaction): Promise<boolean> {
      // A unique violation would abort the whole transaction on PostgreSQL, so ask first; the constraint decides a race.
      const { credential } = device;
      if (await byKid.get([device.kid], tx)) return false;
      if (credential && (await byCredential.get([hashOf(credential.id)], tx))) return false;
      await insert.run(
        [
          device.id, device.accountId, device.name, device.platform, device.kid, device.algorithm, JSON.stringify(device.publicKey),
          credential?.id ?? null, credential ? hashOf(credential.id) : null, credential?.publicKey ?? null, credential?.counter ?? 0, device.pendingUntil, clock(),
          device.enrolledBy ?? null,
        ],
        tx,
      );
      return true;
    },

    /** Pending becomes active; false when it was not pending. */
    async activate(id: string, cappedUntil: number | undefined, tx: Transaction): Promise<boolean> {
      return (await activate.run([cappedUntil ?? null, clock(), id], tx)) === 1;
    },

    /**
     * Puts a new presence key in the place of the one that `device` was read with; false when that is no longer its key,
     * when it is no longer active, or when the new one is a device's already.
     */
    async rekey({ id, kid }: Pick<DeviceRecord, 'id' | 'kid'>, key: Pick<DeviceRecord, 'kid' | 'algorithm' | 'publicKey'>, tx: Transaction): Promise<boolean> {
      if (await byKid.get([key.kid], tx)) return false;
      return (await rekey.run([key.kid, key.algorithm, JSON.stringify(key.publicKey), clock(), id, kid], tx)) === 1;
    },

    async rename(accountId: string, id: string, name: string, tx: Transaction): Promise<boolean> {
      return (await rename.run([name, id, accountId], tx)) === 1;
    },

    /** False when it was revoked before. `…-unproven`: by less than adding a phone takes. */
    async revoke(id: string, reason: RevocationReason | `${RevocationReason}-unproven`, tx: Transaction): Promise<boolean> {
      return (await revoke.run([clock(), reason, id], tx)) === 1;
    },

    /** Whether a device of the account was ended after `since` by less than adding one takes. */
    async lostUnproven(accountId: string, since: number, tx?: Transaction): Promise<boolean> {
      return (await lostUnproven.get([accountId, since], tx)) !== undefined;
    },

    /** What was ended so counts as proven from now on. */
    async vouch(accountId: string, tx: Transaction): Promise<void> {
      await vouch.run([accountId], tx);
    },

    async uncap(accountId: string, tx: Transaction): Promise<void> {
      await uncap.run([accountId], tx);
    },

    /** Moves the credential's counter forward; false when it is there already, as for a copy of the authenticator. */
    async advanceCounter(id: string, counter: number): Promise<boolean> {
      return (await advance.run([counter, id, counter])) === 1;
    },

    async touch(id: string): Promise<void> {
      await touch.run([clock(), id]);
    },

    /** Keeps that this device used this `jti`; false when it did before. */
    async rememberCall(deviceId: string, jti: string, expiresAt: number): Promise<boolean> {
      try {
        await insertCall.run([deviceId, jti, expiresAt]);
        return true;
      } catch (error) {
        if (db.isUniqueViolation(error)) return false;
        throw error;
      }
    },
  };
}

const hashOf = (credentialId: string) => base64url(sha256(credentialId));

/** What other rooms may know of a device. */
export function publicDevice(record: DeviceRecord): Device {
  const { kid: _kid, algorithm: _algorithm, publicKey: _publicKey, credential: _credential, ...device } = record;
  return device;
}
