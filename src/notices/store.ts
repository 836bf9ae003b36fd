import type { Database, Transaction } from '../context.ts';
import type { NoticeData, NoticeKind } from './kinds.ts';

/** A notice that has not been sent. */
export interface QueuedNotice {
  readonly id: string;
  readonly accountId: string;
  readonly kind: NoticeKind;
  readonly data: NoticeData;
  /** When it happened, in epoch milliseconds. */
  readonly at: number;
  /** How often somebody has begun to send it, this time included. */
  readonly attempts: number;
  /** How many more of its kind it stands for. */
  readonly more: number;
}

interface Row {
  id: string;
  account_id: string;
  kind: NoticeKind;
  data: string;
  created_at: number;
  attempts: number;
  more: number;
}

export type NoticeStore = ReturnType<typeof createNoticeStore>;

/** Keeps notices from the change that they tell of until they are sent, and no longer. */
export function createNoticeStore(db: Database) {
  const insert = db.statement(
    'insert into tandem_notices (id, account_id, kind, data, created_at, attempts, next_attempt_at, held, more) values (?, ?, ?, ?, ?, 0, ?, 0, 0)',
  );
  const byId = db.statement<Row>('select id, account_id, kind, data, created_at, attempts, more from tandem_notices where id = ?');
  const due = db.statement<{ id: string }>('select id from tandem_notices where next_attempt_at <= ? order by next_attempt_at, id limit 200');
  const claim = db.statement('update tandem_notices set attempts = attempts + 1, held = 0, next_attempt_at = ? where id = ? and next_attempt_at <= ?');
  const postpone = db.statement('update tandem_notices set next_attempt_at = ? where id = ? and attempts = ?');
  const hold = db.statement('update tandem_notices set held = 1, attempts = 0, next_attempt_at = ? where id = ? and attempts = ?');
  const remove = db.statement('delete from tandem_notices where id = ? and attempts = ?');
  const held = db.statement<{ id: string; more: number }>(
    'select id, more from tandem_notices where account_id = ? and kind = ? and held = 1 order by id limit 200',
  );
  const removeHeld = db.statement('delete from tandem_notices where id = ? and more = ? and held = 1');
  const count = db.statement('update tandem_notices set more = more + ? where id = ?');
  const countHeld = db.statement('update tandem_notices set more = more + 1 where id = ? and held = 1');

  return {
    async insert({ id, accountId, kind, data, at }: Pick<QueuedNotice, 'id' | 'accountId' | 'kind' | 'data' | 'at'>, tx: Transaction): Promise<void> {
      await insert.run([id, accountId, kind, JSON.stringify(data), at, at], tx);
    },

    /** Counts one more in a notice of this kind that is held back; false where none is. */
    async fold(accountId: string, kind: NoticeKind, tx: Transaction): Promise<boolean> {
      const [waiting] = await held.all([accountId, kind], tx);
      return waiting !== undefined && (await countHeld.run([waiting.id], tx)) === 1;
    },

    async due(now: number): Promise<string[]> {
      return (await due.all([now])).map(({ id }) => id);
    },

    /** Takes a due notice until `until`, which nobody else can take meanwhile; undefined where somebody else has. */
    async claim(id: string, now: number, until: number): Promise<QueuedNotice | undefined> {
      if ((await claim.run([until, id, now])) !== 1) return undefined;
      const row = await byId.get([id]);
      return row && mapRow(row);
    },

    /** Lets a claimed notice be taken again from `at` on. */
    async postpone({ id, attempts }: QueuedNotice, at: number): Promise<void> {
      await postpone.run([at, id, attempts]);
    },

    /** Holds a claimed notice back until `at`, and what happens of its kind meanwhile with it. */
    async hold({ id, attempts }: QueuedNotice, at: number): Promise<void> {
      await hold.run([at, id, attempts]);
    },

    /** Takes all that is held back of the same kind into `notice`. */
    async gather(notice: QueuedNotice, tx: Transaction): Promise<QueuedNotice> {
      let found = 0;
      for (const { id, more } of await held.all([notice.accountId, notice.kind], tx)) {
        if ((await removeHeld.run([id, more], tx)) === 1) found += more + 1;
      }
      if (found > 0) await count.run([found, notice.id], tx);
      return { ...notice, more: notice.more + found };
    },

    /** False where it is no longer the one that was claimed. */
    async remove({ id, attempts }: QueuedNotice, tx: Transaction): Promise<boolean> {
      return (await remove.run([id, attempts], tx)) === 1;
    },
  };
}

function mapRow(row: Row): QueuedNotice {
  return {
    id: row.id,
    accountId: row.account_id,
    kind: row.kind,
    data: JSON.parse(row.data) as NoticeData,
    at: row.created_at,
    attempts: row.attempts,
    more: row.more,
  };
}
