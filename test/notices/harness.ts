import type { Context } from '../../src/context.ts';
import { createAudit } from '../../src/audit/audit.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import { createEvents } from '../../src/lib/events.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import { createLimits } from '../../src/lib/limits.ts';
import { createViews } from '../../src/lib/views/views.ts';
import { createNotices, type NoticesOptions } from '../../src/notices/notices.ts';
import type { DirectoryEntry } from '../../src/oidc/accounts.ts';
import { migrations } from '../../migrations/index.ts';
import { createTestClock, type TestClock } from '../support/tandem.ts';

export const HOUR = 3_600_000;

export type Office = Awaited<ReturnType<typeof openOffice>>;

/** The room of notices as one process has it, on a database that several may share. */
export async function openOffice(url: string, options: NoticesOptions, { clock = createTestClock(), email = (id: string): string | undefined => `${id}@example.com` }: { clock?: TestClock; email?: (accountId: string) => string | undefined } = {}) {
  const knex = openDatabase(url);
  await migrate(knex, migrations);
  const db = createDatabase(knex);
  const logged: Array<{ level: string; fields: Record<string, unknown>; message: string }> = [];
  const at = (level: string) => (fields: object, message: string) => void logged.push({ level, fields: fields as Record<string, unknown>, message });
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const events = createEvents({ clock, log });
  const issuer = 'https://id.example.com';
  const context: Context = { issuer, db, clock, log, events, keyRing: createKeyRing([newEncryptionKey()]), limits: createLimits({ db, clock }) };
  const audit = createAudit(context);
  const find = async (accountId: string): Promise<DirectoryEntry | undefined> =>
    accountId === 'nobody' ? undefined : { accountId, label: `${accountId}@example.com`, name: undefined, email: email(accountId), locale: 'en' };
  async function end() {
    await db.close();
    await knex.destroy();
  }
  const notices = await openOrEnd(() => createNotices(context, { options, accounts: { find }, views: createViews({ issuer }), home: '/account' }), end);

  return {
    clock,
    logged,
    sweep: () => notices.sweep(),
    /** Something of which the account is told. */
    happen: (accountId: string, address?: string) => db.transaction((tx) => events.emit(tx, 'account.password_changed', { accountId, sessionUid: undefined, address })),
    named: (accountId: string, name: string) => db.transaction((tx) => events.emit(tx, 'totp.activated', { accountId, authenticatorId: 'a', name, by: 'account', first: true })),
    undone: (accountId: string) =>
      db.transaction(async (tx) => {
        await events.emit(tx, 'account.password_changed', { accountId, sessionUid: undefined });
        throw new Error('undone');
      }),
    rows: async () => (await knex('tandem_notices').orderBy('created_at')) as Array<{ id: string; account_id: string; attempts: number; next_attempt_at: number | string; held: number; more: number }>,
    told: async (name: 'notice.sent' | 'notice.failed', accountId: string) => (await audit.list({ name, accountId })).events.map(({ data }) => data),
    /** Waits until what it asks is so. */
    async until(what: () => Promise<boolean> | boolean) {
      for (let tries = 0; !(await what()); tries += 1) {
        if (tries === 500) throw new Error(`it did not come so: ${String(what)}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async close() {
      await notices.close();
      await end();
    },
  };
}

/** A room that refuses its options leaves nothing behind that would keep the program from ending. */
async function openOrEnd<T>(open: () => T, end: () => Promise<void>): Promise<T> {
  try {
    return open();
  } catch (error) {
    await end();
    throw error;
  }
}
