import type { Migration } from '../src/lib/database/migrate.ts';

/** The clients that were registered, and the scopes that they may ask for. */
export const clients: Migration = {
  name: '016_clients',

  async up(knex) {
    await knex.schema.createTable('tandem_clients', (table) => {
      table.string('client_id', 255).collate('utf8mb4_bin').primary();
      // Grows with each change, so that a process knows whether it still has the client as it is.
      table.integer('version').notNullable();
      table.string('origin', 16).notNullable();
      // Client id and name in lower case, to be searched.
      table.string('search', 512).notNullable();
      table.text('metadata', 'mediumtext').notNullable();
      // Hashes of secrets, and public keys; never what they are made of.
      table.text('secrets').notNullable();
      table.text('public_keys').notNullable();
      table.bigInteger('created_at').notNullable();
      table.bigInteger('updated_at').notNullable();
      // A row stays when its client ends: its id is never given again.
      table.bigInteger('deleted_at');
      table.index(['created_at', 'client_id']);
    });
    await knex.schema.createTable('tandem_client_grants', (table) => {
      table.string('client_id', 255).collate('utf8mb4_bin').notNullable();
      table.string('resource', 255).collate('utf8mb4_bin').notNullable();
      table.string('scope', 100).collate('utf8mb4_bin').notNullable();
      table.primary(['client_id', 'resource', 'scope']);
      table.index(['resource', 'scope']);
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_client_grants');
    await knex.schema.dropTable('tandem_clients');
  },
};
