import type { Database, Transaction } from '../../context.ts';

/** A password that was proven to a caller, and waits for its code. */
export interface Ticket {
  readonly accountId: string;
  /** Undefined where the caller is no client. */
  readonly clientId: string | undefined;
  /** The authenticator that the first code makes active; undefined where the account had one. */
  readonly authenticatorId: string | undefined;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

interface Row {
  account_id: string;
  client_id: string | null;
  authenticator_id: string | null;
  expires_at: number;
}

export function createTicketStore({ db, clock }: { db: Database; clock: () => number }) {
  const find = db.statement<Row>(
    'select account_id, client_id, authenticator_id, expires_at from tandem_two_call_tickets where ticket_hash = ?',
  );
  const insert = db.statement(
    `insert into tandem_two_call_tickets (ticket_hash, account_id, client_id, authenticator_id, created_at, expires_at)
      values (?, ?, ?, ?, ?, ?)`,
  );
  const consume = db.statement('delete from tandem_two_call_tickets where ticket_hash = ? and expires_at > ?');

  const endAll = db.statement('delete from tandem_two_call_tickets where account_id = ?');

  return {
    async find(hash: string): Promise<Ticket | undefined> {
      const row = await find.get([hash]);
      return row && {
        accountId: row.account_id,
        clientId: row.client_id ?? undefined,
        authenticatorId: row.authenticator_id ?? undefined,
        expiresAt: row.expires_at,
      };
    },

    async insert(hash: string, { accountId, clientId, authenticatorId, expiresAt }: Ticket, tx: Transaction): Promise<void> {
      await insert.run([hash, accountId, clientId ?? null, authenticatorId ?? null, clock(), expiresAt], tx);
    },

    /** Ends the ticket; false when it had ended before. */
    async consume(hash: string, tx: Transaction): Promise<boolean> {
      return (await consume.run([hash, clock()], tx)) === 1;
    },

    /** Ends all tickets of an account. */
    async endAll(accountId: string, tx: Transaction): Promise<void> {
      await endAll.run([accountId], tx);
    },
  };
}
