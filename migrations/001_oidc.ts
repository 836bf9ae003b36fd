import type { Migration } from '../src/lib/database/migrate.ts';

/** Everything that the provider keeps: sessions, interactions, grants, codes, tokens, registered clients. */
export const oidc: Migration = {
  name: '001_oidc',

  async up(knex) {
    await knex.schema.createTable('tandem_oidc', (table) => {
      // Hashes, so that reading the table gives nobody a token.
      table.string('id', 43).primary();
      table.string('model', 40).notNullable();
      table.text('payload', 'longtext').notNullable();
      table.string('uid_hash', 43);
      table.string('user_code_hash', 43);
      table.string('grant_id', 190);
      table.bigint('saved_at').notNullable();
      table.bigint('expires_at');
      table.bigint('consumed_at');
      // Most rows have neither: where the database can, they cost the index nothing. MySQL ignores the condition.
      table.index('uid_hash', 'tandem_oidc_uid', { predicate: knex.whereNotNull('uid_hash') });
      table.index('user_code_hash', 'tandem_oidc_user_code', { predicate: knex.whereNotNull('user_code_hash') });
      table.index('grant_id', 'tandem_oidc_grant', { predicate: knex.whereNotNull('grant_id') });
      table.index('expires_at', 'tandem_oidc_expiry');
    });
  },

  async down(knex) {
    await knex.schema.dropTable('tandem_oidc');
  },
};
