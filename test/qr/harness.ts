import assert from 'node:assert/strict';
import { createServer, get as httpGet, type Server } from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Knex } from 'knex';
import { Provider } from 'oidc-provider';
import { accounts, newEncryptionKey, qr, tandem, type QrOptions, type Tandem } from '../../src/index.ts';
import { openDatabase } from '../../src/lib/database/open.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createHttpBrowser, type BrowserOptions, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { CALLBACK, createTestClock, TEST_CLIENTS } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';

/** What the page's script is told. */
export interface News {
  readonly state: string;
  readonly expires_in: number;
  readonly reason?: string;
  readonly renew?: boolean;
  readonly frame?: string;
  readonly user_code?: string;
  readonly interval?: number;
  readonly error?: string;
  readonly tries_left?: number;
}

/** One sign-in page that waits, as its script sees it. */
export interface WaitingPage {
  readonly browser: HttpBrowser;
  readonly uid: string;
  readonly page: Page;
  readonly news: News;
  /** The text of the QR that is shown now. */
  frame(): Promise<string>;
  post(path: string, fields?: Record<string, string>, options?: { from?: HttpBrowser; csrf?: string }): Promise<Page>;
  status(from?: HttpBrowser): Promise<Page>;
  /** Redeems; the page is the redirect at the client. */
  redeem(): Promise<Page>;
}

export type QrHarness = Awaited<ReturnType<typeof startQr>>;

/** A whole provider over real HTTP, which can be joined by further processes on the same database, and restarted. */
export async function startQr(database: Pick<TestDatabase, 'name' | 'url'>, options: Pick<QrOptions, 'startsPerMinute' | 'locate'> = {}) {
  const databaseUrl = await database.url();
  const encryption = [newEncryptionKey()];
  const clock = createTestClock();
  const events: Array<{ name: string; payload: Record<string, unknown> }> = [];
  const errors: object[] = [];
  const running: Array<{ server: Server; t: Tandem; knex: Knex }> = [];
  const browsers: HttpBrowser[] = [];
  let issuer = '';

  /** Starts one process: at the issuer's own port, or at another for a second one. */
  async function serve(port: number) {
    const knex = openDatabase(databaseUrl);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    issuer ||= origin;
    const t = tandem({
      db: knex,
      issuer,
      secrets: { encryption },
      features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr({ startsPerMinute: 100_000, ...options })],
      clock,
      notices: { send() {} },
      log: { debug() {}, info() {}, warn: (fields) => void errors.push(fields), error: (fields) => void errors.push(fields) },
    });
    await t.migrate();
    const provider = new Provider(issuer, t.configure({ clients: Object.values(CLIENTS) }));
    provider.use(t.attach(provider));
    server.on('request', provider.callback());
    const process = { server, t, knex, origin };
    running.push(process);
    return process;
  }

  async function stop(process: (typeof running)[number]) {
    running.splice(running.indexOf(process), 1);
    process.server.closeAllConnections();
    await new Promise((resolve) => process.server.close(resolve));
    await process.t.close();
    await process.knex.destroy();
  }

  const first = await serve(0);

  function browser(headers: BrowserOptions['headers'] = {}) {
    const made = createHttpBrowser({ headers });
    browsers.push(made);
    return made;
  }

  async function authorize(by: HttpBrowser, { client = 'spa', ...params }: Record<string, string> = {}): Promise<Page & { verifier: string }> {
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      client_id: client, response_type: 'code', redirect_uri: CALLBACK, scope: 'openid email', state: 'xyz',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...params,
    });
    return Object.assign(await by.get(`${issuer}/auth?${query.toString()}`), { verifier });
  }

  let made = 0;
  /** An account with an enrolled phone, and the browser in which that was done. */
  async function person({ userVerifying = false } = {}): Promise<{ email: string; accountId: string; phone: VirtualPhone; desk: HttpBrowser }> {
    const email = `person${(made += 1)}@example.com`;
    const password = 'seven grey herons at noon';
    const { id: accountId } = await running[0]!.t.accounts!.register({ email, password });
    const desk = browser();
    const phone = createVirtualPhone({ issuer, clock, userVerifying });
    await enrol(desk, phone, { email, password });
    return { email, accountId, phone, desk };
  }

  async function enrol(desk: HttpBrowser, phone: VirtualPhone, credentials?: { email: string; password: string }) {
    let page = await desk.get(`${issuer}/account/devices/add`);
    if (credentials) page = await desk.submit(page, '/password', credentials);
    const shown = await desk.submit(page, '/account/devices/add');
    const link = /data-link="([^"]+)"/.exec(shown.body)?.[1];
    assert.ok(link, `no enrolment link at ${shown.url} (${shown.status}): ${shown.text.slice(0, 400)}`);
    const { confirmCode } = await phone.enrol(link);
    await desk.submit(shown, '/confirm', { code: confirmCode });
    assert.equal((await phone.status()).state, 'active');
  }

  /** Opens the sign-in page in a browser and starts the QR, as its script does. */
  async function waiting(by: HttpBrowser = browser(), params: Record<string, string> = {}): Promise<WaitingPage> {
    const page = await authorize(by, params);
    return watch(by, page);
  }

  async function watch(by: HttpBrowser, page: Page): Promise<WaitingPage> {
    const uid = /\/interaction\/([\w-]+)/.exec(page.url)?.[1];
    assert.ok(uid, `no interaction at ${page.url} (${page.status}): ${page.text.slice(0, 300)}`);
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
    const base = `${issuer}/interaction/${uid}`;
    const post: WaitingPage['post'] = (path, fields = {}, { from = by, csrf: token = csrf } = {}) =>
      from.post(base + path, { csrf: token, ...fields }, { headers: { accept: 'application/json' }, follow: false });
    const started = await post('/qr/start');
    const news = started.json<News>();
    assert.equal(started.status, 200, started.body);
    return {
      browser: by,
      uid,
      page,
      news,
      post,
      status: (from = by) => from.send('GET', `${base}/qr/status`),
      async frame() {
        const { frame } = (await post('/qr/start')).json<News>();
        assert.ok(frame);
        return frame;
      },
      redeem: () => by.post(`${base}/redeem`, { csrf }),
    };
  }

  return {
    get issuer() {
      return issuer;
    },
    database,
    clock,
    errors,
    events,
    get knex() {
      return running[0]!.knex;
    },
    get t() {
      return running[0]!.t;
    },
    browser,
    authorize,
    person,
    enrol,
    waiting,
    watch,
    phone: (options: { userVerifying?: boolean } = {}) => createVirtualPhone({ issuer, clock, ...options }),
    /** Another process on the same database. */
    join: () => serve(0),
    /** Ends the first process and starts another in its place. */
    async restart() {
      const { port } = new URL(issuer);
      await stop(running[0]!);
      for (const each of browsers) each.close();
      await serve(Number(port));
      running.unshift(running.pop()!);
    },
    /** The audit log, oldest first: names of the events about one transaction. */
    async eventsOf(link: string): Promise<string[]> {
      const rows = (await running[0]!.knex('tandem_events').where({ transaction_id: txOf(link) }).orderBy('id')) as Array<{ name: string }>;
      return rows.map(({ name }) => name);
    },
    row: async (link: string) => (await running[0]!.knex('tandem_transactions').where({ id: txOf(link) }).first()) as Record<string, unknown>,
    first,
    async close() {
      for (const each of browsers) each.close();
      for (const process of [...running]) await stop(process);
    },
  };
}

