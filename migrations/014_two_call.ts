import type { Migration } from '../src/lib/database/migrate.ts';

/** Between the two calls of the 2FA API: who proved the password, to whom. */
export const twoCall: Migration = {
  name: '014_two_call',

  async up(knex) {
    await knex.schema.createTable('tandem_two_call_tickets', (table) => {
      table.string('ticket_hash', 43).collate('utf8mb4_bin').primary();
      table.string('account_id', 255).collate('utf8mb4_bin').notNullable().index();
      // Null where the caller is no client.
      table.string('client_id', 255).collate('utf8mb4_bin');
      // The authenticator that the first code makes active; null where the account has one.
      table.string('authenticator_id', 36);
      table.bigInteger('created_at').notNullable();
      table.bigInteger('expires_at').notNullable().index();
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_two_call_tickets');
  },
};
