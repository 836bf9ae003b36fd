import type { Database, Transaction } from '../context.ts';
import type { SigningAlgorithm } from '../oidc/configuration/resources.ts';
import type { Scope } from './types.ts';

/** A resource server as it is stored; what is undefined is what it is by default. Times in milliseconds since the epoch. */
export interface ResourceServerRow {
  readonly id: string;
  readonly identifier: string;
  readonly name: string;
  readonly audience: string | undefined;
  readonly format: 'opaque' | 'jwt';
  readonly algorithm: SigningAlgorithm | undefined;
  readonly ttl: number | undefined;
  readonly scopes: readonly Scope[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

interface Columns {
  id: string;
  identifier: string;
  name: string;
  audience: string | null;
  format: 'opaque' | 'jwt';
  algorithm: SigningAlgorithm | null;
  ttl: number | null;
  created_at: number;
  updated_at: number;
}

interface ScopeColumns {
  resource_server_id: string;
  name: string;
  description: string;
  level: number;
}

export function createResourceStore(db: Database) {
  const all = db.statement<Columns>(
    'select id, identifier, name, audience, format, algorithm, ttl, created_at, updated_at from tandem_resource_servers order by identifier',
  );
  const scopes = db.statement<ScopeColumns>('select resource_server_id, name, description, level from tandem_scopes order by name');
  const version = db.statement<{ version: number }>('select version from tandem_resource_set where id = 1');
  const change = db.statement('update tandem_resource_set set version = version + 1 where id = 1');
  // SQLite has one writer at a time, and so nothing to hold.
  const hold = db.statement({
    sqlite: 'select version from tandem_resource_set where id = 1',
    postgres: 'select version from tandem_resource_set where id = 1 for share',
    mysql: 'select version from tandem_resource_set where id = 1 lock in share mode',
  });
  const known = db.statement<{ name: string | null }>(
    'select s.name from tandem_resource_servers r left join tandem_scopes s on s.resource_server_id = r.id where r.identifier = ?',
  );
  const insert = db.statement(
    'insert into tandem_resource_servers (id, identifier, name, audience, format, algorithm, ttl, created_at, updated_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const update = db.statement('update tandem_resource_servers set name = ?, audience = ?, format = ?, algorithm = ?, ttl = ?, updated_at = ? where id = ?');
  const touch = db.statement('update tandem_resource_servers set updated_at = ? where id = ?');
  const remove = db.statement('delete from tandem_resource_servers where id = ?');
  const insertScope = db.statement('insert into tandem_scopes (resource_server_id, name, description, level) values (?, ?, ?, ?)');
  const updateScope = db.statement('update tandem_scopes set description = ?, level = ? where resource_server_id = ? and name = ?');
  const removeScope = db.statement('delete from tandem_scopes where resource_server_id = ? and name = ?');
  const removeScopes = db.statement('delete from tandem_scopes where resource_server_id = ?');

  return {
    /** By their identifiers. */
    async all(tx?: Transaction): Promise<ResourceServerRow[]> {
      const rows = await all.all([], tx);
      const of = new Map<string, Scope[]>(rows.map(({ id }) => [id, []]));
      for (const row of await scopes.all([], tx)) of.get(row.resource_server_id)?.push(scopeOf(row));
      return rows.map((row) => mapRow(row, of.get(row.id)!));
    },

    /** Counts every change, so that a process sees cheaply whether it is up to date. */
    async version(): Promise<number> {
      return (await version.get([]))?.version ?? 0;
    },

    /** Makes other changes wait until `tx` ends, and counts the one that it makes. */
    async change(tx: Transaction): Promise<void> {
      await change.run([], tx);
    },

    /** Makes changes wait until `tx` ends; any number may hold at once. */
    async hold(tx: Transaction): Promise<void> {
      await hold.get([], tx);
    },

    /** The scopes of a resource server; undefined where there is none. */
    async scopesOf(identifier: string, tx: Transaction): Promise<string[] | undefined> {
      const rows = await known.all([identifier], tx);
      return rows.length ? rows.flatMap(({ name }) => name ?? []) : undefined;
    },

    async insert({ scopes: given, ...row }: ResourceServerRow, tx: Transaction): Promise<void> {
      await insert.run([row.id, row.identifier, row.name, ...settingsOf(row), row.createdAt, row.updatedAt], tx);
      for (const scope of given) await insertScope.run([row.id, scope.name, JSON.stringify(scope.description), scope.level], tx);
    },

    async update(row: ResourceServerRow, tx: Transaction): Promise<void> {
      await update.run([row.name, ...settingsOf(row), row.updatedAt, row.id], tx);
    },

    async remove(id: string, tx: Transaction): Promise<void> {
      await removeScopes.run([id], tx);
      await remove.run([id], tx);
    },

    async putScope(id: string, { name, description, level }: Scope, at: number, tx: Transaction, isNew: boolean): Promise<void> {
      const words = JSON.stringify(description);
      if (isNew) await insertScope.run([id, name, words, level], tx);
      else await updateScope.run([words, level, id, name], tx);
      await touch.run([at, id], tx);
    },

    async removeScope(id: string, name: string, at: number, tx: Transaction): Promise<void> {
      await removeScope.run([id, name], tx);
      await touch.run([at, id], tx);
    },
  };
}

const settingsOf = ({ audience, format, algorithm, ttl }: Omit<ResourceServerRow, 'scopes'>) => [audience ?? null, format, algorithm ?? null, ttl ?? null];

const scopeOf = ({ name, description, level }: ScopeColumns): Scope => ({
  name,
  description: JSON.parse(description) as Scope['description'],
  level: level === 2 ? 2 : 1,
});

function mapRow(row: Columns, scopes: readonly Scope[]): ResourceServerRow {
  return {
    id: row.id,
    identifier: row.identifier,
    name: row.name,
    audience: row.audience ?? undefined,
    format: row.format,
    algorithm: row.algorithm ?? undefined,
    ttl: row.ttl ?? undefined,
    scopes,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
