import type { Migration } from '../src/lib/database/migrate.ts';

/** Since when a browser must have signed in to be one that the account knows; of most accounts there is no row. */
export const browserTrust: Migration = {
  name: '010_browser_trust',

  async up(knex) {
    await knex.schema.createTable('tandem_browser_trust', (table) => {
      table.string('account_id', 255).primary();
      table.bigInteger('since').notNullable();
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_browser_trust');
  },
};
