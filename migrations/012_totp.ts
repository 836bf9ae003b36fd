import type { Knex } from 'knex';
import type { Migration } from '../src/lib/database/migrate.ts';

/** Authenticator apps, and what each account with one has missed. */
export const totp: Migration = {
  name: '012_totp',

  async up(knex) {
    await knex.schema.createTable('tandem_authenticators', (table) => {
      id(table, 'id', 36).primary();
      id(table, 'account_id', 255).notNullable().index();
      table.string('name', 60);
      table.string('algorithm', 8).notNullable();
      table.text('seed').notNullable();
      table.bigInteger('created_at').notNullable();
      // Of an enrolment whose first code has not been typed; nothing of one in use.
      table.bigInteger('expires_at').index();
      table.integer('misses').notNullable();
      table.bigInteger('next_try_at');
      table.bigInteger('activated_at');
      table.string('activated_by', 10);
      table.bigInteger('last_step');
      table.smallint('drift').notNullable();
      table.bigInteger('last_used_at');
    });

    // Its rows are also what everything that changes an account's authenticators locks.
    await knex.schema.createTable('tandem_totp_accounts', (table) => {
      id(table, 'account_id', 255).primary();
      table.integer('misses').notNullable();
      table.bigInteger('next_try_at');
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_totp_accounts');
    await knex.schema.dropTable('tandem_authenticators');
  },
};

/** A column whose values compare by case on every database; the collation is MySQL's alone. */
function id(table: Knex.CreateTableBuilder, name: string, length: number) {
  return table.string(name, length).collate('utf8mb4_bin');
}
