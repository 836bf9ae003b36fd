import type { Databases } from './database.ts';
import { clientCredentials, codeFlow, introspection, refreshFlow } from './flows.ts';
import { hammer, type FixedRequest } from './load.ts';
import { compare, interleave, type Line, type Subject } from './measure.ts';
import { startServer, type ServerProcess } from './process.ts';
import { saturate, WIDTH } from './saturate.ts';
import { password, totp } from './factors.ts';
import { enrolmentPoll, guarded, introspected, registered } from './registry.ts';
import { passwordSignIn, qrSignIn, settle } from './tandem-flows.ts';
import { across, poll, second, start, waiting } from './waiting.ts';

/** What every row is given. */
export interface Bench {
  /** Where the compiled servers are. */
  readonly folder: string;
  readonly databases: Databases;
  readonly seconds: number;
  readonly rounds: number;
  readonly pages: number;
}

export type Row = (bench: Bench) => Promise<Line[]>;

/** The name of a subject of ours: `Tandem, sqlite`. */
const tandemOn = (database: string) => `Tandem, ${database}`;
const BARE = 'bare';

/** Starts the bare server and one Tandem a database, measures, and ends them. */
export async function withServers<T>(bench: Bench, work: (bare: ServerProcess, tandems: ReadonlyArray<readonly [string, ServerProcess]>) => Promise<T>): Promise<T> {
  const bare = await startServer(bench.folder, 'bare');
  const tandems: Array<readonly [string, ServerProcess]> = [];
  try {
    for (const name of bench.databases.names) {
      tandems.push([tandemOn(name), await startServer(bench.folder, 'tandem', { env: { BENCH_DATABASE: await bench.databases.create(name) } })]);
    }
    return await work(bare, tandems);
  } finally {
    await Promise.all([bare, ...tandems.map(([, server]) => server)].map((server) => server.stop()));
  }
}

interface Goal {
  readonly what: string;
  /** By database; one text where it is the same. */
  readonly reach: string | Readonly<Record<string, string>>;
  readonly aim: string;
}

/** A row that does the same to bare and to Tandem. */
function sameWork(goal: Goal, workOn: (server: ServerProcess, path: string) => Promise<(seconds: number) => ReturnType<Subject['run']>>): Row {
  return (bench) =>
    withServers(bench, async (bare, tandems) => {
      const subjects: Subject[] = [{ name: BARE, servers: [bare], run: await workOn(bare, '') }];
      for (const [name, server] of tandems) subjects.push({ name, servers: [server], run: await workOn(server, `?at-once=${(await server.call<string[]>('people', 1))[0]}`) });
      const rates = await interleave(subjects, bench);
      return tandems.map(([name], index) => {
        const database = bench.databases.names[index]!;
        const reach = typeof goal.reach === 'string' ? goal.reach : (goal.reach[database] ?? '');
        return compare(rates, { row: '', what: `${goal.what}, ${database}`, ours: name, theirs: BARE, reach, aim: goal.aim });
      });
    });
}

const fixed = (request: (issuer: string) => FixedRequest | Promise<FixedRequest>) => async (server: ServerProcess) => {
  const made = await request(server.issuer);
  return (seconds: number) => hammer(made, seconds);
};

/** The whole sign-in by phone, in a browser that the account knows. */
const qr: Row = (bench) =>
  withServers(bench, async (bare, tandems) => {
    const subjects: Subject[] = [{ name: BARE, servers: [bare], run: (seconds) => saturate(() => codeFlow(bare.issuer), seconds) }];
    for (const [name, server] of tandems) {
      await server.call('people', WIDTH);
      const person = await settle(server.issuer);
      subjects.push({ name, servers: [server], run: (seconds) => saturate(() => qrSignIn(server.issuer, person), seconds) });
      subjects.push({ name: `${name}, password`, servers: [server], run: (seconds) => saturate((worker) => passwordSignIn(server.issuer, worker), seconds) });
    }
    const rates = await interleave(subjects, bench);
    return tandems.flatMap(([name], index) => {
      const what = `whole QR sign-in, ${bench.databases.names[index]}`;
      return [
        compare(rates, { row: '', what, ours: name, theirs: BARE, reach: '≥ 0.4 ×', aim: '0.6 ×' }),
        compare(rates, { row: '', what, ours: name, theirs: `${name}, password`, reach: '≥ 2 ×', aim: '' }),
      ];
    });
  });

export const ROWS: Readonly<Record<string, Row>> = {
  'client-credentials': sameWork(
    { what: 'client credentials, opaque', reach: { sqlite: '≥ 0.85 ×', postgres: '≥ 0.95 ×' }, aim: '1.0 ×' },
    fixed((issuer) => clientCredentials(issuer, { jwt: false })),
  ),
  'client-credentials-jwt': sameWork(
    { what: 'client credentials, ES256', reach: '≥ 0.9 ×', aim: '1.3 ×' },
    fixed((issuer) => clientCredentials(issuer, { jwt: true })),
  ),
  introspection: sameWork({ what: 'introspection', reach: '≥ 0.9 ×', aim: '1.0 ×' }, fixed(introspection)),
  code: sameWork({ what: 'code + PKCE, fresh browser', reach: '≥ 0.65 ×', aim: '0.9 ×' }, (server, path) =>
    Promise.resolve((seconds: number) => saturate(() => codeFlow(server.issuer, { path }), seconds)),
  ),
  refresh: sameWork({ what: 'rotating refresh', reach: '', aim: '' }, async (server, path) => {
    const refresh = await refreshFlow(server.issuer, WIDTH, { path });
    return (seconds) => saturate(refresh, seconds);
  }),
  qr,
  password,
  totp,
  registered,
  'registered-introspection': introspected,
  guarded,
  'enrolment-poll': enrolmentPoll,
  poll,
  waiting,
  'waiting-across': across,
  'second-process': second,
  start,
};
