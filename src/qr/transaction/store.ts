import type { Database, Transaction as DatabaseTransaction } from '../../context.ts';
import { isLive, LIFETIME, type LiveState, type Purpose, type State, type Via } from './states.ts';
import type { Change, Glance, NewTransaction, QrTransaction } from './transaction.ts';

interface Row {
  id: string;
  state: State;
  reason: string | null;
  purpose: Purpose;
  uid: string;
  cid: string;
  browser_hash: string;
  slot: number | null;
  client_id: string;
  expected_account: string | null;
  policy: 'auto' | 'always';
  known_accounts: string;
  is_static: number;
  level: number;
  facts: string;
  code_hash: string;
  first_started_at: number;
  started_at: number;
  changed_at: number;
  expires_at: number;
  stream: string | null;
  device_id: string | null;
  account_id: string | null;
  via: Via | null;
  code_due: number | null;
  challenge: string | null;
  request: string | null;
  decided_at: number | null;
  proven_level: number | null;
  confirm_hash: string | null;
  confirm_tries: number;
}

const COLUMNS = `id, state, reason, purpose, uid, cid, browser_hash, slot, client_id, expected_account, policy, known_accounts, is_static,
  level, facts, code_hash, first_started_at, started_at, changed_at, expires_at, stream, device_id, account_id, via, code_due, challenge, request,
  decided_at, proven_level, confirm_hash, confirm_tries`;

/** Wrong confirm codes after which a transaction is denied. */
export const CONFIRM_TRIES = 3;

export type QrStore = ReturnType<typeof createQrStore>;

