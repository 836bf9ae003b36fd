import type { Migration } from '../src/lib/database/migrate.ts';

/** Resource servers and their scopes; and the count of their changes. */
export const resources: Migration = {
  name: '015_resources',

  async up(knex) {
    await knex.schema.createTable('tandem_resource_servers', (table) => {
      table.string('id', 36).primary();
      table.string('identifier', 255).collate('utf8mb4_bin').notNullable().unique();
      table.string('name', 100).notNullable();
      // Null where it is the identifier.
      table.string('audience', 255).collate('utf8mb4_bin').unique();
      table.string('format', 16).notNullable();
      // Null where they are what they are by default.
      table.string('algorithm', 16);
      table.integer('ttl');
      table.bigInteger('created_at').notNullable();
      table.bigInteger('updated_at').notNullable();
    });

    await knex.schema.createTable('tandem_scopes', (table) => {
      table.string('resource_server_id', 36).notNullable();
      table.string('name', 100).collate('utf8mb4_bin').notNullable();
      // Words by language, as JSON.
      table.text('description').notNullable();
      table.smallint('level').notNullable();
      table.primary(['resource_server_id', 'name']);
    });

    await knex.schema.createTable('tandem_resource_set', (table) => {
      table.smallint('id').primary();
      table.bigInteger('version').notNullable();
    });
    await knex('tandem_resource_set').insert({ id: 1, version: 0 });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_resource_set');
    await knex.schema.dropTable('tandem_scopes');
    await knex.schema.dropTable('tandem_resource_servers');
  },
};
