import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import type { EventSubject } from '../lib/events.ts';
import { createAuditStore, type AuditEvent, type AuditQuery } from './store.ts';

export type { AuditEvent, AuditQuery };

export interface AuditPage {
  /** The newest first. */
  readonly events: readonly AuditEvent[];
  /** Where the next page begins; absent on the last. */
  readonly cursor?: string;
}

/** What happened at this installation. */
export interface AuditService {
  /**
   * @param query all of its conditions hold for each event
   * @param page `limit`: at most so many, 1 to 500 (default 50); `cursor`: of the page before
   * @throws AppError `invalid_request` for a cursor or a limit that makes no sense
   */
  list(query?: AuditQuery, page?: { limit?: number; cursor?: string | undefined }): Promise<AuditPage>;
}

const MAX_LIMIT = 500;
const MAX_ADDRESS = 64;

/**
 * Writes every event of every room into the audit log, in the transaction of the change that it tells of: the one is there if and only if the
 * other is.
 */
export function createAudit({ db, events }: Pick<Context, 'db' | 'events'>): AuditService {
  const store = createAuditStore(db);

  events.subscribe(async (tx, event) => {
    const { accountId, clientId, deviceId, transactionId, address, ...data } = event.payload as EventSubject & Record<string, unknown>;
    await store.insert(tx, {
      at: event.at,
      name: event.name,
      ...(accountId !== undefined && { accountId }),
      ...(clientId !== undefined && { clientId }),
      ...(deviceId !== undefined && { deviceId }),
      ...(transactionId !== undefined && { transactionId }),
      // Behind a proxy the address is what a header says, at any length.
      ...(address !== undefined && { address: address.slice(0, MAX_ADDRESS) }),
      data,
    });
  });

  return {
    async list(query = {}, { limit = 50, cursor } = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
        throw new AppError('invalid_request', `limit is a whole number from 1 to ${MAX_LIMIT}`);
      }
      if (cursor !== undefined && !/^[1-9]\d{0,14}$/.test(cursor)) throw new AppError('invalid_request', 'cursor is not one of ours');
      // One more than asked for shows whether there is another page.
      const found = await store.list(query, limit + 1, cursor === undefined ? undefined : Number(cursor));
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return { events: page, ...(found.length > limit && last && { cursor: String(last.id) }) };
    },
  };
}
