import type { JWK } from 'jose';
import type { Context, Transaction } from '../context.ts';
import { actedBy, type Actor } from '../lib/actor.ts';
import { makeKey } from './material.ts';
import type { Material, Purpose } from './material.ts';
import type {} from './events.ts';
import { isDone, planKeys } from './plan.ts';
import { createKeyStore } from './store.ts';
import type { KeyRow, KeyState } from './store.ts';

export interface KeysOptions {
  /**
   * Seconds for which a key is published before it signs, so that whoever caches the JWKS, and every process of this
   * installation, knows it by then. One hour by default.
   */
  readonly publishAhead?: number;
  /**
   * Seconds for which a retired key stays published: longer than anything signed with it is of use. 30 days by
   * default, for an ID token long expired is still a hint at sign-out (OpenID Connect RP-Initiated Logout §2), and
   * cookies last as long as sessions.
   */
  readonly retain?: number;
}

/** The keys as the provider takes them. */
export interface KeySet {
  /** Private JWKs; of each algorithm the one that signs comes first, then the next one, then retired ones. */
  readonly jwks: { readonly keys: JWK[] };
  /** The first signs, all verify. */
  readonly cookieKeys: string[];
  /** Changes whenever the keys do. */
  readonly version: number;
}

/** A key as an operator sees it; nothing of it is secret. Times in milliseconds since the epoch. */
export interface KeyDescription {
  readonly kid: string;
  readonly purpose: Purpose;
  readonly state: KeyState;
  readonly createdAt: number;
  /** When it begins to sign, where a rotation was ordered. */
  readonly activatesAt: number | undefined;
  readonly activatedAt: number | undefined;
  readonly retiredAt: number | undefined;
  /** When it will be deleted. */
  readonly endsAt: number | undefined;
}

export interface KeysService {
  /**
   * Does what is due: makes the keys that are missing (any number of processes make one set between them), puts next
   * keys whose time has come to work, deletes retired ones whose time is over. Cheap when nothing is due.
   *
   * @returns the version of the key set
   */
  ensure(): Promise<number>;
  /** Ensures the keys, and decrypts them. */
  load(): Promise<KeySet>;
  /**
   * Replaces the active keys by the next ones, which have been published ahead, and makes new next ones. Takes effect
   * once the next keys have been published for {@link KeysOptions.publishAhead}, usually at once, or with `now` in any
   * case. The keys replaced stay published. Ordering a rotation that is ordered already changes nothing.
   *
   * @param options `actor`: who orders it, for the audit log
   * @returns when it takes effect, in milliseconds since the epoch
   */
  rotate(options?: { now?: boolean | undefined; actor?: Actor | undefined }): Promise<{ activatesAt: number }>;
  /** Deletes retired keys whose time is over; returns how many. {@link KeysService.ensure} does so too. */
  prune(): Promise<number>;
  list(): Promise<KeyDescription[]>;
}

const HOUR = 3_600;
const ORDER: Readonly<Record<KeyState, number>> = { active: 0, next: 1, retired: 2 };

