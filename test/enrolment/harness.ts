import assert from 'node:assert/strict';
import type { ClientMetadata } from 'oidc-provider';
import { accounts, admin, enrolment, qr, type Feature, type TandemOptions } from '../../src/index.ts';
import type { TestDatabase } from '../support/databases.ts';
import { startTandem, TEST_CLIENTS, type TestTandem } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';

export const CREATE = 'accounts:create';
export const ENROL = 'credential:omi:enrol:qr:admin:post';
export const STATUS = 'credential:omi:enrol:status:get';
export const ALL = [CREATE, ENROL, STATUS];

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

export interface EnrolmentHarness extends TestTandem {
  /** Of clients of the registry. */
  readonly secrets: Map<string, string>;
  /** An access token of client credentials. */
  token(clientId?: string, scopes?: readonly string[]): Promise<string>;
  /** A call of a client with all of its scopes, or with the token that is given. */
  call(method: string, path: string, body?: unknown, options?: { as?: string; token?: string; headers?: Record<string, string> }): Promise<Answer>;
  /** Makes an account; returns the subject by which the client knows it. */
  account(as?: string, email?: string): Promise<string>;
  /** Makes a QR code, and what is known of it. */
  start(account: string, as?: string): Promise<{ enrolmentId: string; enrolmentUri: string; qrCode: string }>;
  /** Asks for the status, a second after the last time. */
  status(enrolmentId: string, as?: string): Promise<Answer>;
  /** A phone of the account, confirmed. */
  enrolled(account: string, as?: string, options?: { userVerifying?: boolean }): Promise<VirtualPhone>;
  phone(options?: { userVerifying?: boolean }): VirtualPhone;
}

const secretOf = (id: string) => `${id}-secret-`.repeat(6);

/** Backends of the API; both may do all of it. */
export function backends(issuer: string): ClientMetadata[] {
  const backend = (id: string, more: Partial<ClientMetadata> = {}): ClientMetadata => ({
    client_id: id,
    client_secret: secretOf(id),
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    tandem_resources: { [`${issuer}/api`]: ALL },
    ...more,
  });
  return [backend('shop'), backend('rival'), backend('watcher', { tandem_resources: { [`${issuer}/api`]: [STATUS] } })];
}

const HASHING = { memoryCost: 1024, timeCost: 1, parallelism: 1 };

/** Starts a provider whose clients enrol phones. */
export async function startEnrolment(database: Pick<TestDatabase, 'open'>, options: { features?: readonly Feature[]; tandem?: Partial<TandemOptions>; more?: (issuer: string) => ClientMetadata[] } = {}): Promise<EnrolmentHarness> {
  const { features = [accounts({ hashing: HASHING }), qr(), enrolment(), admin()], more = () => [] } = options;
  const t = await startTandem(database, {
    features,
    ...(options.tandem && { tandem: options.tandem }),
    clients: (issuer) => [...Object.values(TEST_CLIENTS), ...backends(issuer), ...more(issuer)],
  });
  const tokens = new Map<string, string>();
  const secrets = new Map<string, string>();
  let made = 0;

  async function cached(as: string): Promise<string> {
    const known = tokens.get(as) ?? (await harness.token(as, as === 'watcher' ? [STATUS] : as === 'kiosk' ? [ENROL] : ALL));
    tokens.set(as, known);
    return known;
  }

  const harness: EnrolmentHarness = {
    ...t,
    secrets,
    async token(clientId = 'shop', scopes = ALL) {
      const response = await fetch(t.url('/token'), {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secrets.get(clientId) ?? secretOf(clientId)}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: scopes.join(' '), resource: `${t.issuer}/api` }),
      });
      const body = (await response.json()) as { access_token: string };
      assert.equal(response.status, 200, JSON.stringify(body));
      return body.access_token;
    },
    async call(method, path, body, { as = 'shop', token, headers = {} } = {}) {
      const response = await fetch(t.url(path), {
        method,
        headers: { authorization: `Bearer ${token ?? (await cached(as))}`, ...(body !== undefined && typeof body !== 'string' && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
    },
    async account(as = 'shop', email = `guest${(made += 1)}@example.com`) {
      const answer = await harness.call('POST', '/api/accounts', { email }, { as });
      assert.equal(answer.status, 201, JSON.stringify(answer.json));
      return String(answer.json['account']);
    },
    async start(account, as = 'shop') {
      const answer = await harness.call('POST', '/omi/qr/enrol', { account }, { as });
      assert.equal(answer.status, 200, JSON.stringify(answer.json));
      return answer.json as never;
    },
    async status(enrolmentId, as = 'shop') {
      t.clock.advance(1000);
      return harness.call('GET', `/omi/qr/enrol/status?enrolmentId=${encodeURIComponent(enrolmentId)}`, undefined, { as });
    },
    async enrolled(account, as = 'shop', phoneOptions = {}) {
      const { enrolmentId, enrolmentUri } = await harness.start(account, as);
      const phone = harness.phone(phoneOptions);
      const { confirmCode: code } = await phone.enrol(enrolmentUri);
      const confirmed = await harness.call('POST', '/omi/qr/enrol/confirm', { enrolmentId, code }, { as });
      assert.equal(confirmed.status, 200, JSON.stringify(confirmed.json));
      return phone;
    },
    phone: ({ userVerifying = false } = {}) => createVirtualPhone({ issuer: t.issuer, clock: t.clock, userVerifying }),
  };
  return harness;
}

/** A problem (RFC 9457) of this code; returns the answer's members. */
export function assertProblem(answer: Answer, status: number, code: string): Record<string, unknown> {
  assert.equal(answer.status, status, JSON.stringify(answer.json));
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(answer.json['error'], code);
  assert.equal(answer.json['type'], `urn:tandem:error:${code}`);
  assert.equal(answer.json['status'], status);
  return answer.json;
}
