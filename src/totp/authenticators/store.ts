import type { Database, Transaction } from '../../context.ts';
import type { ActivatedBy, Authenticator, TotpAlgorithm } from './authenticators.ts';

/** An authenticator with what verifies its codes; stays in this room. */
export interface AuthenticatorRecord extends Authenticator {
  readonly accountId: string;
  readonly algorithm: TotpAlgorithm;
  /** Encrypted, and bound to this row. */
  readonly seed: string;
  readonly active: boolean;
  /** Where its first code was typed. */
  readonly activatedBy: ActivatedBy | undefined;
  /** Until when the first code may be typed. */
  readonly expiresAt: number | undefined;
  /** Wrong first codes, and when the next may be tried. */
  readonly misses: number;
  readonly nextTryAt: number | undefined;
  /** The newest time step of which a code was taken. */
  readonly lastStep: number | undefined;
  /** By how many steps the app's clock is ahead, as its last code told. */
  readonly drift: number;
}

/** What an account has missed in a row. */
export interface Standing {
  readonly misses: number;
  readonly nextTryAt: number | undefined;
}

interface Row {
  id: string;
  account_id: string;
  name: string | null;
  algorithm: TotpAlgorithm;
  seed: string;
  created_at: number;
  expires_at: number | null;
  misses: number;
  next_try_at: number | null;
  activated_at: number | null;
  activated_by: ActivatedBy | null;
  last_step: number | null;
  drift: number;
  last_used_at: number | null;
}

interface StandingRow {
  misses: number;
  next_try_at: number | null;
}

const COLUMNS = 'id, account_id, name, algorithm, seed, created_at, expires_at, misses, next_try_at, activated_at, activated_by, last_step, drift, last_used_at';

const mapRow = (row: Row): AuthenticatorRecord => ({
  id: row.id,
  accountId: row.account_id,
  name: row.name ?? '',
  algorithm: row.algorithm,
  seed: row.seed,
  active: row.activated_at !== null,
  activatedBy: row.activated_by ?? undefined,
  createdAt: row.activated_at ?? row.created_at,
  expiresAt: row.expires_at ?? undefined,
  misses: row.misses,
  nextTryAt: row.next_try_at ?? undefined,
  lastStep: row.last_step ?? undefined,
  drift: row.drift,
  lastUsedAt: row.last_used_at ?? undefined,
});

const mapStanding = (row: StandingRow): Standing => ({ misses: row.misses, nextTryAt: row.next_try_at ?? undefined });

export type TotpStore = ReturnType<typeof createTotpStore>;

