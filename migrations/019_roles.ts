import type { Migration } from '../src/lib/database/migrate.ts';

/** What accounts may do here beside signing in. */
export const roles: Migration = {
  name: '019_roles',

  async up(knex) {
    await knex.schema.createTable('tandem_roles', (table) => {
      table.string('role', 16).notNullable();
      // A host's ids may be longer than its own.
      table.string('account_id', 255).collate('utf8mb4_bin').notNullable();
      // 1 where the account's first phone counts in full at once; 0 when that has been used.
      table.integer('exempt').notNullable();
      table.bigInteger('created_at').notNullable();
      table.primary(['role', 'account_id']);
    });
    // Administrators see the newest accounts first.
    await knex.schema.alterTable('tandem_accounts', (table) => {
      table.index(['created_at', 'id']);
    });
  },

  async down(knex) {
    await knex.schema.alterTable('tandem_accounts', (table) => {
      table.dropIndex(['created_at', 'id']);
    });
    await knex.schema.dropTable('tandem_roles');
  },
};
