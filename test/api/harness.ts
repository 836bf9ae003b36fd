import assert from 'node:assert/strict';
import { accounts, admin, enrolment, qr, totp, type Feature } from '../../src/index.ts';
import { ADMIN_SCOPES } from '../../src/admin/api/scopes.ts';
import { ENROLMENT_SCOPE } from '../../src/devices/api/scopes.ts';
import { tokenRequest } from '../oidc/helpers.ts';
import type { TestDatabase } from '../support/databases.ts';
import { API, startTandem, TEST_CLIENTS, type TestTandem } from '../support/tandem.ts';

export const CREATE = 'accounts:create';
export const LIST = 'admin:clients:list';
export const HOST = { kind: 'host', id: 'test', authority: 'all' } as const;
export const FEATURES: readonly Feature[] = [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp(), enrolment(), admin()];

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly challenge: string;
  readonly json: Record<string, unknown>;
}

export interface ApiTandem extends TestTandem {
  /** The resource indicator of the provider's own API. */
  readonly resource: string;
  /** A token of client credentials; by default of `service`, with both scopes, for the API. */
  token(scope?: string, resource?: string): Promise<string>;
  /** A call with a token, or with these headers. */
  call(method: string, path: string, token?: string, init?: { body?: string | Buffer; headers?: Record<string, string> }): Promise<Answer>;
  /** `POST /api/accounts` for somebody new. */
  create(token?: string): Promise<Answer>;
  /** How many accounts there are. */
  accounts(): Promise<number>;
}

/** A provider whose own API takes tokens of this format, of clients with two of its scopes or all, and another resource server with the same scopes. */
export async function startApi(database: Pick<TestDatabase, 'open'>, format: 'opaque' | 'jwt', granted: 'two scopes' | 'all' = 'two scopes'): Promise<ApiTandem> {
  const scopes = granted === 'all' ? [...Object.keys(ADMIN_SCOPES), CREATE, ...Object.values(ENROLMENT_SCOPE)] : [CREATE, LIST];
  const tandem = await startTandem(database, {
    features: FEATURES,
    clients: (issuer) => {
      const tandem_resources = { [`${issuer}/api`]: scopes, [API]: [CREATE, LIST] };
      return [{ ...TEST_CLIENTS.rp, tandem_resources }, { ...TEST_CLIENTS.service, tandem_resources }];
    },
    tandem: { api: { format }, resources: { [API]: { scopes: { [CREATE]: 'make', [LIST]: 'list' }, format } } },
  });
  let made = 0;

  const harness: ApiTandem = {
    ...tandem,
    resource: `${tandem.issuer}/api`,
    async token(scope = `${CREATE} ${LIST}`, resource = harness.resource) {
      const { json } = await tokenRequest(tandem, 'service', { grant_type: 'client_credentials', scope, resource });
      assert.ok(json['access_token'], JSON.stringify(json));
      return json['access_token'] as string;
    },
    async call(method, path, token, { body, headers = {} } = {}) {
      const response = await fetch(tandem.url(path), { method, headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers }, ...(body !== undefined && { body }) });
      const text = await response.text();
      return { status: response.status, headers: response.headers, challenge: response.headers.get('www-authenticate') ?? '', json: text ? (JSON.parse(text) as Record<string, unknown>) : {} };
    },
    create: (token) => harness.call('POST', '/api/accounts', token, { body: JSON.stringify({ email: `made${(made += 1)}@example.com` }), headers: { 'content-type': 'application/json' } }),
    async accounts() {
      const [{ count }] = (await tandem.knex('tandem_accounts').count({ count: '*' })) as [{ count: number | string }];
      return Number(count);
    },
  };
  return harness;
}

/** Asserts that an answer is problem details (RFC 9457) of this code; returns its members. */
export function assertProblem(answer: Answer, status: number, code: string): Record<string, unknown> {
  const { json, headers } = answer;
  assert.equal(answer.status, status, JSON.stringify(json));
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.deepEqual([json['type'], json['status'], json['error']], [`urn:tandem:error:${code}`, status, code]);
  assert.deepEqual([typeof json['title'], json['detail']], ['string', json['error_description']]);
  return json;
}

/** An operation as the document tells of it. */
export interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  security: Array<Record<string, string[]>>;
  parameters?: Array<{ name: string; in: string; required?: boolean; schema: Schema }>;
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, { $ref?: string; description?: string; content?: Record<string, { schema: Schema; example?: unknown }> }>;
}
export type Schema = Record<string, unknown>;
export interface Flow { tokenUrl: string; authorizationUrl?: string; scopes: Record<string, string> }
export interface Document {
  openapi: string;
  servers: Array<{ url: string }>;
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, { flows?: Record<string, Flow> }>; schemas: Record<string, Schema>; responses: Record<string, unknown> };
}

export interface DocumentedOperation {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
  readonly scope: string;
}

export const operationsOf = ({ paths }: Document): DocumentedOperation[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation, scope: operation.security[0]!['client']![0]! })));
