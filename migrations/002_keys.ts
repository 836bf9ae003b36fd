import type { Migration } from '../src/lib/database/migrate.ts';

/** Signing and cookie keys, their private parts encrypted; and the count of their changes. */
export const keys: Migration = {
  name: '002_keys',

  async up(knex) {
    await knex.schema.createTable('tandem_keys', (table) => {
      table.string('kid', 64).collate('utf8mb4_bin').primary();
      table.string('purpose', 16).notNullable();
      table.string('state', 16).notNullable();
      table.string('slot', 32).unique();
      table.text('secret').notNullable();
      table.bigInteger('created_at').notNullable();
      table.bigInteger('activates_at');
      table.bigInteger('activated_at');
      table.bigInteger('retired_at');
    });

    await knex.schema.createTable('tandem_key_set', (table) => {
      table.smallint('id').primary();
      table.bigInteger('version').notNullable();
    });
    await knex('tandem_key_set').insert({ id: 1, version: 0 });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_key_set');
    await knex.schema.dropTable('tandem_keys');
  },
};
