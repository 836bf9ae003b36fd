import type { Database, Transaction } from '../context.ts';
import type { HostedKey } from './credentials/keys.ts';
import type { StoredSecret } from './credentials/secrets.ts';
import type { Metadata } from './types.ts';

/** A client as it is kept. */
export interface ClientRecord {
  readonly clientId: string;
  /** Grows with each change. */
  readonly version: number;
  readonly origin: 'admin' | 'registration';
  readonly metadata: Metadata;
  readonly secrets: readonly StoredSecret[];
  readonly keys: readonly HostedKey[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

interface Row {
  readonly client_id: string;
  readonly version: number;
  readonly origin: ClientRecord['origin'];
  readonly metadata: string;
  readonly secrets: string;
  readonly public_keys: string;
  readonly created_at: number;
  readonly updated_at: number;
}

const COLUMNS = 'client_id, version, origin, metadata, secrets, public_keys, created_at, updated_at';
const MAX_SEARCH = 512;

/** Where a page of clients ends: the newest come first. */
export interface Position {
  readonly createdAt: number;
  readonly clientId: string;
}

/** What an id can be (RFC 6749 Appendix A.1), and every database can be asked for. */
const ID = /^[\x20-\x7e]{1,255}$/;
export const isClientId = (id: unknown): id is string => typeof id === 'string' && ID.test(id);

export type ClientStore = ReturnType<typeof createClientStore>;

export function createClientStore(db: Database) {
  const version = db.statement<{ client_id: string; version: number }>('select client_id, version from tandem_clients where client_id = ? and deleted_at is null', { gather: 'keys' });
  const find = db.statement<Row>(`select ${COLUMNS} from tandem_clients where client_id = ? and deleted_at is null`);
  // SQLite has one writer at a time, and so nothing to lock.
  const locked = (suffix: string) => `select ${COLUMNS} from tandem_clients where client_id = ? and deleted_at is null${suffix}`;
  const lock = db.statement<Row>({ sqlite: locked(''), postgres: locked(' for update'), mysql: locked(' for update') });
  const known = db.statement<{ client_id: string }>('select client_id from tandem_clients where client_id = ?');
  const page = db.statement<Row>(
    `select ${COLUMNS} from tandem_clients where deleted_at is null and search like ? escape '!'
      and (created_at < ? or (created_at = ? and client_id > ?)) order by created_at desc, client_id limit ?`,
  );
  const insert = db.statement(
    'insert into tandem_clients (client_id, version, origin, search, metadata, secrets, public_keys, created_at, updated_at) values (?, 1, ?, ?, ?, ?, ?, ?, ?)',
  );
  const update = db.statement(
    'update tandem_clients set version = version + 1, search = ?, metadata = ?, secrets = ?, public_keys = ?, updated_at = ? where client_id = ? and version = ? and deleted_at is null',
  );
  const end = db.statement(
    `update tandem_clients set version = version + 1, search = '', metadata = '{}', secrets = '[]', public_keys = '[]', updated_at = ?, deleted_at = ?
      where client_id = ? and deleted_at is null`,
  );
  const grant = db.statement('insert into tandem_client_grants (client_id, resource, scope) values (?, ?, ?)');
  const ungrant = db.statement('delete from tandem_client_grants where client_id = ?');
  // Each row says how many there are in all, beyond the limit too.
  const holdersAmong = (grants: string) => db.statement<{ client_id: string; n: number }>(`select client_id, count(*) over () as n from ${grants} order by client_id limit ?`);
  const holders = holdersAmong('(select distinct client_id from tandem_client_grants where resource = ?) g');
  const holdersOfScope = holdersAmong('tandem_client_grants where resource = ? and scope = ?');

  async function writeGrants({ clientId, metadata }: Pick<ClientRecord, 'clientId' | 'metadata'>, tx: Transaction) {
    await ungrant.run([clientId], tx);
    for (const [resource, scopes] of Object.entries(grantsOf(metadata))) {
      for (const scope of new Set(scopes)) await grant.run([clientId, resource, scope], tx);
    }
  }

  return {
    /** The hot question: whether it is a client, and which state of it. */
    async versionOf(clientId: string): Promise<number | undefined> {
      return (await version.get([clientId]))?.version;
    },

    async find(clientId: string, tx?: Transaction): Promise<ClientRecord | undefined> {
      const row = isClientId(clientId) ? await find.get([clientId], tx) : undefined;
      return row && mapRow(row);
    },

    /** The client, which nobody else can change until `tx` ends. */
    async lock(clientId: string, tx: Transaction): Promise<ClientRecord | undefined> {
      const row = isClientId(clientId) ? await lock.get([clientId], tx) : undefined;
      return row && mapRow(row);
    },

    /** Whether there is, or was, a client with this id. */
    async isTaken(clientId: string, tx?: Transaction): Promise<boolean> {
      return (await known.get([clientId], tx)) !== undefined;
    },

    async list(search: string, limit: number, after: Position | undefined): Promise<ClientRecord[]> {
      const pattern = `%${search.toLowerCase().replace(/[!%_]/g, '!$&')}%`;
      const { createdAt, clientId } = after ?? { createdAt: Number.MAX_SAFE_INTEGER, clientId: '' };
      return (await page.all([pattern, createdAt, createdAt, clientId, limit])).map(mapRow);
    },

    async insert(record: ClientRecord, tx: Transaction): Promise<void> {
      const { clientId, origin, metadata, secrets, keys, createdAt, updatedAt } = record;
      await insert.run([clientId, origin, searchOf(record), JSON.stringify(metadata), JSON.stringify(secrets), JSON.stringify(keys), createdAt, updatedAt], tx);
      await writeGrants(record, tx);
    },

    /** False when it is no longer what `record.version` was. */
    async update(record: ClientRecord, tx: Transaction): Promise<boolean> {
      const { clientId, metadata, secrets, keys, updatedAt, version: before } = record;
      const changed = await update.run([searchOf(record), JSON.stringify(metadata), JSON.stringify(secrets), JSON.stringify(keys), updatedAt, clientId, before], tx);
      if (changed === 1) await writeGrants(record, tx);
      return changed === 1;
    },

    async remove(clientId: string, at: number, tx: Transaction): Promise<void> {
      await end.run([at, at, clientId], tx);
      await ungrant.run([clientId], tx);
    },

    /** Who holds scopes of a resource server, or one scope of it: at most `limit` of them, 1 at least, and how many there are in all. */
    async holders(resource: string, scope: string | undefined, limit: number, tx?: Transaction): Promise<{ clients: string[]; count: number }> {
      const rows = scope === undefined ? await holders.all([resource, limit], tx) : await holdersOfScope.all([resource, scope, limit], tx);
      return { clients: rows.map(({ client_id: id }) => id), count: Number(rows[0]?.n ?? 0) };
    },
  };
}

/** What the metadata grants: scopes by resource indicator. */
export function grantsOf(metadata: Metadata): Readonly<Record<string, readonly string[]>> {
  return (metadata['tandem_resources'] ?? {}) as Readonly<Record<string, readonly string[]>>;
}

const searchOf = ({ clientId, metadata }: Pick<ClientRecord, 'clientId' | 'metadata'>) =>
  `${clientId} ${typeof metadata['client_name'] === 'string' ? metadata['client_name'] : ''}`.toLowerCase().slice(0, MAX_SEARCH);

function mapRow(row: Row): ClientRecord {
  return {
    clientId: row.client_id,
    version: row.version,
    origin: row.origin,
    metadata: JSON.parse(row.metadata) as Metadata,
    secrets: JSON.parse(row.secrets) as StoredSecret[],
    keys: JSON.parse(row.public_keys) as HostedKey[],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
