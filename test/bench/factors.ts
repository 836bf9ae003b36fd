import { codeOf } from '../support/otp.ts';
import { compare, interleave, type Line, type Subject } from './measure.ts';
import { startServer, type ServerProcess } from './process.ts';
import type { Bench, Row } from './rows.ts';
import { saturate, WIDTH, type Run } from './saturate.ts';
import { codeSignIn, passwordSignIn } from './tandem-flows.ts';

const ARGON2 = 'bare Argon2id';
const STEP = 30_000;
/** The same for a database's two servers, since the seeds in it are encrypted under it. */
const KEY = Buffer.alloc(32, 'bench').toString('base64url');

/** Measures subjects beside the password hash alone, which no server that checks passwords can outrun. */
async function beside(bench: Bench, servers: ServerProcess[], subjects: ReadonlyArray<Subject & { readonly what: string }>): Promise<Line[]> {
  const argon2 = await startServer(bench.folder, 'argon2');
  servers.push(argon2);
  const ceiling: Subject = { name: ARGON2, servers: [argon2], run: (seconds) => argon2.call<Run>('verify', seconds) };
  const rates = await interleave([ceiling, ...subjects], bench);
  return subjects.map(({ name, what }) => compare(rates, { row: '', what, ours: name, theirs: ARGON2, reach: '', aim: '' }));
}

async function withServers<T>(work: (servers: ServerProcess[]) => Promise<T>): Promise<T> {
  const servers: ServerProcess[] = [];
  try {
    return await work(servers);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Whole sign-ins by password, each of which costs one Argon2id. */
export const password: Row = (bench) =>
  withServers(async (servers) => {
    const subjects = [];
    for (const database of bench.databases.names) {
      const server = await startServer(bench.folder, 'tandem', { env: { BENCH_DATABASE: await bench.databases.create(database) } });
      servers.push(server);
      await server.call('people', WIDTH);
      const run = (seconds: number) => saturate((worker) => passwordSignIn(server.issuer, worker), seconds);
      subjects.push({ name: `Tandem, ${database}`, what: `password sign-in, ${database}`, servers: [server], run });
    }
    return beside(bench, servers, subjects);
  });

/** Codes of authenticator apps: their verification alone, and whole sign-ins by password and code. */
export const totp: Row = (bench) =>
  withServers(async (servers) => {
    const subjects = [];
    for (const database of bench.databases.names) {
      const codes = await startServer(bench.folder, 'codes', { env: { BENCH_DATABASE: await bench.databases.create(database) } });
      servers.push(codes);
      subjects.push({ name: `Tandem, ${database}, code`, what: `TOTP verification, ${database}`, servers: [codes], run: (seconds: number) => codes.call<Run>('verify', seconds) });
      const { server, run } = await signIns(bench, await bench.databases.create(database));
      servers.push(server);
      subjects.push({ name: `Tandem, ${database}, both`, what: `password + code sign-in, ${database}`, servers: [server], run });
    }
    return beside(bench, servers, subjects);
  });

/** Sign-ins of people who have an authenticator each, on a database that another server has filled. */
async function signIns(bench: Bench, database: string) {
  const env = { BENCH_DATABASE: database, BENCH_KEY: KEY, BENCH_PEOPLE: '64' };
  const filling = await startServer(bench.folder, 'codes', { env });
  const secrets = await filling.call<string[]>('secrets').finally(() => filling.stop());
  const server = await startServer(bench.folder, 'tandem', { env });
  await server.call('freeze');
  let now = server.call('step', 2 * STEP);
  let next = 0;

  /** Each person signs in once in a step of the clock, since each code is good once. */
  async function signIn() {
    const person = next % secrets.length;
    if (person === 0 && next > 0) now = server.call('step', STEP);
    next += 1;
    const time = await now;
    await codeSignIn(server.issuer, person, codeOf(secrets[person]!, () => time));
  }
  return { server, run: (seconds: number) => saturate(signIn, seconds) };
}