const CLIENTS = {
  ...TEST_CLIENTS,
  /** Its sign-ins always need the confirm code. */
  strict: { ...TEST_CLIENTS.spa, client_id: 'strict', client_name: 'Strict', tandem_confirm: 'always' },
};

export function txOf(link: string): string {
  return /\/q\/1\.([\w-]{22})\./.exec(link)![1]!;
}

/** Reads the event stream of a waiting page. */
export function listen(url: string, cookie: string): Promise<{ status: number; heard: Array<{ event: string; data: string }>; next(event: string, matching?: RegExp): Promise<string>; ended: Promise<void>; close(): void }> {
  return new Promise((resolve, reject) => {
    const request = httpGet(url, { headers: { cookie, accept: 'text/event-stream' }, agent: false }, (response) => {
      const heard: Array<{ event: string; data: string }> = [];
      const wanted: Array<{ event: string; matching: RegExp; resolve(data: string): void }> = [];
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n\n');
        rest = parts.pop()!;
        for (const part of parts) {
          const event = /^event: (.*)$/m.exec(part)?.[1];
          if (event === undefined) continue;
          const data = /^data: (.*)$/m.exec(part)?.[1] ?? '';
          heard.push({ event, data });
          const index = wanted.findIndex((each) => each.event === event && each.matching.test(data));
          if (index >= 0) wanted.splice(index, 1)[0]!.resolve(data);
        }
      });
      const ended = new Promise<void>((done) => response.once('close', done));
      resolve({
        status: response.statusCode!,
        heard,
        next: (event, matching = /(?:)/) => new Promise((got) => wanted.push({ event, matching, resolve: got })),
        ended,
        close: () => request.destroy(),
      });
    });
    request.on('error', reject);
  });
}
