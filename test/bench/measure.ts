import type { Run } from './saturate.ts';
import type { ServerProcess } from './process.ts';

/** One of the things that a row compares. */
export interface Subject {
  readonly name: string;
  /** The processes whose CPU time counts. */
  readonly servers: readonly ServerProcess[];
  run(seconds: number): Promise<Run>;
}

/** What was measured of a subject: medians of the runs. */
export interface Rate {
  /** Per second of time. */
  readonly perSecond: number;
  /** Per second of the server's CPU: what one core could do with nothing in its way. */
  readonly perCpuSecond: number;
}

/** One line of the table. */
export interface Line {
  readonly row: string;
  readonly what: string;
  readonly against?: string;
  readonly ours: string;
  readonly theirs?: string;
  /** Ours through theirs, per second and per CPU second. */
  readonly ratio?: string;
  readonly cpuRatio?: string;
  readonly reach: string;
  readonly aim: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Runs the subjects in turn, round after round, so that what the machine does meanwhile meets all of them. */
export async function interleave(subjects: readonly Subject[], { seconds, rounds }: { seconds: number; rounds: number }): Promise<Map<string, Rate>> {
  const measured = new Map(subjects.map(({ name }) => [name, { perSecond: [] as number[], perCpuSecond: [] as number[] }]));
  const used = async ({ servers }: Subject) => (await Promise.all(servers.map((server) => server.call('cpu')))).reduce((sum, cpu) => sum + cpu, 0);

  // The first requests compile the code: they count for nobody.
  for (const subject of subjects) await subject.run(Math.min(1, seconds));
  for (let round = 0; round < rounds; round += 1) {
    for (const subject of subjects) {
      const before = await used(subject);
      const run = await subject.run(seconds);
      const cpuSeconds = ((await used(subject)) - before) / 1e6;
      const of = measured.get(subject.name)!;
      of.perSecond.push(run.count / run.seconds);
      of.perCpuSecond.push(run.count / cpuSeconds);
    }
  }
  return new Map([...measured].map(([name, rates]) => [name, { perSecond: median(rates.perSecond), perCpuSecond: median(rates.perCpuSecond) }]));
}

const number = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });

export function figure(value: number, unit = ''): string {
  return `${number.format(value)}${unit && ` ${unit}`}`;
}

/** The line that sets `ours` against `theirs`. */
export function compare(
  rates: ReadonlyMap<string, Rate>,
  { row, what, ours, theirs, reach, aim }: { row: string; what: string; ours: string; theirs: string; reach: string; aim: string },
): Line {
  const [mine, other] = [rates.get(ours)!, rates.get(theirs)!];
  return {
    row,
    what,
    against: theirs,
    ours: figure(mine.perSecond, '/s'),
    theirs: figure(other.perSecond, '/s'),
    ratio: `${(mine.perSecond / other.perSecond).toFixed(2)} ×`,
    cpuRatio: `${(mine.perCpuSecond / other.perCpuSecond).toFixed(2)} ×`,
    reach,
    aim,
  };
}

const HEADS: Readonly<Record<keyof Line, string>> = {
  row: 'row',
  what: 'work',
  against: 'against',
  theirs: 'theirs',
  ours: 'Tandem',
  ratio: 'ratio',
  cpuRatio: 'per CPU s',
  reach: 'reach',
  aim: 'aim',
};

/** The lines as a table that is Markdown too. */
export function table(lines: readonly Line[]): string {
  const columns = Object.keys(HEADS) as Array<keyof Line>;
  const cells = [columns.map((column) => HEADS[column]), ...lines.map((line) => columns.map((column) => line[column] ?? ''))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]!.length)));
  const text = (row: readonly string[]) => `| ${row.map((cell, index) => cell.padEnd(widths[index]!)).join(' | ')} |`;
  return [text(cells[0]!), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...cells.slice(1).map(text)].join('\n');
}
