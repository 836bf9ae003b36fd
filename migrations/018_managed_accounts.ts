import type { Migration } from '../src/lib/database/migrate.ts';

/** Accounts that clients look after: which, the requests that made them, and the enrolments of their phones. */
export const managedAccounts: Migration = {
  name: '018_managed_accounts',

  async up(knex) {
    await knex.schema.createTable('tandem_managed_accounts', (table) => {
      table.string('client_id', 255).collate('utf8mb4_bin').notNullable();
      table.string('account_id', 255).collate('utf8mb4_bin').notNullable().index();
      table.bigInteger('created_at').notNullable();
      table.primary(['client_id', 'account_id']);
    });
    await knex.schema.createTable('tandem_account_requests', (table) => {
      table.string('client_id', 255).collate('utf8mb4_bin').notNullable();
      table.string('key_hash', 43).collate('utf8mb4_bin').notNullable();
      table.string('body_hash', 43).notNullable();
      table.string('account_id', 36).notNullable();
      table.bigInteger('expires_at').notNullable().index();
      table.primary(['client_id', 'key_hash']);
    });
    // Null where a person enrols at the account's own page.
    await knex.schema.alterTable('tandem_enrolments', (table) => {
      table.string('client_id', 255);
    });
    // Of a device that a client enrolled: its account has seen no page of ours yet, and so no recovery codes.
    await knex.schema.alterTable('tandem_devices', (table) => {
      table.string('client_id', 255);
    });
  },

  async down(knex) {
    await knex.schema.alterTable('tandem_devices', (table) => {
      table.dropColumn('client_id');
    });
    await knex.schema.alterTable('tandem_enrolments', (table) => {
      table.dropColumn('client_id');
    });
    await knex.schema.dropTable('tandem_account_requests');
    await knex.schema.dropTable('tandem_managed_accounts');
  },
};
