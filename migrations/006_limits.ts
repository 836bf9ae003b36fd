import type { Migration } from '../src/lib/database/migrate.ts';

/** How much of each limit is used up. */
export const limits: Migration = {
  name: '006_limits',

  async up(knex) {
    await knex.schema.createTable('tandem_limits', (table) => {
      // A hash of the limit's name and its key, for keys are addresses and names of people.
      table.string('id', 43).primary();
      table.integer('points').notNullable();
      table.bigint('expires_at').notNullable().index();
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_limits');
  },
};
