import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { closeLoad } from './load.ts';
import { table, type Line } from './measure.ts';
import { compileServers, pinLoad, pinned } from './process.ts';
import { openDatabases, type DatabaseName } from './database.ts';
import { ROWS, type Bench } from './rows.ts';

const HELP = `npm run bench -- [options]

Measures Tandem side by side with bare oidc-provider, and prints ratios. It asserts nothing.

  --row NAME        one row; saturate for several. Default: all
  --seconds N       how long each run lasts (default 2); each row is run five times a side
  --rounds N        how many runs (default 5)
  --database NAME   sqlite, postgres, or both separated by a comma (default sqlite)
  --pages N         how many pages wait in the rows about waiting pages (default 10000)

BENCH_PROFILE=folder keeps a CPU profile of each server. PostgreSQL is the server of TEST_POSTGRES_URL, or one started for the bench.
Rows: ${Object.keys(ROWS).join(', ')}`;

/** Nothing here may run for ever, whatever hangs. */
const LIMIT_MS = 45 * 60_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      row: { type: 'string', multiple: true },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      database: { type: 'string', default: 'sqlite' },
      pages: { type: 'string', default: '10000' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const names = values.row ?? Object.keys(ROWS);
  const unknown = names.filter((name) => !(name in ROWS));
  if (unknown.length > 0) throw new Error(`no row is called ${unknown.join(', ')}; there are ${Object.keys(ROWS).join(', ')}`);

  console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}; ${pinned ? 'servers pinned to the first core, load to the last' : 'processes not pinned: no taskset'}\n`);
  const guard = setTimeout(() => {
    console.error('the bench took too long and was stopped');
    process.exit(1);
  }, LIMIT_MS);
  const servers = await compileServers();
  const databases = await openDatabases(values.database.split(',') as DatabaseName[]);
  const bench: Bench = { folder: servers.folder, databases, seconds: Number(values.seconds), rounds: Number(values.rounds), pages: Number(values.pages) };
  pinLoad();

  const lines: Line[] = [];
  try {
    for (const name of names) {
      process.stderr.write(`${name} … `);
      const began = performance.now();
      try {
        const measured = await ROWS[name]!(bench);
        lines.push(...measured.map((line) => ({ ...line, row: name })));
        process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0)} s\n`);
      } catch (error) {
        process.stderr.write(`not measured: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
    console.log(table(lines));
    console.log('\n“ratio” is per second of time, “per CPU s” per second of the server’s processor time: where the two differ, the machine was busy with something else.');
  } finally {
    clearTimeout(guard);
    closeLoad();
    await databases.close();
    await servers.remove();
  }
}

await main();
