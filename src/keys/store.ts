import type { Database, Transaction } from '../lib/database/database.ts';
import type { Purpose } from './material.ts';

/** `next` is published and verifies, `active` signs, `retired` still verifies. */
export type KeyState = 'next' | 'active' | 'retired';

/** One key as it is stored; times in milliseconds since the epoch. */
export interface KeyRow {
  readonly kid: string;
  readonly purpose: Purpose;
  readonly state: KeyState;
  /** Ciphertext of the key ring, bound to the kid. */
  readonly secret: string;
  readonly createdAt: number;
  /** When a `next` key begins to sign, where that is decided. */
  readonly activatesAt: number | undefined;
  readonly activatedAt: number | undefined;
  readonly retiredAt: number | undefined;
}

export interface KeyStore {
  all(tx?: Transaction): Promise<KeyRow[]>;
  /** Counts every change of the keys, so that a process sees cheaply whether it is up to date. */
  version(): Promise<number>;
  /** Makes other changes wait until `tx` ends, and counts the one that it makes. */
  lock(tx: Transaction): Promise<void>;
  insert(tx: Transaction, row: KeyRow): Promise<void>;
  schedule(tx: Transaction, kid: string, activatesAt: number): Promise<void>;
  activate(tx: Transaction, row: KeyRow, at: number): Promise<void>;
  retire(tx: Transaction, kid: string, at: number): Promise<void>;
  remove(tx: Transaction, kid: string): Promise<void>;
}

interface Columns {
  kid: string;
  purpose: Purpose;
  state: KeyState;
  secret: string;
  created_at: number;
  activates_at: number | null;
  activated_at: number | null;
  retired_at: number | null;
}

export function createKeyStore(db: Database): KeyStore {
  const all = db.statement<Columns>(
    'select kid, purpose, state, secret, created_at, activates_at, activated_at, retired_at from tandem_keys order by created_at, kid',
  );
  const version = db.statement<{ version: number }>('select version from tandem_key_set where id = 1');
  const lock = db.statement('update tandem_key_set set version = version + 1 where id = 1');
  const insert = db.statement(
    'insert into tandem_keys (kid, purpose, state, slot, secret, created_at, activates_at, activated_at, retired_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const schedule = db.statement("update tandem_keys set activates_at = ? where kid = ? and state = 'next'");
  const activate = db.statement("update tandem_keys set state = 'active', slot = ?, activated_at = ? where kid = ? and state = 'next'");
  const retire = db.statement("update tandem_keys set state = 'retired', slot = null, retired_at = ? where kid = ? and state = 'active'");
  const remove = db.statement("delete from tandem_keys where kid = ? and state = 'retired'");

  return {
    async all(tx) {
      return (await all.all([], tx)).map(mapRow);
    },
    async version() {
      return (await version.get([]))?.version ?? 0;
    },
    async lock(tx) {
      await lock.run([], tx);
    },
    async insert(tx, row) {
      const times = [row.createdAt, row.activatesAt ?? null, row.activatedAt ?? null, row.retiredAt ?? null];
      await insert.run([row.kid, row.purpose, row.state, slotOf(row.purpose, row.state), row.secret, ...times], tx);
    },
    async schedule(tx, kid, activatesAt) {
      await schedule.run([activatesAt, kid], tx);
    },
    async activate(tx, row, at) {
      await activate.run([slotOf(row.purpose, 'active'), at, row.kid], tx);
    },
    async retire(tx, kid, at) {
      await retire.run([at, kid], tx);
    },
    async remove(tx, kid) {
      await remove.run([kid], tx);
    },
  };
}

/** A unique column, so that no two keys are ever active, or next, for one purpose; retired ones have none. */
function slotOf(purpose: Purpose, state: KeyState): string | null {
  return state === 'retired' ? null : `${purpose}:${state}`;
}

function mapRow(row: Columns): KeyRow {
  return {
    kid: row.kid,
    purpose: row.purpose,
    state: row.state,
    secret: row.secret,
    createdAt: row.created_at,
    activatesAt: row.activates_at ?? undefined,
    activatedAt: row.activated_at ?? undefined,
    retiredAt: row.retired_at ?? undefined,
  };
}
