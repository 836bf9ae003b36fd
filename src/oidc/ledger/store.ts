import type { Database, Transaction } from '../../lib/database/database.ts';

/** A session of an account, or a grant given in it. */
export interface SignIn {
  /** The phone that approved it; empty where none did. */
  readonly deviceId: string;
  readonly sessionUid: string;
  /** Empty for the session alone. */
  readonly grantId: string;
  readonly accountId: string;
}

/** Whose sign-ins: those that a phone made, or all of an account but those of one session. */
export type Owner = { readonly deviceId: string } | { readonly accountId: string; readonly but: string };

export interface LedgerStore {
  insert(row: SignIn & { readonly createdAt: number; readonly expiresAt: number }, tx?: Transaction): Promise<void>;
  deviceOf(sessionUid: string): Promise<string | undefined>;
  /** Marks all that is `owner`'s as to be ended, and to be forgotten at `expiresAt`; returns how many rows. */
  condemn(tx: Transaction, owner: Owner, expiresAt: number): Promise<number>;
  /** Whether this session of the account is to be ended, or has been. */
  isCondemned(sessionUid: string, accountId: string): Promise<boolean>;
  /** What is to be ended. */
  condemned(): Promise<Array<SignIn & { readonly ended: boolean }>>;
  /** Notes that it has been ended; false when another process was faster. */
  end(row: SignIn): Promise<boolean>;
  /** Keeps in mind until `expiresAt` that a session has been ended. */
  prolong(sessionUid: string, expiresAt: number): Promise<void>;
  removeExpired(now: number): Promise<number>;
}

/** The states of a row, in the column `condemned`. */
const [CONDEMNED, ENDED] = [1, 2];

export function createLedgerStore(db: Database): LedgerStore {
  const columns = '(device_id, session_uid, grant_id, account_id, created_at, expires_at, condemned) values (?, ?, ?, ?, ?, ?, 0)';
  const insert = db.statement({
    sqlite: `insert into tandem_sign_ins ${columns} on conflict do nothing`,
    postgres: `insert into tandem_sign_ins ${columns} on conflict do nothing`,
    mysql: `insert ignore into tandem_sign_ins ${columns}`,
  });
  const deviceOf = db.statement<{ device_id: string }>(
    `select device_id from tandem_sign_ins where session_uid = ? and device_id <> '' order by created_at desc limit 1`,
  );
  const condemn = `update tandem_sign_ins set condemned = ${CONDEMNED}, expires_at = ? where condemned = 0`;
  const condemnDevice = db.statement(`${condemn} and device_id = ?`);
  const condemnAccount = db.statement(`${condemn} and account_id = ? and session_uid <> ?`);
  const condemned = db.statement<Row>(
    'select device_id, session_uid, grant_id, account_id, condemned from tandem_sign_ins where condemned > 0 order by condemned, expires_at limit 500',
  );
  // By the session alone: given the account too, SQLite would look through all that the account has.
  const ownersOfCondemned = db.statement<{ account_id: string }>('select account_id from tandem_sign_ins where session_uid = ? and condemned > 0');
  const prolong = db.statement(`update tandem_sign_ins set expires_at = ? where session_uid = ? and condemned = ${ENDED}`);
  const end = db.statement(
    `update tandem_sign_ins set condemned = ${ENDED} where device_id = ? and session_uid = ? and grant_id = ? and condemned = ${CONDEMNED}`,
  );
  const removeExpired = db.statement(`delete from tandem_sign_ins where expires_at <= ? and condemned <> ${CONDEMNED}`);

  return {
    async insert({ deviceId, sessionUid, grantId, accountId, createdAt, expiresAt }, tx) {
      await insert.run([deviceId, sessionUid, grantId, accountId, createdAt, expiresAt], tx);
    },
    async deviceOf(sessionUid) {
      return (await deviceOf.get([sessionUid]))?.device_id;
    },
    condemn: (tx, owner, expiresAt) =>
      'deviceId' in owner ? condemnDevice.run([expiresAt, owner.deviceId], tx) : condemnAccount.run([expiresAt, owner.accountId, owner.but], tx),
    isCondemned: async (sessionUid, accountId) => (await ownersOfCondemned.all([sessionUid])).some((row) => row.account_id === accountId),
    async prolong(sessionUid, expiresAt) {
      await prolong.run([expiresAt, sessionUid]);
    },
    async condemned() {
      return (await condemned.all([])).map(mapRow);
    },
    async end({ deviceId, sessionUid, grantId }) {
      return (await end.run([deviceId, sessionUid, grantId])) > 0;
    },
    removeExpired: (now) => removeExpired.run([now]),
  };
}

interface Row {
  device_id: string;
  session_uid: string;
  grant_id: string;
  account_id: string;
  condemned: number;
}

const mapRow = (row: Row) => ({
  deviceId: row.device_id,
  sessionUid: row.session_uid,
  grantId: row.grant_id,
  accountId: row.account_id,
  ended: Number(row.condemned) === ENDED,
});
