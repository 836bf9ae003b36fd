import type { Migration } from '../src/lib/database/migrate.ts';

/** Pairwise subjects, and which sessions and grants a phone made. */
export const subjects: Migration = {
  name: '007_subjects',

  async up(knex) {
    await knex.schema.createTable('tandem_subjects', (table) => {
      table.string('sector', 255).notNullable();
      table.string('account_id', 255).notNullable();
      table.string('subject', 36).notNullable();
      table.bigInteger('created_at').notNullable();
      table.primary(['sector', 'account_id']);
      table.unique(['sector', 'subject']);
    });
    await knex.schema.createTable('tandem_device_sign_ins', (table) => {
      table.string('device_id', 64).notNullable();
      table.string('session_uid', 64).notNullable();
      table.string('grant_id', 64).notNullable();
      table.string('account_id', 255).notNullable();
      table.bigInteger('created_at').notNullable();
      table.bigInteger('expires_at').notNullable().index();
      table.smallint('condemned').notNullable();
      table.primary(['device_id', 'session_uid', 'grant_id']);
      table.index(['session_uid']);
      table.index(['condemned']);
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_device_sign_ins');
    await knex.schema.dropTable('tandem_subjects');
  },
};
