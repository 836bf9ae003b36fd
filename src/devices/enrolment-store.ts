import type { Database, Transaction } from '../context.ts';

/**
 * `pending → scanned → enrolled → confirmed`; `enrolled → failed` after the last wrong code; all but the ends
 * `→ cancelled`. Each change is one compare-and-set.
 */
export type EnrolmentState = 'pending' | 'scanned' | 'enrolled' | 'confirmed' | 'failed' | 'cancelled';

export interface Enrolment {
  readonly id: string;
  readonly accountId: string;
  /** Hash of the cookie of the browser that shows the QR; empty where a client shows it. */
  readonly browserHash: string;
  /** The client that shows it; undefined where the account's page does. */
  readonly clientId: string | undefined;
  readonly state: EnrolmentState;
  /** How strong the sign-in was that asked for it. */
  readonly acr: string | undefined;
  readonly deviceId: string | undefined;
  readonly codeHash: string | undefined;
  readonly tries: number;
  /** Epoch milliseconds: of the ticket, and once a phone has enrolled, of its confirm code. */
  readonly expiresAt: number;
}

interface Row {
  id: string;
  account_id: string;
  browser_hash: string;
  state: EnrolmentState;
  acr: string | null;
  device_id: string | null;
  code_hash: string | null;
  tries: number;
  expires_at: number;
  client_id: string | null;
}

const COLUMNS = 'id, account_id, browser_hash, state, acr, device_id, code_hash, tries, expires_at, client_id';

export type EnrolmentStore = ReturnType<typeof createEnrolmentStore>;

export function createEnrolmentStore({ db, clock }: { db: Database; clock: () => number }) {
  const byId = db.statement<Row>(`select ${COLUMNS} from tandem_enrolments where id = ?`);
  const byTicket = db.statement<Row>(`select ${COLUMNS} from tandem_enrolments where ticket_hash = ?`);
  const live = db.statement<Row>(
    `select ${COLUMNS} from tandem_enrolments where account_id = ? and state in ('pending', 'scanned', 'enrolled')`,
  );
  const liveOfClient = db.statement<Row>(
    `select ${COLUMNS} from tandem_enrolments where client_id = ? and state in ('pending', 'scanned', 'enrolled') order by account_id`,
  );
  // SQLite has one writer at a time, and so nothing to lock.
  const ofAccount = 'select id from tandem_enrolments where account_id = ? order by id';
  const lockAll = db.statement({ sqlite: ofAccount, postgres: `${ofAccount} for update`, mysql: `${ofAccount} for update` });
  const insert = db.statement(
    `insert into tandem_enrolments (id, account_id, ticket_hash, browser_hash, state, acr, tries, created_at, expires_at, client_id)
      values (?, ?, ?, ?, 'pending', ?, 0, ?, ?, ?)`,
  );
  const scan = db.statement(`update tandem_enrolments set state = 'scanned' where id = ? and state = 'pending' and expires_at > ?`);
  const enrol = db.statement(
    `update tandem_enrolments set state = 'enrolled', device_id = ?, code_hash = ?, expires_at = ?
      where id = ? and state in ('pending', 'scanned') and expires_at > ?`,
  );
  const tryCode = db.statement(
    `update tandem_enrolments set tries = tries + 1 where id = ? and state = 'enrolled' and tries < ? and expires_at > ?`,
  );
  const end = db.statement(
    `update tandem_enrolments set state = ? where id = ? and state in ('pending', 'scanned', 'enrolled')`,
  );

  const forget = db.statement('delete from tandem_enrolments where account_id = ? and client_id = ?');

  const enrolment = (row: Row): Enrolment => ({
    id: row.id,
    accountId: row.account_id,
    browserHash: row.browser_hash,
    state: row.state,
    acr: row.acr ?? undefined,
    deviceId: row.device_id ?? undefined,
    codeHash: row.code_hash ?? undefined,
    tries: row.tries,
    expiresAt: row.expires_at,
    clientId: row.client_id ?? undefined,
  });

  return {
    async find(id: string, tx?: Transaction): Promise<Enrolment | undefined> {
      const row = await byId.get([id], tx);
      return row && enrolment(row);
    },

    async findByTicket(ticketHash: string): Promise<Enrolment | undefined> {
      const row = await byTicket.get([ticketHash]);
      return row && enrolment(row);
    },

    /** The enrolments of an account that have not ended, expired ones among them. */
    async live(accountId: string, tx: Transaction): Promise<Enrolment[]> {
      return (await live.all([accountId], tx)).map(enrolment);
    },

    /** What a client has under way, for whichever accounts. */
    async liveOfClient(clientId: string, tx: Transaction): Promise<Enrolment[]> {
      return (await liveOfClient.all([clientId], tx)).map(enrolment);
    },

    /** Makes others who lock the enrolments of this account wait until `tx` ends. */
    async lock(accountId: string, tx: Transaction): Promise<void> {
      await lockAll.all([accountId], tx);
    },

    async insert(
      { id, accountId, ticketHash, browserHash, clientId, acr, expiresAt }: Pick<Enrolment, 'id' | 'accountId' | 'browserHash' | 'clientId' | 'acr' | 'expiresAt'> & { ticketHash: string },
      tx: Transaction,
    ): Promise<void> {
      await insert.run([id, accountId, ticketHash, browserHash, acr ?? null, clock(), expiresAt, clientId ?? null], tx);
    },

    async scan(id: string): Promise<boolean> {
      return (await scan.run([id, clock()])) === 1;
    },

    /** Uses the ticket up; false when it was used, or is too late. */
    async enrol(id: string, device: { deviceId: string; codeHash: string; expiresAt: number }, tx: Transaction): Promise<boolean> {
      return (await enrol.run([device.deviceId, device.codeHash, device.expiresAt, id, clock()], tx)) === 1;
    },

    /** Takes one of `tries` tries; false when none is left, or nothing waits for a code. */
    async tryCode(id: string, tries: number, tx: Transaction): Promise<boolean> {
      return (await tryCode.run([id, tries, clock()], tx)) === 1;
    },

    /** Ends it; false when it had ended before. */
    async end(id: string, state: 'confirmed' | 'failed' | 'cancelled', tx: Transaction): Promise<boolean> {
      return (await end.run([state, id], tx)) === 1;
    },

    /** Forgets what a client has enrolled for an account. */
    async forget(accountId: string, clientId: string, tx: Transaction): Promise<void> {
      await forget.run([accountId, clientId], tx);
    },
  };
}
