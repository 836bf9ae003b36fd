import type { Knex } from 'knex';
import type { Migration } from '../src/lib/database/migrate.ts';

/** QR transactions: what a browser asks and a phone decides. */
export const qr: Migration = {
  name: '005_qr',

  async up(knex) {
    await knex.schema.createTable('tandem_transactions', (table) => {
      id(table, 'id', 22).primary();
      table.string('state', 16).notNullable();
      table.string('reason', 16);
      table.string('purpose', 16).notNullable();
      id(table, 'uid', 64).notNullable().index();
      id(table, 'cid', 64).notNullable();
      id(table, 'browser_hash', 64).notNullable();
      // One of the few places a browser has for live transactions; the unique index makes the limit hold under races.
      table.integer('slot');
      id(table, 'client_id', 255).notNullable();
      id(table, 'expected_account', 255);
      table.string('policy', 8).notNullable();
      table.text('known_accounts').notNullable();
      table.smallint('is_static').notNullable();
      table.smallint('level').notNullable();
      table.text('facts', 'mediumtext').notNullable();
      id(table, 'code_hash', 43).notNullable().index();
      table.bigInteger('first_started_at').notNullable();
      table.bigInteger('started_at').notNullable();
      table.bigInteger('changed_at').notNullable().index();
      table.bigInteger('expires_at').notNullable();
      id(table, 'stream', 22);
      id(table, 'device_id', 36).index();
      id(table, 'account_id', 255);
      table.string('via', 8);
      table.smallint('code_due');
      id(table, 'challenge', 43);
      table.text('request', 'mediumtext');
      table.bigInteger('decided_at');
      table.smallint('proven_level');
      table.text('receipt', 'mediumtext');
      id(table, 'confirm_hash', 43);
      table.integer('confirm_tries').notNullable();
      table.unique(['browser_hash', 'slot']);
      table.index(['state', 'expires_at']);
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_transactions');
  },
};

/** A column whose values compare by case on every database; the collation is MySQL's alone. */
function id(table: Knex.CreateTableBuilder, name: string, length: number) {
  return table.string(name, length).collate('utf8mb4_bin');
}
