import { SITE } from './servers/clients.ts';
import { createClient, hammer } from './load.ts';
import { compare, figure, interleave, percentile, type Line } from './measure.ts';
import { startServer, type ServerProcess } from './process.ts';
import { openEvents, pump, rawGet, type OpenStream } from './sockets.ts';
import { claim, settle, showQr, type Person, type ShownQr } from './tandem-flows.ts';
import type { Bench, Row } from './rows.ts';

/** Frames turn this often, in milliseconds. */
const ROTATION = 5_000;
const SAMPLES = 200;

/**
 * Opens pages that each show a QR. The server's clock stands still meanwhile, but for a step after each page, so that the
 * pages are as spread over a rotation as if people had opened them, and none runs out before all are there.
 */
async function openPages(server: ServerProcess, count: number): Promise<ShownQr[]> {
  await server.call('freeze');
  const pages: ShownQr[] = [];
  let left = count;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (left > 0) {
        left -= 1;
        pages.push(await showQr(server.issuer));
        if (left % 100 === 0) await server.call('step', Math.round((ROTATION * 100) / count));
      }
    }),
  );
  return pages;
}

const waitRequest = ({ interaction, client }: ShownQr, what: 'events' | 'status', address = interaction) =>
  rawGet(`${address}/qr/${what}`, { cookie: client.cookie(), accept: what === 'events' ? 'text/event-stream' : 'application/json' });

async function startTandem(bench: Bench, env: Record<string, string>, core = 0): Promise<ServerProcess> {
  return startServer(bench.folder, 'tandem', { env, core });
}

/** Status polls of pages that wait, each page as often as it is allowed to, against a bare Koa route. */
export const poll: Row = async (bench) => {
  const server = await startTandem(bench, { BENCH_DATABASE: await bench.databases.create(bench.databases.names[0]!) });
  const koa = await startServer(bench.folder, 'koa');
  try {
    const pages = await openPages(server, Math.min(1500, bench.pages));
    const requests = pages.map((page) => waitRequest(page, 'status'));
    const plain = rawGet(`${koa.issuer}/interaction/page/qr/status`, { accept: 'application/json' });
    const rates = await interleave(
      [
        { name: 'plain Koa', servers: [koa], run: (seconds) => pump(koa.issuer, Array<Buffer>(20_000).fill(plain), { seconds }) },
        {
          name: 'Tandem',
          servers: [server],
          // Each round asks for every page once; the clock moves on so that nobody is told to slow down.
          async run(seconds) {
            await server.call('step', ROTATION);
            return pump(server.issuer, requests, { seconds });
          },
        },
      ],
      bench,
    );
    return [compare(rates, { row: '', what: 'status poll', ours: 'Tandem', theirs: 'plain Koa', reach: '≥ 0.4 ×', aim: '0.7 ×' })];
  } finally {
    await Promise.all([server.stop(), koa.stop()]);
  }
};

interface Watched {
  readonly page: ShownQr;
  stream: OpenStream | undefined;
  /** The latest frame's text, and when each came, in milliseconds. */
  frame: string;
  readonly frames: number[];
  told: ((state: string) => void) | undefined;
}

/** Opens the event stream of every page, two hundred at a time. */
async function watch(pages: readonly ShownQr[], issuer: string): Promise<Watched[]> {
  const watched: Watched[] = pages.map((page) => ({ page, stream: undefined, frame: page.frame, frames: [], told: undefined }));
  for (let at = 0; at < watched.length; at += 200) {
    await Promise.all(
      watched.slice(at, at + 200).map(async (each) => {
        each.stream = await openEvents(issuer, waitRequest(each.page, 'events'), (name, data) => {
          if (name === 'frame') {
            each.frame = data;
            each.frames.push(performance.now());
          } else if (name === 'state') {
            each.told?.((JSON.parse(data) as { state: string }).state);
          }
        });
      }),
    );
  }
  return watched;
}

/** How much later than a rotation after the one before each frame came, in milliseconds. */
function lateness(watched: readonly Watched[]): number[] {
  return watched.flatMap(({ frames }) => frames.slice(2).map((at, index) => Math.max(0, at - frames[index + 1]! - ROTATION)));
}

/** Milliseconds from sending the decision to the page being told, one phone after another. */
async function decide(watched: readonly Watched[], person: Person): Promise<number[]> {
  const times: number[] = [];
  const step = Math.max(1, Math.floor(watched.length / SAMPLES));
  for (let at = 0; at < watched.length && times.length < SAMPLES; at += step) {
    const each = watched[at]!;
    const claimed = await claim(person, each.frame);
    const told = new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('a page was never told')), 10_000);
      each.told = (state) => {
        if (state !== 'approved' && state !== 'confirmed') return;
        clearTimeout(timer);
        resolve(performance.now());
      };
    });
    const sent = performance.now();
    await person.phone.decide(claimed, 'approve');
    times.push((await told) - sent);
  }
  return times;
}

