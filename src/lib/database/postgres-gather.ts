import type { Compiled, Want } from './driver.ts';
import type { Value } from './database.ts';

interface Job {
  readonly values: readonly Value[];
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}
type Run = (statement: Compiled, values: readonly Value[], want: Want) => Promise<unknown>;

/** Rows that one statement takes; each number of them is a statement of its own to prepare. */
const MOST = 32;

/**
 * Turns runs of one statement in one tick into one statement: a round trip, and for writes a commit, instead of one for each.
 *
 * Writes are ordered by their key, so that two processes lock the rows that both of them write in the same order. Where the common statement fails,
 * nothing of it has happened, and each runs by itself, to fail alone.
 */
export function createGatherer(run: Run) {
  const waiting = new Map<Compiled, Job[]>();

  function flush() {
    for (const [statement, jobs] of waiting) {
      for (let at = 0; at < jobs.length; at += MOST) void together(statement, jobs.slice(at, at + MOST));
    }
    waiting.clear();
  }

  async function together(statement: Compiled, jobs: Job[]) {
    if (jobs.length === 1) return alone(statement, jobs);
    try {
      if (statement.gather === 'rows') await writeRows(statement, jobs);
      else await findByKeys(statement, jobs);
    } catch {
      alone(statement, jobs);
    }
  }

  function alone(statement: Compiled, jobs: Job[]) {
    for (const job of jobs) run(statement, job.values, statement.gather === 'rows' ? 'run' : 'get').then(job.resolve, job.reject);
  }

  async function writeRows(statement: Compiled, jobs: Job[]) {
    const ordered = [...jobs].sort((a, b) => (String(a.values[0]) < String(b.values[0]) ? -1 : 1));
    const values = ordered.flatMap((job) => job.values);
    await run(severalRows(statement, jobs.length), values, 'run');
    for (const job of jobs) job.resolve(1);
  }

  async function findByKeys(statement: Compiled, jobs: Job[]) {
    const keys = [...new Set(jobs.map((job) => job.values[0] as string))];
    // The array in PostgreSQL's own spelling: as many keys as there are, in one statement.
    const list = `{${keys.map((key) => `"${key.replace(/["\\]/g, '\\$&')}"`).join()}}`;
    const rows = (await run(severalKeys(statement), [list], 'all')) as Array<Record<string, unknown>>;
    const found = new Map(rows.map((row) => [Object.values(row)[0], row]));
    for (const job of jobs) {
      const row = found.get(job.values[0]);
      // A copy each: who asked may change what it got.
      job.resolve(row && { ...row });
    }
  }

  return function gathered(statement: Compiled, values: readonly Value[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (waiting.size === 0) setImmediate(flush);
      const jobs = waiting.get(statement);
      const job = { values, resolve, reject };
      if (jobs) jobs.push(job);
      else waiting.set(statement, [job]);
    });
  };
}

const rowsOf = new WeakMap<Compiled, Compiled[]>();
const keysOf = new WeakMap<Compiled, Compiled>();

/** `INSERT … VALUES ($1, $2) …` with the values repeated for `count` rows. */
function severalRows(statement: Compiled, count: number): Compiled {
  let built = rowsOf.get(statement);
  if (!built) rowsOf.set(statement, (built = []));
  return (built[count] ??= {
    writes: true,
    sql: statement.sql.replace(/\bVALUES\s*\(([^)]*)\)/i, (_, places: string) => {
      const width = places.split(',').length;
      const rows = Array.from({ length: count }, (_row, n) => `(${Array.from({ length: width }, (_place, m) => `$${n * width + m + 1}`).join()})`);
      return `VALUES ${rows.join()}`;
    }),
  });
}

/** `SELECT key, … WHERE key = $1` for any of several keys. */
function severalKeys(statement: Compiled): Compiled {
  let built = keysOf.get(statement);
  if (!built) keysOf.set(statement, (built = { writes: false, sql: statement.sql.replace('= $1', '= ANY ($1::text[])') }));
  return built;
}
