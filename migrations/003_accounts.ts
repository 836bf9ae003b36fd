import type { Migration } from '../src/lib/database/migrate.ts';

/** People's accounts. */
export const accounts: Migration = {
  name: '003_accounts',

  async up(knex) {
    await knex.schema.createTable('tandem_accounts', (table) => {
      table.string('id', 36).collate('utf8mb4_bin').primary();
      table.string('email', 254).notNullable();
      // The address folded, so that one mailbox has one account however it is typed.
      table.string('email_key', 254).collate('utf8mb4_bin').notNullable().unique();
      table.string('password_hash', 255).notNullable();
      table.string('name', 100);
      table.bigInteger('created_at').notNullable();
      table.bigInteger('updated_at').notNullable();
      table.bigInteger('password_changed_at').notNullable();
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_accounts');
  },
};