/** Pages that wait over event streams: their memory, whether frames turn on time, and how soon one of them hears. */
export const waiting: Row = async (bench) => {
  const server = await startTandem(bench, { BENCH_DATABASE: await bench.databases.create(bench.databases.names[0]!) });
  try {
    await server.call('people', 1);
    const person = await settle(server.issuer);
    const pages = await openPages(server, bench.pages);
    // The first half fills what opening the pages has left free: what a page costs is seen in the second.
    const half = pages.length >> 1;
    const watched = await watch(pages.slice(0, half), server.issuer);
    const before = await server.call('memory');
    watched.push(...(await watch(pages.slice(half), server.issuer)));
    const after = await server.call('memory');
    await server.call('thaw');
    await new Promise((resolve) => setTimeout(resolve, 4 * ROTATION));
    const late = lateness(watched);
    const silent = watched.filter(({ frames }) => frames.length < 4).length;
    const told = await decide(watched, person);
    for (const { stream } of watched) stream?.close();
    const count = new Intl.NumberFormat('en').format(watched.length);
    return [
      { row: '', what: `${count} waiting pages, memory of each`, ours: figure((after - before) / (watched.length - half) / 1024, 'KiB'), reach: '≤ 26 KiB', aim: '≤ 14 KiB' },
      { row: '', what: `their frames late, p99 (${silent} missed one)`, ours: figure(percentile(late, 0.99), 'ms'), reach: 'on time', aim: '' },
      { row: '', what: 'decision → page told, median', ours: figure(percentile(told, 0.5), 'ms'), reach: '', aim: '' },
      { row: '', what: 'decision → page told, p99', ours: figure(percentile(told, 0.99), 'ms'), reach: '≤ 20 ms', aim: '10 ms' },
    ] satisfies Line[];
  } finally {
    await server.stop();
  }
};

/** The pages wait at one process, the phone decides at another; both on one PostgreSQL. */
export const across: Row = async (bench) => {
  const database = await bench.databases.create('postgres');
  const first = await startTandem(bench, { BENCH_DATABASE: database });
  const second = await startTandem(bench, { BENCH_DATABASE: database, BENCH_KEY: String(first.facts['key']), BENCH_ISSUER: first.issuer });
  try {
    await first.call('people', 1);
    const person = await settle(first.issuer, String(second.facts['address']));
    const watched = await watch(await openPages(first, bench.pages), first.issuer);
    await second.call('thaw', await first.call('thaw'));
    // The frames of the frozen clock have to be replaced by those of now.
    await new Promise((resolve) => setTimeout(resolve, 2 * ROTATION));
    const told = await decide(watched, person);
    for (const { stream } of watched) stream?.close();
    return [
      { row: '', what: 'decision → page told at another process, median', ours: figure(percentile(told, 0.5), 'ms'), reach: '', aim: '' },
      { row: '', what: 'decision → page told at another process, p99', ours: figure(percentile(told, 0.99), 'ms'), reach: '≤ 50 ms', aim: '15 ms' },
    ] satisfies Line[];
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
};

/** A site's token requests at one process and at two, each on a core of its own. */
export const second: Row = async (bench) => {
  const database = await bench.databases.create('postgres');
  const first = await startTandem(bench, { BENCH_DATABASE: database });
  const other = await startTandem(bench, { BENCH_DATABASE: database, BENCH_KEY: String(first.facts['key']), BENCH_ISSUER: first.issuer }, 1);
  const request = (address: string) => ({
    url: `${address}/token`,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${Buffer.from(`${SITE.client_id}:${SITE.client_secret}`).toString('base64')}` },
    body: 'grant_type=client_credentials',
  });
  try {
    const rates = await interleave(
      [
        { name: 'one process', servers: [first], run: (seconds) => hammer(request(first.issuer), seconds) },
        {
          name: 'two processes',
          servers: [first, other],
          async run(seconds) {
            const runs = await Promise.all([first.issuer, String(other.facts['address'])].map((address) => hammer(request(address), seconds)));
            return { count: runs.reduce((sum, { count }) => sum + count, 0), seconds: Math.max(...runs.map((run) => run.seconds)) };
          },
        },
      ],
      bench,
    );
    return [compare(rates, { row: '', what: 'a second process on PostgreSQL', ours: 'two processes', theirs: 'one process', reach: '≥ 1.7 ×', aim: '1.9 ×' })];
  } finally {
    await Promise.all([first.stop(), other.stop()]);
  }
};

/** From spawning the process to answering, on a migrated database, and its memory before anybody came. */
export const start: Row = async (bench) => {
  const database = await bench.databases.create('sqlite');
  await (await startTandem(bench, { BENCH_DATABASE: database, BENCH_KEY: KEY })).stop();
  const [bare, ours, memory] = [[] as number[], [] as number[], [] as number[]];
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const [times, name] of [[bare, 'bare'], [ours, 'tandem']] as const) {
      const server = await startServer(bench.folder, name, { env: { BENCH_DATABASE: database, BENCH_KEY: KEY } });
      const answer = await createClient().request('GET', `${server.issuer}/.well-known/openid-configuration`);
      if (answer.status !== 200) throw new Error(`${name} answered ${answer.status} after its start`);
      times.push(server.startMs);
      if (name === 'tandem') memory.push((await server.call('memory')) / 1024 / 1024);
      await server.stop();
    }
  }
  const [theirs, mine] = [percentile(bare, 0.5), percentile(ours, 0.5)];
  return [
    { row: '', what: 'start to ready, migrated database', against: 'bare', theirs: figure(theirs, 'ms'), ours: figure(mine, 'ms'), ratio: `${(mine / theirs).toFixed(2)} ×`, reach: '≤ 2 ×', aim: '1.3 ×' },
    { row: '', what: 'idle memory', ours: figure(percentile(memory, 0.5), 'MiB'), reach: '≤ 120 MB', aim: '95 MB' },
  ] satisfies Line[];
};

/** The same key at each start, since the signing keys in the database are encrypted under it. */
const KEY = Buffer.alloc(32, 'bench').toString('base64url');