export function createKeys(
  { db, clock, keyRing, events }: Pick<Context, 'db' | 'clock' | 'keyRing' | 'events'>,
  { publishAhead = HOUR, retain = 30 * 24 * HOUR }: KeysOptions = {},
): KeysService {
  const store = createKeyStore(db);
  const plan = (rows: readonly KeyRow[]) => planKeys(rows, clock(), retain * 1000);

  /** Carries out the plan under the lock; keys are made before it, so that nobody waits for RSA. */
  async function settle(): Promise<number> {
    const before = plan(await store.all());
    if (isDone(before)) return 0;
    const made = await Promise.all(before.missing.map(({ purpose }) => makeKey(purpose)));

    return db.transaction(async (tx) => {
      await store.lock(tx);
      const { promotions, missing, ended } = plan(await store.all(tx));
      for (const { next, active } of promotions) await promote(tx, next, active);
      const created: string[] = [];
      for (const { purpose, state } of missing) {
        const material = takeFrom(made, purpose) ?? (await makeKey(purpose));
        await insert(tx, material, state);
        created.push(material.kid);
      }
      for (const row of ended) await store.remove(tx, row.kid);

      if (promotions.length > 0) {
        await events.emit(tx, 'keys.rotated', {
          active: promotions.map(({ next }) => next.kid),
          retired: promotions.flatMap(({ active }) => (active ? [active.kid] : [])),
        });
      }
      if (created.length > 0) await events.emit(tx, 'keys.created', { kids: created });
      if (ended.length > 0) await events.emit(tx, 'keys.pruned', { kids: ended.map(({ kid }) => kid) });
      return ended.length;
    });
  }

  async function promote(tx: Transaction, next: KeyRow, active: KeyRow | undefined) {
    if (active) await store.retire(tx, active.kid, clock());
    await store.activate(tx, next, clock());
  }

  async function insert(tx: Transaction, { kid, purpose, secret }: Material, state: KeyState) {
    const now = clock();
    await store.insert(tx, {
      kid,
      purpose,
      state,
      secret: keyRing.encrypt(Buffer.from(secret, 'utf8'), placeOf(kid)),
      createdAt: now,
      activatesAt: undefined,
      activatedAt: state === 'active' ? now : undefined,
      retiredAt: undefined,
    });
  }

  function reveal({ kid, secret }: KeyRow): string {
    return Buffer.from(keyRing.decrypt(secret, placeOf(kid))).toString('utf8');
  }

  async function ensure() {
    await settle();
    return store.version();
  }

  return {
    ensure,

    async load() {
      // The version is read first: a change in between is then seen as one at the next look, never missed.
      const version = await ensure();
      const rows = (await store.all()).sort(bySigningOrder);
      return {
        jwks: { keys: rows.filter(({ purpose }) => purpose !== 'cookie').map((row) => JSON.parse(reveal(row)) as JWK) },
        cookieKeys: rows.filter(({ purpose }) => purpose === 'cookie').map(reveal),
        version,
      };
    },

    async rotate({ now = false, actor } = {}) {
      await settle();
      const activatesAt = await db.transaction(async (tx) => {
        await store.lock(tx);
        const next = (await store.all(tx)).filter(({ state }) => state === 'next');
        const published = Math.max(...next.map(({ createdAt }) => createdAt)) + publishAhead * 1000;
        const ordered = next[0]?.activatesAt;
        const at = now ? clock() : (ordered ?? Math.max(clock(), published));
        if (at === ordered) return at;
        for (const { kid } of next) await store.schedule(tx, kid, at);
        await events.emit(tx, 'keys.rotation_scheduled', { kids: next.map(({ kid }) => kid), activatesAt: at, ...(actor && actedBy(actor)) });
        return at;
      });
      await settle();
      return { activatesAt };
    },

    prune: settle,

    async list() {
      return (await store.all()).sort(bySigningOrder).map((row) => ({
        kid: row.kid,
        purpose: row.purpose,
        state: row.state,
        createdAt: row.createdAt,
        activatesAt: row.state === 'next' ? row.activatesAt : undefined,
        activatedAt: row.activatedAt,
        retiredAt: row.retiredAt,
        endsAt: row.retiredAt === undefined ? undefined : row.retiredAt + retain * 1000,
      }));
    },
  };
}

/** Where a key's ciphertext belongs; in any other row it does not decrypt. */
function placeOf(kid: string): string {
  return `tandem_keys:${kid}`;
}

function takeFrom(made: Material[], purpose: Purpose): Material | undefined {
  const index = made.findIndex((material) => material.purpose === purpose);
  return index < 0 ? undefined : made.splice(index, 1)[0];
}

/** What signs first, then what will, then what did, the latest first. */
function bySigningOrder(a: KeyRow, b: KeyRow): number {
  return ORDER[a.state] - ORDER[b.state] || (b.retiredAt ?? 0) - (a.retiredAt ?? 0) || (a.kid < b.kid ? -1 : 1);
}