export function createTotpStore({ db, clock }: { db: Database; clock: () => number }) {
  const byId = db.statement<Row>(`select ${COLUMNS} from tandem_authenticators where id = ?`);
  const active = db.statement<Row>(
    `select ${COLUMNS} from tandem_authenticators where account_id = ? and activated_at is not null order by activated_at, id`,
  );
  const pending = db.statement<Row>(
    `select ${COLUMNS} from tandem_authenticators where account_id = ? and activated_at is null and expires_at > ? order by created_at limit 1`,
  );
  const any = db.statement('select id from tandem_authenticators where account_id = ? and activated_at is not null limit 1');
  const insert = db.statement(
    `insert into tandem_authenticators (id, account_id, algorithm, seed, created_at, expires_at, misses, drift) values (?, ?, ?, ?, ?, ?, 0, 0)`,
  );
  const missFirst = db.statement('update tandem_authenticators set misses = ?, next_try_at = ? where id = ?');
  const activate = db.statement(
    `update tandem_authenticators set name = ?, activated_at = ?, activated_by = ?, last_step = ?, drift = ?, last_used_at = ?, expires_at = null, misses = 0, next_try_at = null
      where id = ? and activated_at is null`,
  );
  // Increasing only: of two requests with the same code one changes the row.
  const use = db.statement(
    'update tandem_authenticators set last_step = ?, drift = ?, last_used_at = ? where id = ? and (last_step is null or last_step < ?)',
  );
  const rename = db.statement('update tandem_authenticators set name = ? where id = ? and account_id = ? and activated_at is not null');
  const remove = db.statement('delete from tandem_authenticators where id = ?');
  const endPending = db.statement('update tandem_authenticators set expires_at = ? where account_id = ? and activated_at is null and expires_at > ?');
  const removePending = db.statement('delete from tandem_authenticators where account_id = ? and activated_at is null');

  const standing = 'select misses, next_try_at from tandem_totp_accounts where account_id = ?';
  const ofActive = 'exists (select 1 from tandem_authenticators a where a.account_id = tandem_totp_accounts.account_id and a.activated_at is not null)';
  const findStanding = db.statement<StandingRow>(`${standing} and ${ofActive}`);
  // SQLite has one writer at a time, and so nothing to lock.
  const lockStanding = db.statement<StandingRow>({ sqlite: standing, postgres: `${standing} for update`, mysql: `${standing} for update` });
  const newStanding = 'insert into tandem_totp_accounts (account_id, misses) values (?, 0)';
  const insertStanding = db.statement({
    sqlite: `${newStanding} on conflict do nothing`,
    postgres: `${newStanding} on conflict do nothing`,
    // Where the row is there already this locks it for writing; `insert ignore` would lock it for reading, and two of those wait for each other.
    mysql: `${newStanding} on duplicate key update misses = misses`,
  });
  const setStanding = db.statement('update tandem_totp_accounts set misses = ?, next_try_at = ? where account_id = ?');

  return {
    async find(id: string, tx?: Transaction): Promise<AuthenticatorRecord | undefined> {
      const row = await byId.get([id], tx);
      return row && mapRow(row);
    },

    /** Those in use, oldest first. */
    async active(accountId: string, tx?: Transaction): Promise<AuthenticatorRecord[]> {
      return (await active.all([accountId], tx)).map(mapRow);
    },

    async hasActive(accountId: string, tx?: Transaction): Promise<boolean> {
      return (await any.get([accountId], tx)) !== undefined;
    },

    /** The enrolment under way. */
    async pending(accountId: string, tx?: Transaction): Promise<AuthenticatorRecord | undefined> {
      const row = await pending.get([accountId, clock()], tx);
      return row && mapRow(row);
    },

    async insert(record: Pick<AuthenticatorRecord, 'id' | 'accountId' | 'algorithm' | 'seed'> & { expiresAt: number }, tx: Transaction): Promise<void> {
      await insert.run([record.id, record.accountId, record.algorithm, record.seed, clock(), record.expiresAt], tx);
    },

    /** Counts a wrong first code. */
    async missFirst(id: string, { misses, nextTryAt }: Standing, tx: Transaction): Promise<void> {
      await missFirst.run([misses, nextTryAt ?? null, id], tx);
    },

    /** Pending becomes active, with the step of its first code; false when it was not pending. */
    async activate(id: string, { name, by, step, drift }: { name: string; by: ActivatedBy; step: number; drift: number }, tx: Transaction): Promise<boolean> {
      const now = clock();
      return (await activate.run([name, now, by, step, drift, now, id], tx)) === 1;
    },

    /** Uses up a time step, and those before it; false when it was. */
    async use(id: string, { step, drift }: { step: number; drift: number }, tx: Transaction): Promise<boolean> {
      return (await use.run([step, drift, clock(), id, step], tx)) === 1;
    },

    async rename(accountId: string, id: string, name: string, tx: Transaction): Promise<boolean> {
      return (await rename.run([name, id, accountId], tx)) === 1;
    },

    async remove(id: string, tx: Transaction): Promise<void> {
      await remove.run([id], tx);
    },

    /** Ends the enrolment under way, as if its time had come. */
    async endPending(accountId: string, tx: Transaction): Promise<void> {
      const now = clock();
      await endPending.run([now, accountId, now], tx);
    },

    /** Deletes the enrolments under way, and those that have run out. */
    async removePending(accountId: string, tx: Transaction): Promise<void> {
      await removePending.run([accountId], tx);
    },

    /** Undefined of an account without an authenticator in use. */
    async standing(accountId: string): Promise<Standing | undefined> {
      const row = await findStanding.get([accountId]);
      return row && mapStanding(row);
    },

    /** Makes others who lock the account wait until `tx` ends; undefined of one that has never begun an enrolment, where there is nothing to lock. */
    async lock(accountId: string, tx: Transaction): Promise<Standing | undefined> {
      const row = await lockStanding.get([accountId], tx);
      return row && mapStanding(row);
    },

    /** The same, of an account that may be new here. */
    async lockNew(accountId: string, tx: Transaction): Promise<void> {
      await insertStanding.run([accountId], tx);
      await lockStanding.get([accountId], tx);
    },

    async setStanding(accountId: string, { misses, nextTryAt }: Standing, tx: Transaction): Promise<void> {
      await setStanding.run([misses, nextTryAt ?? null, accountId], tx);
    },
  };
}
