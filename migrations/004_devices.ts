import type { Migration } from '../src/lib/database/migrate.ts';

/** Enrolled phones, the tickets by which they enrol, and the calls they made. */
export const devices: Migration = {
  name: '004_devices',

  async up(knex) {
    await knex.schema.createTable('tandem_devices', (table) => {
      table.string('id', 36).primary();
      table.string('account_id', 255).notNullable().index();
      table.string('name', 60).notNullable();
      table.string('platform', 60).notNullable();
      table.string('state', 16).notNullable();
      table.string('kid', 43).notNullable().unique();
      table.string('algorithm', 8).notNullable();
      table.text('public_key').notNullable();
      table.text('credential_id');
      // Of the id, which may be longer than what every database can keep unique.
      table.string('credential_hash', 43).unique();
      table.text('credential_key');
      table.bigInteger('credential_counter').notNullable();
      table.bigInteger('pending_until').index();
      table.bigInteger('capped_until');
      table.bigInteger('created_at').notNullable();
      table.bigInteger('confirmed_at');
      table.bigInteger('last_used_at');
      table.bigInteger('revoked_at');
      table.string('revoked_reason', 16);
    });

    await knex.schema.createTable('tandem_enrolments', (table) => {
      table.string('id', 36).primary();
      table.string('account_id', 255).notNullable().index();
      table.string('ticket_hash', 43).notNullable().unique();
      table.string('browser_hash', 64).notNullable();
      table.string('state', 16).notNullable();
      table.string('acr', 64);
      table.string('device_id', 36);
      table.string('code_hash', 43);
      table.integer('tries').notNullable();
      table.bigInteger('created_at').notNullable();
      table.bigInteger('expires_at').notNullable().index();
    });

    await knex.schema.createTable('tandem_device_calls', (table) => {
      table.string('device_id', 36).notNullable();
      table.string('jti', 128).notNullable();
      table.bigInteger('expires_at').notNullable().index();
      table.primary(['device_id', 'jti']);
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_device_calls');
    await knex.schema.dropTable('tandem_enrolments');
    await knex.schema.dropTable('tandem_devices');
  },
};
