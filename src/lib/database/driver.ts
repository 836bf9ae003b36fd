import type { Dialect, Gather, Value } from './database.ts';

/** How much of a statement's answer is wanted: every row, the first row, or how many rows changed. */
export type Want = 'all' | 'get' | 'run';

/** A statement in the text of one dialect. */
export interface Compiled {
  readonly sql: string;
  /** False for a plain SELECT. */
  readonly writes: boolean;
  readonly gather?: Gather | undefined;
}

/** A connection of the knex pool; each driver knows what it really is. */
export type Connection = object;

export interface Subscription {
  readonly live: boolean;
  close(): Promise<void>;
}

/** What differs between databases. Everything else is in `database.ts`. */
export interface Driver {
  readonly dialect: Dialect;
  compile(sql: string, gather?: Gather): Compiled;
  /** Runs a statement on a connection that a transaction holds. */
  query(connection: Connection, statement: Compiled, values: readonly Value[], want: Want): Promise<unknown>;
  /** Runs a statement by itself, committed when it answers. */
  autocommit(statement: Compiled, values: readonly Value[], want: Want): Promise<unknown>;
  /** Takes a connection of the pool and opens a transaction on it that may write. */
  begin(): Promise<Connection>;
  /** Commits, and gives the connection back unless it throws. */
  commit(connection: Connection): Promise<void>;
  /** Rolls back and gives the connection back; never throws. */
  rollback(connection: Connection): Promise<void>;
  publish(connection: Connection, topic: string, payload: string): Promise<void>;
  subscribe(topic: string, handler: (payload: string) => void, missed: () => void): Promise<Subscription>;
  isUniqueViolation(error: unknown): boolean;
  /** True when the database undid a whole transaction to let another one go on, so that it may run again. */
  isDeadlock(error: unknown): boolean;
  close(): Promise<void>;
}

/** The code that a database driver put on its error. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** Whether a statement changes rows, judged by its first word. */
export function writes(sql: string): boolean {
  return !/^\s*(select|values|explain|pragma)\b/i.test(sql);
}
