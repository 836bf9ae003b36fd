import assert from 'node:assert/strict';
import type { Knex } from 'knex';
import { Provider } from 'oidc-provider';
import { accounts, admin, qr, tandem, type AppError, type TandemOptions } from '../../src/index.ts';
import type { Metadata } from '../../src/clients/types.ts';
import type { Actor } from '../../src/lib/actor.ts';
import type { TestDatabase } from '../support/databases.ts';
import { API, startTandem, type TestTandem, type TestTandemOptions } from '../support/tandem.ts';

export const HOST: Actor = { kind: 'host', id: 'tests', authority: 'all' };

/** A client without people. */
export const SERVICE = {
  client_name: 'Backend',
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  tandem_resources: { [API]: ['read'] },
} satisfies Metadata;

export const CHEAP = { hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } };
export const startWithRegistry = (database: Pick<TestDatabase, 'open'>, options: TestTandemOptions = {}) =>
  startTandem(database, { features: [accounts(CHEAP), qr(), admin()], ...options });

/** A registry in another process on the same database, as a command line has it. */
export function anotherProcess({ knex, issuer, clock }: TestTandem, encryption: readonly string[], options: Partial<TandemOptions> = {}) {
  return async () => {
    const t = tandem({ db: knex, issuer, secrets: { encryption }, features: [accounts(CHEAP), admin()], resources: { [API]: { scopes: { read: 'read', write: 'write' } } }, clock, ...options });
    await t.migrate();
    t.attach(new Provider(issuer, t.configure()));
    return t;
  };
}

/** What the endpoint answers a client with a secret. */
export async function post(tandem: TestTandem, path: string, credentials: readonly [id: string, secret: string] | undefined, form: Record<string, string>) {
  const headers: Record<string, string> = credentials ? { Authorization: `Basic ${Buffer.from(credentials.join(':')).toString('base64')}` } : {};
  const response = await fetch(tandem.url(path), { method: 'POST', headers, body: new URLSearchParams(form) });
  const text = await response.text();
  return { status: response.status, json: (text ? JSON.parse(text) : {}) as Record<string, unknown> };
}

export const askToken = (tandem: TestTandem, id: string, secret: string, scope = 'read') =>
  post(tandem, '/token', [id, secret], { grant_type: 'client_credentials', resource: API, scope });

/** Whether a client gets a token by a secret. */
export async function works(tandem: TestTandem, id: string, secret: string): Promise<boolean> {
  const { status, json } = await askToken(tandem, id, secret);
  if (status !== 200) assert.deepEqual([status, json['error']], [401, 'invalid_client']);
  return status === 200;
}

/** Refused with this code, and of this field where it is given. */
export function refused(code: AppError['code'], field?: string) {
  return (error: unknown) => {
    const { code: found, extra, message } = error as AppError;
    assert.equal(found, code, String((error as Error).stack));
    if (field !== undefined) assert.equal(extra['field'], field, message);
    return true;
  };
}

/** All that is in the database, as text. */
export async function dump(knex: Knex): Promise<string> {
  const tables = ['tandem_clients', 'tandem_client_grants', 'tandem_events', 'tandem_oidc'];
  return JSON.stringify(await Promise.all(tables.map((table) => knex(table).select())));
}
