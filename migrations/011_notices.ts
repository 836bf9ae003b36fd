import type { Migration } from '../src/lib/database/migrate.ts';

/** Notices to accounts that have not been sent yet, and the language in which an account reads them. */
export const notices: Migration = {
  name: '011_notices',

  async up(knex) {
    await knex.schema.createTable('tandem_notices', (table) => {
      table.string('id', 36).primary();
      table.string('account_id', 255).notNullable();
      table.string('kind', 60).notNullable();
      table.text('data').notNullable();
      table.bigInteger('created_at').notNullable();
      table.integer('attempts').notNullable();
      // Until then nobody touches it: neither while it waits for its next try, nor while somebody sends it.
      table.bigInteger('next_attempt_at').notNullable().index();
      // 1 where the account has had enough of this kind for now; then it also stands for `more` of them.
      table.smallint('held').notNullable();
      table.integer('more').notNullable();
      table.index(['account_id', 'kind'], 'tandem_notices_account');
    });
    await knex.schema.alterTable('tandem_accounts', (table) => {
      table.string('locale', 35);
    });
  },

  async down(knex) {
    await knex.schema.alterTable('tandem_accounts', (table) => {
      table.dropColumn('locale');
    });
    await knex.schema.dropTable('tandem_notices');
  },
};
