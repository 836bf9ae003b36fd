import type { Migration } from '../src/lib/database/migrate.ts';

/** Not only what phones signed in is kept, and it is looked for by account too. */
export const signIns: Migration = {
  name: '009_sign_ins',

  async up(knex) {
    await knex.schema.renameTable('tandem_device_sign_ins', 'tandem_sign_ins');
    await knex.schema.alterTable('tandem_sign_ins', (table) => table.index('account_id', 'tandem_sign_ins_account'));
  },

  async down(knex) {
    await knex.schema.alterTable('tandem_sign_ins', (table) => table.dropIndex('account_id', 'tandem_sign_ins_account'));
    await knex.schema.renameTable('tandem_sign_ins', 'tandem_device_sign_ins');
  },
};
