import assert from 'node:assert/strict';
import type { ClientMetadata } from 'oidc-provider';
import { accounts, admin, enrolment, qr, totp, type Actor, type AdminService, type Feature } from '../../src/index.ts';
import { ADMIN_SCOPES } from '../../src/admin/api/scopes.ts';
import type { TestDatabase } from '../support/databases.ts';
import type { HttpBrowser } from '../support/http-browser.ts';
import { startTandem, TEST_CLIENTS, type TestTandem, type TestTandemOptions } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';

export const HOST: Actor = { kind: 'host', id: 'test', authority: 'all' };
export const COMMAND_LINE: Actor = { kind: 'command-line', id: 'ada', authority: 'all' };
export const FEATURES: readonly Feature[] = [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp(), enrolment(), admin()];

/** What the API answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- read as it comes; a wrong shape fails the test
  readonly json: any;
  readonly text: string;
}

export interface AdminTandem extends TestTandem {
  readonly admin: AdminService;
  /** All scopes of the admin API. */
  readonly scopes: readonly string[];
  /** A token of client credentials for the provider's own API. */
  token(clientId: string, scopes: readonly string[], secret?: string): Promise<string>;
  /** Calls the API with a token, or as a client of {@link CLIENTS} with a token of all its scopes. */
  call(method: string, path: string, options?: { as?: string; token?: string; body?: unknown }): Promise<Answer>;
}

const secretOf = (id: string) => `${id}-secret `.repeat(5).replaceAll(' ', '-');

/** Clients without people, each with these scopes of the provider's own API: `root` with all of the admin API. */
export function apiClients(issuer: string, scopes: Readonly<Record<string, readonly string[]>>): ClientMetadata[] {
  return Object.entries(scopes).map(([id, granted]) => ({
    client_id: id,
    client_secret: secretOf(id),
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    tandem_resources: { [`${issuer}/api`]: [...granted] },
  }));
}

/** Starts one for the tests of a block, each of which must leave no error in the log. */
export function withAdmin(database: Pick<TestDatabase, 'open'>, ready: (tandem: AdminTandem) => void): void {
  let tandem: AdminTandem;
  before(async () => ready((tandem = await startWithAdmin(database))));
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());
}

/** A provider with a registry, the client `root` that may do all that is in the admin API, and others with what `more` gives them. */
export async function startWithAdmin(
  database: Pick<TestDatabase, 'open'>,
  { more = {}, ...options }: TestTandemOptions & { more?: Readonly<Record<string, readonly string[]>> } = {},
): Promise<AdminTandem> {
  const scopes = Object.keys(ADMIN_SCOPES);
  const tandem = await startTandem(database, {
    features: FEATURES,
    clients: (issuer) => [...Object.values(TEST_CLIENTS), ...apiClients(issuer, { root: scopes, ...more })],
    ...options,
  });
  const granted: Readonly<Record<string, readonly string[]>> = { root: scopes, ...more };
  const tokens = new Map<string, string>();

  const harness: AdminTandem = {
    ...tandem,
    admin: tandem.t.admin!,
    scopes,
    async token(clientId, asked, secret = secretOf(clientId)) {
      const response = await fetch(tandem.url('/token'), {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${tandem.issuer}/api`, scope: asked.join(' ') }),
      });
      const json = (await response.json()) as { access_token?: string };
      assert.equal(response.status, 200, JSON.stringify(json));
      return json.access_token!;
    },
    async call(method, path, { as = 'root', token, body } = {}) {
      if (token === undefined && !tokens.has(as)) tokens.set(as, await harness.token(as, granted[as] ?? []));
      const response = await fetch(tandem.url(path), {
        method,
        headers: { authorization: `Bearer ${token ?? tokens.get(as)}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: text === '' ? undefined : JSON.parse(text) };
    },
  };
  return harness;
}

/** Adds a phone to the account of whoever is signed in. */
export async function addPhone(tandem: TestTandem, browser: HttpBrowser, options: { userVerifying?: boolean } = { userVerifying: true }): Promise<VirtualPhone> {
  const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, ...options });
  const shown = await browser.submit(await browser.get(tandem.url('/account/devices/add')), '/account/devices/add');
  const { confirmCode } = await phone.enrol(/data-link="([^"]+)"/.exec(shown.body)![1]!);
  await browser.submit(shown, '/confirm', { code: confirmCode });
  return phone;
}
