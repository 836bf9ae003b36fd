import { hash } from 'node:crypto';
import { errors, type Adapter, type AdapterFactory, type AdapterPayload } from 'oidc-provider';
import type { Clock } from '../lib/clock.ts';
import type { Database } from '../lib/database/database.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { silentLog, type Log } from '../lib/log.ts';

/** Models whose payload is encrypted: it holds a secret, or an id by which somebody else's row is found. */
const SEALED = new Set(['BackchannelAuthenticationRequest', 'Client', 'DeviceCode', 'Interaction', 'Session']);
/** Models that a grant ends with. An Interaction names a grant too, but outlives it. */
const GRANTABLE = new Set([
  'AccessToken',
  'AuthorizationCode',
  'BackchannelAuthenticationRequest',
  'DeviceCode',
  'PreAuthorizedCode',
  'RefreshToken',
]);

/** Milliseconds between two words about rows that cannot be read. */
const TELL_EVERY = 60_000;

/**
 * Makes the storage of an oidc-provider on one table.
 *
 * An id is the token itself, so the table keeps its hash, and a payload leaves its id out or is encrypted: a copy of the table gives
 * nobody a login. Of any number of processes that consume the same row one succeeds; the others throw
 * `InvalidGrant`, or `InvalidRequestUri` for a pushed authorization request. A row of ReplayDetection that is there
 * already throws `InvalidRequest` instead of being replaced, for the provider's own check is not atomic. A row encrypted under a key that
 * the ring no longer has counts as not found; the log says so, once a minute at most.
 *
 * @returns what the provider's configuration takes as `adapter`
 *
 * @example
 * new Provider(issuer, { adapter: createAdapter({ db, clock, keyRing }) });
 */
export function createAdapter({ db, clock, keyRing, log = silentLog }: { db: Database; clock: Clock; keyRing: KeyRing; log?: Log }): AdapterFactory {
  const statements = prepare(db);
  let lastSaved = 0;
  let lastTold = -Infinity;

  /** Whoever drops a key wants what it encrypted to be forgotten, and to hear of it where that was a mistake. */
  function unreadable(model: string): undefined {
    if (clock() - lastTold < TELL_EVERY) return;
    lastTold = clock();
    log.warn({ model }, 'a row is encrypted under a key that is no longer given, and counts as not found');
  }

  /** The time in thousandths of a millisecond, made unique within the process, so that of two rows one is the newer. */
  function now(): number {
    lastSaved = Math.max(lastSaved + 1, clock() * 1000);
    return lastSaved;
  }

  return (model): Adapter => {
    const sealed = SEALED.has(model);
    const grantable = GRANTABLE.has(model);
    const rowId = (id: string) => hash('sha256', `${model}:${id}`, 'base64url');

    function write(row: string, payload: AdapterPayload): string {
      if (sealed) return keyRing.encrypt(Buffer.from(JSON.stringify(payload)), placeOf(row));
      const { jti: _, ...rest } = payload;
      return JSON.stringify(rest);
    }

    function read(row: Row | undefined, id?: string): AdapterPayload | undefined {
      if (!row || (row.expires_at !== null && row.expires_at <= clock())) return undefined;
      if (sealed && !keyRing.holds(row.payload)) return unreadable(model);
      const text = sealed ? Buffer.from(keyRing.decrypt(row.payload, placeOf(row.id))).toString() : row.payload;
      const payload = JSON.parse(text) as AdapterPayload;
      if (!sealed && id !== undefined) payload.jti = id;
      if (row.consumed_at !== null) payload.consumed = Math.floor(row.consumed_at / 1000);
      return payload;
    }

    return {
      async upsert(id, payload, expiresIn) {
        const row = rowId(id);
        const values = [
          row,
          model,
          write(row, payload),
          payload.uid === undefined ? null : lookupHash(payload.uid),
          payload.userCode === undefined ? null : lookupHash(payload.userCode),
          grantable ? (payload.grantId ?? null) : null,
          now(),
          expiresIn === undefined ? null : clock() + expiresIn * 1000,
          payload.consumed ? clock() : null,
        ];
        if (model !== 'ReplayDetection') {
          await statements.upsert.run(values);
        } else if ((await insertOnce(values)) === 0) {
          throw new errors.InvalidRequest('this proof has been used already');
        }
      },
      async find(id) {
        return read(await statements.find.get([rowId(id)]), id);
      },
      async findByUid(uid) {
        return read(await statements.findByUid.get([lookupHash(uid), model]));
      },
      async findByUserCode(userCode) {
        return read(await statements.findByUserCode.get([lookupHash(userCode), model]));
      },
      async consume(id) {
        const at = clock();
        if ((await statements.consume.run([at, rowId(id), at])) === 1) return;
        if (model === 'PushedAuthorizationRequest') throw new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used');
        throw new errors.InvalidGrant(`${model} is expired or was already consumed`);
      },
      async destroy(id) {
        await statements.destroy.run([rowId(id)]);
      },
      async revokeByGrantId(grantId) {
        await statements.revoke.run([grantId, model]);
      },
    };
  };

  /** Inserts a row unless one that still counts is there; returns how many rows it wrote. */
  async function insertOnce(values: Parameters<typeof statements.upsert.run>[0]): Promise<number> {
    const [id] = values;
    try {
      return await statements.insert.run(values);
    } catch (error) {
      if (!db.isUniqueViolation(error)) throw error;
    }
    // What was there has expired, and the sweeper not come by yet: whoever renews it first has it.
    const [savedAt, expiresAt] = values.slice(6, 8) as [number, number | null];
    return statements.renew.run([savedAt, expiresAt, id as string, clock()]);
  }
}