/** QR transactions. Every change is one compare-and-set on the state it leaves: it tells whether this caller made it. */
export function createQrStore({ db, clock }: { db: Database; clock: () => number }) {
  const from = 'from tandem_transactions where';
  const byId = db.statement<Row>(`select ${COLUMNS} ${from} id = ?`);
  const byUid = db.statement<Row>(`select ${COLUMNS} ${from} uid = ? and browser_hash = ? order by started_at desc, id limit 1`);
  const glance = db.statement<Pick<Row, 'id' | 'state' | 'reason' | 'is_static' | 'started_at' | 'first_started_at' | 'expires_at'>>(
    `select id, state, reason, is_static, started_at, first_started_at, expires_at ${from} uid = ? and browser_hash = ? order by started_at desc, id limit 1`,
  );
  const byCode = db.statement<Row>(`select ${COLUMNS} ${from} code_hash = ? and state = 'pending' and expires_at > ? order by started_at desc limit 1`);
  const ofBrowser = db.statement<Row>(`select ${COLUMNS} ${from} browser_hash = ? and slot is not null order by slot`);
  const ofDevice = db.statement<Row>(`select ${COLUMNS} ${from} device_id = ? and state in ('scanned', 'approved', 'confirmed')`);
  const overdue = db.statement<Row>(`select ${COLUMNS} ${from} state = ? and expires_at <= ? order by expires_at limit 100`);
  const changes = db.statement<{ id: string; state: State; reason: string | null; expires_at: number; stream: string | null }>(
    `select id, state, reason, expires_at, stream ${from} changed_at >= ?`,
  );
  const insert = db.statement(
    `insert into tandem_transactions (id, state, purpose, uid, cid, browser_hash, slot, client_id, expected_account, policy, known_accounts,
      is_static, level, facts, code_hash, first_started_at, started_at, changed_at, expires_at, confirm_tries)
     values (?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
  );
  const still = 'where id = ? and state = ? and expires_at > ?';
  const claim = db.statement(
    `update tandem_transactions set state = 'scanned', device_id = ?, account_id = ?, via = ?, code_due = ?, challenge = ?, request = ?,
      changed_at = ?, expires_at = ? ${still}`,
  );
  const ease = db.statement('update tandem_transactions set level = 1 where id = ?');
  const decide = db.statement(
    `update tandem_transactions set state = ?, slot = ?, reason = ?, proven_level = ?, receipt = ?, confirm_hash = ?, decided_at = ?,
      changed_at = ?, expires_at = ? ${still}`,
  );
  const move = db.statement(`update tandem_transactions set state = ?, slot = ?, reason = ?, changed_at = ?, expires_at = ? ${still}`);
  // MySQL assigns from left to right: the reason must read the state before it changes.
  const expire = db.statement(
    `update tandem_transactions set reason = state, state = 'expired', slot = null, changed_at = ? where id = ? and state = ? and expires_at <= ?`,
  );
  const attempt = db.statement(
    `update tandem_transactions set confirm_tries = confirm_tries + 1 where id = ? and state = 'approved' and expires_at > ? and confirm_tries < ${CONFIRM_TRIES}`,
  );
  const attach = db.statement(`update tandem_transactions set uid = ? where id = ?`);
  const openStream = db.statement(`update tandem_transactions set stream = ?, changed_at = ? where id = ?`);
  const receipt = db.statement<{ receipt: string | null; request: string | null }>(`select receipt, request ${from} id = ?`);
  // What nobody decided is nobody's receipt.
  const swept = db.statement<{ id: string }>(
    `select id ${from} state in ('cancelled', 'expired') and receipt is null and changed_at < ? order by changed_at limit 100`,
  );
  const remove = db.statement(`delete ${from} id = ? and slot is null`);

  const slotIn = (transaction: QrTransaction, state: State) => (isLive(state) ? transaction.slot : null);

  /** When `state`, entered now, runs out; an end keeps the moment it came. */
  const until = (state: State) => clock() + (isLive(state) ? LIFETIME[state] : 0);

  const first = (row: Row | undefined) => row && toTransaction(row);

  return {
    find: async (id: string, tx?: DatabaseTransaction) => first(await byId.get([id], tx)),
    /** The newest transaction that this browser started on this page. */
    findByPage: async (uid: string, browserHash: string) => first(await byUid.get([uid, browserHash])),
    /** The same at a glance. */
    async glance(uid: string, browserHash: string): Promise<Glance | undefined> {
      const row = await glance.get([uid, browserHash]);
      return (
        row && {
          id: row.id, state: row.state, reason: row.reason ?? undefined, isStatic: row.is_static === 1,
          startedAt: row.started_at, firstStartedAt: row.first_started_at, expiresAt: row.expires_at,
        }
      );
    },
    findByCode: async (codeHash: string) => first(await byCode.get([codeHash, clock()])),
    /** All that hold one of the browser's slots, those that ran out unnoticed included. */
    findOfBrowser: async (browserHash: string, tx?: DatabaseTransaction) => (await ofBrowser.all([browserHash], tx)).map(toTransaction),
    /** Those that a phone has taken and nobody has ended. */
    findOfDevice: async (deviceId: string, tx: DatabaseTransaction) => (await ofDevice.all([deviceId], tx)).map(toTransaction),
    findOverdue: async (state: LiveState) => (await overdue.all([state, clock()])).map(toTransaction),

    /** What changed since `since`, for processes that cannot be told. */
    async changes(since: number): Promise<Change[]> {
      const rows = await changes.all([since]);
      return rows.map((row) => ({
        id: row.id, state: row.state, reason: row.reason ?? undefined, expiresAt: row.expires_at, stream: row.stream ?? undefined,
      }));
    },

    /** @throws a unique violation when the slot has been taken meanwhile */
    async insert(t: NewTransaction, tx: DatabaseTransaction): Promise<QrTransaction> {
      const now = clock();
      const expiresAt = until('pending');
      await insert.run(
        [
          t.id, t.purpose, t.uid, t.cid, t.browserHash, t.slot, t.clientId, t.expectedAccount ?? null, t.policy,
          JSON.stringify(t.knownAccounts), Number(t.isStatic), t.level, t.facts, t.codeHash, t.firstStartedAt, now, now, expiresAt,
        ],
        tx,
      );
      return {
        ...t, state: 'pending', startedAt: now, changedAt: now, expiresAt, reason: undefined, stream: undefined, deviceId: undefined, accountId: undefined,
        via: undefined, codeDue: false, challenge: undefined, request: undefined, decidedAt: undefined, provenLevel: 1,
        confirmHash: undefined, confirmTries: 0,
      };
    },

    async claim(
      id: string,
      by: { deviceId: string; accountId: string; via: Via; codeDue: boolean; challenge: string; request: string },
      tx: DatabaseTransaction,
    ): Promise<boolean> {
      const now = clock();
      const values = [by.deviceId, by.accountId, by.via, Number(by.codeDue), by.challenge, by.request, now, until('scanned')];
      return (await claim.run([...values, id, 'pending', now], tx)) === 1;
    },

    /** Asks level 1 of the phone from now on, whatever the request asks for. */
    async ease(id: string, tx: DatabaseTransaction): Promise<void> {
      await ease.run([id], tx);
    },

    async decide(
      transaction: QrTransaction,
      to: 'approved' | 'confirmed' | 'denied',
      decision: { receipt: string; level: 1 | 2; confirmHash: string | undefined },
      tx: DatabaseTransaction,
    ): Promise<boolean> {
      const now = clock();
      const reason = to === 'denied' ? 'person' : null;
      const values = [to, slotIn(transaction, to), reason, decision.level, decision.receipt, decision.confirmHash ?? null, now, now, until(to)];
      return (await decide.run([...values, transaction.id, 'scanned', now], tx)) === 1;
    },

    /** Any change that brings nothing but a state; returns when the new state runs out, or undefined where another was faster. */
    async move(transaction: QrTransaction, to: State, reason: string | undefined, tx: DatabaseTransaction): Promise<number | undefined> {
      const now = clock();
      const expiresAt = until(to);
      const values = [to, slotIn(transaction, to), reason ?? null, now, expiresAt];
      return (await move.run([...values, transaction.id, transaction.state, now], tx)) === 1 ? expiresAt : undefined;
    },

    /** Ends a transaction whose time has run out. */
    async expire(transaction: QrTransaction, tx: DatabaseTransaction): Promise<boolean> {
      const now = clock();
      return (await expire.run([now, transaction.id, transaction.state, now], tx)) === 1;
    },

    /** Takes one of the tries at the confirm code, before the code is looked at; false when none is left. */
    async attempt(id: string, tx: DatabaseTransaction): Promise<boolean> {
      return (await attempt.run([id, clock()], tx)) === 1;
    },

    /** The page of this request has a new address. */
    async attach(id: string, uid: string): Promise<void> {
      await attach.run([uid, id]);
    },

    /** Names the one stream that may wait for this transaction. */
    async openStream(id: string, stream: string, tx: DatabaseTransaction): Promise<void> {
      await openStream.run([stream, clock(), id], tx);
    },

    /** The signed decision, and the bytes it signed. */
    async receipt(id: string): Promise<{ decision: string; request: string } | undefined> {
      const row = await receipt.get([id]);
      return row?.receipt && row.request ? { decision: row.receipt, request: row.request } : undefined;
    },

    /** Deletes up to a hundred transactions that ended undecided before `before`. */
    async sweep(before: number): Promise<number> {
      const rows = await swept.all([before]);
      for (const { id } of rows) await remove.run([id]);
      return rows.length;
    },
  };
}

function toTransaction(row: Row): QrTransaction {
  return {
    id: row.id,
    state: row.state,
    reason: row.reason ?? undefined,
    purpose: row.purpose,
    uid: row.uid,
    cid: row.cid,
    browserHash: row.browser_hash,
    slot: row.slot ?? 0,
    clientId: row.client_id,
    expectedAccount: row.expected_account ?? undefined,
    policy: row.policy,
    knownAccounts: JSON.parse(row.known_accounts) as string[],
    isStatic: row.is_static === 1,
    level: row.level === 2 ? 2 : 1,
    facts: row.facts,
    codeHash: row.code_hash,
    firstStartedAt: row.first_started_at,
    startedAt: row.started_at,
    changedAt: row.changed_at,
    expiresAt: row.expires_at,
    stream: row.stream ?? undefined,
    deviceId: row.device_id ?? undefined,
    accountId: row.account_id ?? undefined,
    via: row.via ?? undefined,
    codeDue: row.code_due === 1,
    challenge: row.challenge ?? undefined,
    request: row.request ?? undefined,
    decidedAt: row.decided_at ?? undefined,
    provenLevel: row.proven_level === 2 ? 2 : 1,
    confirmHash: row.confirm_hash ?? undefined,
    confirmTries: row.confirm_tries,
  };
}
