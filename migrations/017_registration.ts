import type { Migration } from '../src/lib/database/migrate.ts';

/** The tokens by which clients register themselves. One that was used stays, as its policy holds for what its client changes later. */
export const registration: Migration = {
  name: '017_registration',

  async up(knex) {
    await knex.schema.createTable('tandem_registration_tokens', (table) => {
      table.string('id', 36).primary();
      table.string('token_hash', 43).collate('utf8mb4_bin').notNullable().unique();
      table.string('label', 100).notNullable();
      table.text('policy', 'mediumtext').notNullable();
      table.bigInteger('created_at').notNullable();
      table.bigInteger('expires_at').notNullable().index();
      table.bigInteger('used_at');
      table.bigInteger('revoked_at');
      table.string('client_id', 255).collate('utf8mb4_bin').unique();
      table.index(['created_at', 'id']);
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_registration_tokens');
  },
};
