import type { Migration } from '../src/lib/database/migrate.ts';

/** Everything that happened, in the order in which it was written. */
export const audit: Migration = {
  name: '008_audit',

  async up(knex) {
    await knex.schema.createTable('tandem_events', (table) => {
      table.bigIncrements('id');
      table.bigint('at').notNullable().index();
      table.string('name', 60).notNullable();
      table.string('account_id', 190);
      table.string('client_id', 255);
      table.string('device_id', 190);
      table.string('transaction_id', 190);
      table.string('address', 64);
      table.text('data', 'longtext').notNullable();
      table.index(['name', 'id'], 'tandem_events_name');
      table.index(['account_id', 'id'], 'tandem_events_account', { predicate: knex.whereNotNull('account_id') });
      table.index(['client_id', 'id'], 'tandem_events_client', { predicate: knex.whereNotNull('client_id') });
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_events');
  },
};
