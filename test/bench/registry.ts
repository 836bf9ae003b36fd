import { expectStatus, form } from './flows.ts';
import { createClient, hammer, type FixedRequest } from './load.ts';
import { compare, interleave, type Line, type Subject } from './measure.ts';
import { startServer, type ServerProcess } from './process.ts';
import type { Bench, Row } from './rows.ts';
import type { Backend } from './servers/clients.ts';
import { pump, rawGet } from './sockets.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** A few clients, which every cache holds, and more than any does by default. */
const SIZES = [10, 5_000];
/** How many of the clients have a token in the rows that spend one. */
const TOKENS = 200;
const OPAQUE = 'https://notes.example.com';
const SIGNED = 'https://signed.example.com';

const basic = ({ id, secret }: Backend) => ({ authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}` });

function tokenRequest(issuer: string, backend: Backend, fields: Record<string, string> = {}): FixedRequest {
  return { url: `${issuer}/token`, method: 'POST', headers: { ...FORM, ...basic(backend) }, body: form({ grant_type: 'client_credentials', ...fields }) };
}

async function tokenOf(issuer: string, backend: Backend, fields: Record<string, string> = {}): Promise<string> {
  const { url, method, headers, body } = tokenRequest(issuer, backend, fields);
  const answer = await createClient().request(method!, url, { headers: headers!, body });
  return (JSON.parse(expectStatus(answer, 200, 'the token endpoint').body) as { access_token: string }).access_token;
}

async function withServers(work: (start: (name: string, env?: Record<string, string>) => Promise<ServerProcess>) => Promise<Line[]>, bench: Bench): Promise<Line[]> {
  const servers: ServerProcess[] = [];
  try {
    return await work(async (name, env = {}) => {
      const server = await startServer(bench.folder, name, { env });
      servers.push(server);
      return server;
    });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

type Load = (server: ServerProcess, backends: readonly Backend[]) => Promise<FixedRequest[]>;

/** The same work with few clients and with many, beside bare with as many, which has them in memory. */
function bySize(what: string, load: Load, reach: string): Row {
  return async (bench) => {
    const lines: Line[] = [];
    for (const size of SIZES) {
      lines.push(...(await withServers(async (start) => {
        const env = { BENCH_CLIENTS: String(size) };
        const servers: Array<readonly [string, ServerProcess]> = [['bare', await start('bare', env)]];
        for (const database of bench.databases.names) servers.push([`Tandem, ${database}`, await start('registry', { ...env, BENCH_DATABASE: await bench.databases.create(database) })]);
        const subjects: Subject[] = [];
        for (const [name, server] of servers) {
          const requests = await load(server, await server.call<Backend[]>('backends'));
          subjects.push({ name, servers: [server], run: (seconds) => hammer(requests, seconds) });
        }
        const rates = await interleave(subjects, bench);
        return bench.databases.names.map((database) =>
          compare(rates, { row: '', what: `${what}, ${size} clients, ${database}`, ours: `Tandem, ${database}`, theirs: 'bare', reach, aim: '' }));
      }, bench)));
    }
    return lines;
  };
}

/** Client credentials of clients in the database, each time of another. */
export const registered: Row = bySize('client credentials', async ({ issuer }, backends) => backends.map((each) => tokenRequest(issuer, each)), '≥ 0.85 ×');

/** Introspection, of and by clients in the database. */
export const introspected: Row = bySize('introspection', async ({ issuer }, backends) =>
  Promise.all(backends.slice(0, TOKENS).map(async (each) => {
    const body = form({ token: await tokenOf(issuer, each) });
    return { url: `${issuer}/token/introspection`, method: 'POST', headers: { ...FORM, ...basic(each) }, body };
  })), '≥ 0.9 ×');

/** Calls of a guarded route in the provider's process, by opaque tokens and by JWTs, beside a plain Koa route that answers the same to everybody. */
export const guarded: Row = async (bench) => {
  const lines: Line[] = [];
  for (const size of SIZES) {
    lines.push(...(await withServers(async (start) => {
      const database = bench.databases.names[0]!;
      const koa = await start('koa');
      const server = await start('registry', { BENCH_CLIENTS: String(size), BENCH_DATABASE: await bench.databases.create(database) });
      const backends = (await server.call<Backend[]>('backends')).slice(0, TOKENS);
      const calls = (path: string, resource: string) =>
        Promise.all(backends.map(async (each) => ({ url: server.issuer + path, headers: { authorization: `Bearer ${await tokenOf(server.issuer, each, { resource, scope: 'read' })}` } })));
      const [opaque, signed] = [await calls('/notes', OPAQUE), await calls('/signed-notes', SIGNED)];
      const rates = await interleave([
        { name: 'plain Koa', servers: [koa], run: (seconds) => hammer({ url: `${koa.issuer}/notes` }, seconds) },
        { name: 'opaque', servers: [server], run: (seconds) => hammer(opaque, seconds) },
        { name: 'JWT', servers: [server], run: (seconds) => hammer(signed, seconds) },
      ], bench);
      return ['opaque', 'JWT'].map((ours) => compare(rates, { row: '', what: `guarded call, ${ours}, ${size} clients, ${database}`, ours, theirs: 'plain Koa', reach: '', aim: '' }));
    }, bench)));
  }
  return lines;
};

/** Status polls of enrolments, each as often as it is allowed to be, beside a plain Koa route. */
export const enrolmentPoll: Row = async (bench) => {
  const lines: Line[] = [];
  for (const size of SIZES) {
    lines.push(...(await withServers(async (start) => {
      const database = bench.databases.names[0]!;
      const koa = await start('koa');
      const server = await start('registry', { BENCH_CLIENTS: String(size), BENCH_DATABASE: await bench.databases.create(database) });
      const [backend] = (await server.call<Backend[]>('backends')) as [Backend];
      const headers = { authorization: `Bearer ${await tokenOf(server.issuer, backend, { resource: `${server.issuer}/api`, scope: 'credential:omi:enrol:qr:admin:post credential:omi:enrol:status:get' })}` };
      const ids = await Promise.all((await server.call<string[]>('people', 1000)).map((account) => enrol(server.issuer, account, headers)));
      const polls = ids.map((id) => rawGet(`${server.issuer}/omi/qr/enrol/status?enrolmentId=${id}`, { ...headers, accept: 'application/json' }));
      const plain = rawGet(`${koa.issuer}/notes`, { accept: 'application/json' });
      const rates = await interleave([
        { name: 'plain Koa', servers: [koa], run: (seconds) => pump(koa.issuer, Array<Buffer>(20_000).fill(plain), { seconds }) },
        {
          name: 'Tandem',
          servers: [server],
          // Each round asks for every enrolment once; the clock moves on so that nobody is told to slow down.
          async run(seconds) {
            await server.call('advance', 2_000);
            return pump(server.issuer, polls, { seconds });
          },
        },
      ], bench);
      return [compare(rates, { row: '', what: `enrolment status poll, ${size} clients, ${database}`, ours: 'Tandem', theirs: 'plain Koa', reach: '', aim: '' })];
    }, bench)));
  }
  return lines;
};

async function enrol(issuer: string, account: string, headers: Record<string, string>): Promise<string> {
  const answer = await createClient().request('POST', `${issuer}/omi/qr/enrol`, { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ account }) });
  return (JSON.parse(expectStatus(answer, 200, 'the enrolment').body) as { enrolmentId: string }).enrolmentId;
}
