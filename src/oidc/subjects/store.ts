import type { Database } from '../../lib/database/database.ts';

export interface SubjectRow {
  readonly sector: string;
  readonly accountId: string;
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface SubjectStore {
  find(sector: string, accountId: string): Promise<string | undefined>;
  findAccount(sector: string, subject: string): Promise<string | undefined>;
  /** Writes the row, unless the sector has a subject for the account already. */
  insert(row: SubjectRow): Promise<void>;
}

export function createSubjectStore(db: Database): SubjectStore {
  const columns = '(sector, account_id, subject, created_at) values (?, ?, ?, ?)';
  const find = db.statement<{ subject: string }>('select subject from tandem_subjects where sector = ? and account_id = ?');
  const findAccount = db.statement<{ account_id: string }>('select account_id from tandem_subjects where sector = ? and subject = ?');
  const insert = db.statement({
    sqlite: `insert into tandem_subjects ${columns} on conflict do nothing`,
    postgres: `insert into tandem_subjects ${columns} on conflict do nothing`,
    mysql: `insert ignore into tandem_subjects ${columns}`,
  });

  return {
    async find(sector, accountId) {
      return (await find.get([sector, accountId]))?.subject;
    },
    async findAccount(sector, subject) {
      return (await findAccount.get([sector, subject]))?.account_id;
    },
    async insert({ sector, accountId, subject, createdAt }) {
      await insert.run([sector, accountId, subject, createdAt]);
    },
  };
}