interface Row {
  readonly id: string;
  readonly payload: string;
  readonly expires_at: number | null;
  readonly consumed_at: number | null;
}

function prepare(db: Database) {
  const insert = `INSERT INTO tandem_oidc (id, model, payload, uid_hash, user_code_hash, grant_id, saved_at, expires_at, consumed_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  const replaced = ['payload', 'uid_hash', 'user_code_hash', 'grant_id', 'saved_at', 'expires_at'];
  // A consumed row stays consumed, whatever an older copy of it says.
  const onConflict = `${insert} ON CONFLICT (id) DO UPDATE SET ${replaced.map((column) => `${column} = excluded.${column}`).join(', ')},
    consumed_at = COALESCE(tandem_oidc.consumed_at, excluded.consumed_at)`;
  const onDuplicate = `${insert} ON DUPLICATE KEY UPDATE ${replaced.map((column) => `${column} = VALUES(${column})`).join(', ')},
    consumed_at = COALESCE(consumed_at, VALUES(consumed_at))`;
  const select = 'SELECT id, payload, expires_at, consumed_at FROM tandem_oidc';

  return {
    insert: db.statement(insert),
    renew: db.statement('UPDATE tandem_oidc SET saved_at = ?, expires_at = ? WHERE id = ? AND expires_at <= ?'),
    upsert: db.statement({ sqlite: onConflict, postgres: onConflict, mysql: onDuplicate }, { gather: 'rows' }),
    find: db.statement<Row>(`${select} WHERE id = ?`, { gather: 'keys' }),
    findByUid: db.statement<Row>(`${select} WHERE uid_hash = ? AND model = ? ORDER BY saved_at DESC LIMIT 1`),
    findByUserCode: db.statement<Row>(`${select} WHERE user_code_hash = ? AND model = ? ORDER BY saved_at DESC LIMIT 1`),
    consume: db.statement(
      'UPDATE tandem_oidc SET consumed_at = ? WHERE id = ? AND consumed_at IS NULL AND (expires_at IS NULL OR expires_at > ?)',
    ),
    destroy: db.statement('DELETE FROM tandem_oidc WHERE id = ?'),
    revoke: db.statement('DELETE FROM tandem_oidc WHERE grant_id = ? AND model = ?'),
  };
}

function lookupHash(value: string): string {
  return hash('sha256', value, 'base64url');
}

function placeOf(row: string): string {
  return `tandem_oidc:${row}`;
}
