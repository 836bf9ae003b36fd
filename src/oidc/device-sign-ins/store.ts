import type { Database, Transaction } from '../../lib/database/database.ts';

/** A session that a device signed in, or a grant given in such a session. */
export interface DeviceSignIn {
  readonly deviceId: string;
  readonly sessionUid: string;
  /** Empty for the session alone. */
  readonly grantId: string;
}

export interface DeviceSignInStore {
  insert(row: DeviceSignIn & { readonly accountId: string; readonly createdAt: number; readonly expiresAt: number }, tx?: Transaction): Promise<void>;
  deviceOf(sessionUid: string): Promise<string | undefined>;
  /** Marks all that a device made as to be ended; returns how many rows. */
  condemn(tx: Transaction, deviceId: string): Promise<number>;
  /** What is to be ended, of one device or of any. */
  condemned(deviceId?: string): Promise<DeviceSignIn[]>;
  /** False when another process was faster. */
  remove(row: DeviceSignIn): Promise<boolean>;
  removeExpired(now: number): Promise<number>;
}

export function createDeviceSignInStore(db: Database): DeviceSignInStore {
  const columns = '(device_id, session_uid, grant_id, account_id, created_at, expires_at, condemned) values (?, ?, ?, ?, ?, ?, 0)';
  const insert = db.statement({
    sqlite: `insert into tandem_device_sign_ins ${columns} on conflict do nothing`,
    postgres: `insert into tandem_device_sign_ins ${columns} on conflict do nothing`,
    mysql: `insert ignore into tandem_device_sign_ins ${columns}`,
  });
  const deviceOf = db.statement<{ device_id: string }>(
    'select device_id from tandem_device_sign_ins where session_uid = ? order by created_at desc limit 1',
  );
  const condemn = db.statement('update tandem_device_sign_ins set condemned = 1 where device_id = ?');
  const selected = 'select device_id, session_uid, grant_id from tandem_device_sign_ins where condemned = 1';
  const ofDevice = db.statement<Row>(`${selected} and device_id = ?`);
  const ofAny = db.statement<Row>(`${selected} limit 100`);
  const remove = db.statement('delete from tandem_device_sign_ins where device_id = ? and session_uid = ? and grant_id = ?');
  const removeExpired = db.statement('delete from tandem_device_sign_ins where expires_at <= ?');

  return {
    async insert({ deviceId, sessionUid, grantId, accountId, createdAt, expiresAt }, tx) {
      await insert.run([deviceId, sessionUid, grantId, accountId, createdAt, expiresAt], tx);
    },
    async deviceOf(sessionUid) {
      return (await deviceOf.get([sessionUid]))?.device_id;
    },
    condemn: (tx, deviceId) => condemn.run([deviceId], tx),
    async condemned(deviceId) {
      return (await (deviceId === undefined ? ofAny.all([]) : ofDevice.all([deviceId]))).map(mapRow);
    },
    async remove({ deviceId, sessionUid, grantId }) {
      return (await remove.run([deviceId, sessionUid, grantId])) > 0;
    },
    removeExpired: (now) => removeExpired.run([now]),
  };
}

interface Row {
  device_id: string;
  session_uid: string;
  grant_id: string;
}

const mapRow = (row: Row): DeviceSignIn => ({ deviceId: row.device_id, sessionUid: row.session_uid, grantId: row.grant_id });
