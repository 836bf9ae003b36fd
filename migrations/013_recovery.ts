import type { Migration } from '../src/lib/database/migrate.ts';

/** Recovery codes: of each account the salt of its set, and of each code a hash. */
export const recovery: Migration = {
  name: '013_recovery',

  async up(knex) {
    await knex.schema.createTable('tandem_recovery_sets', (table) => {
      table.string('account_id', 255).collate('utf8mb4_bin').primary();
      table.string('salt', 22).notNullable();
      table.bigInteger('made_at').notNullable();
    });

    await knex.schema.createTable('tandem_recovery_codes', (table) => {
      table.string('account_id', 255).collate('utf8mb4_bin').notNullable();
      table.string('hash', 43).collate('utf8mb4_bin').notNullable();
      table.bigInteger('used_at');
      table.primary(['account_id', 'hash']);
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_recovery_codes');
    await knex.schema.dropTable('tandem_recovery_sets');
  },
};
