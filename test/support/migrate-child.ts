/** Migrates the database of its argument and prints what it applied: run in several processes at once by a test. */
import type { Migration } from '../../src/lib/database/migrate.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { openDatabase } from '../../src/lib/database/open.ts';

export const migrations: readonly Migration[] = Array.from({ length: 5 }, (_, n) => ({
  name: `00${n}_table`,
  async up(knex) {
    await knex.schema.createTable(`tandem_table${n}`, (table) => {
      table.string('id', 190).primary();
      table.string('name').notNullable().index();
    });
    await knex(`tandem_table${n}`).insert({ id: 'seed', name: 'once' });
  },
  async down(knex) {
    await knex.schema.dropTable(`tandem_table${n}`);
  },
}));

const url = process.argv[2];
if (url) {
  const knex = openDatabase(url);
  try {
    console.log(JSON.stringify(await migrate(knex, migrations)));
  } finally {
    await knex.destroy();
  }
}
