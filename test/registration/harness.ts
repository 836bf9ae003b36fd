import { accounts, admin, type Actor, type RegistrationPolicy } from '../../src/index.ts';
import type { TestDatabase } from '../support/databases.ts';
import { startTandem, type TestTandem, type TestTandemOptions } from '../support/tandem.ts';

export const HOST: Actor = { kind: 'host', id: 'tests', authority: 'all' };
export const REDIRECT = 'https://shop.example/cb';

/** What the provider answers, as it comes. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- a wrong shape fails the test by itself
}

/** A provider at which clients register themselves. */
export async function startRegistration(database: Pick<TestDatabase, 'open'>, options: TestTandemOptions = {}) {
  const tandem: TestTandem = await startTandem(database, { features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), admin()], ...options });
  const { registrationTokens } = tandem.t.admin!;

  async function send(method: string, url: string, token?: string, body?: unknown): Promise<Answer> {
    const response = await fetch(url, {
      method,
      headers: { Accept: 'application/json', ...(token !== undefined && { Authorization: `Bearer ${token}` }), ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: text === '' ? {} : (JSON.parse(text) as Answer['json']) };
  }

  const tokenFor = async (policy: RegistrationPolicy = {}): Promise<string> => (await registrationTokens.create({ policy }, HOST)).value;
  const register = (token: string | undefined, metadata: object = { redirect_uris: [REDIRECT] }) => send('POST', tandem.url('/reg'), token, metadata);

  return {
    tandem,
    registrationTokens,
    send,
    tokenFor,
    register,
    /** A client that has registered itself. */
    async registered(policy: RegistrationPolicy = {}, metadata: object = { redirect_uris: [REDIRECT] }): Promise<Answer['json']> {
      const { status, json } = await register(await tokenFor(policy), metadata);
      if (status !== 201) throw new Error(JSON.stringify(json));
      return json;
    },
    read: (client: Answer['json']) => send('GET', client['registration_client_uri'] as string, client['registration_access_token'] as string),
    update: (client: Answer['json'], metadata: object) =>
      send('PUT', client['registration_client_uri'] as string, client['registration_access_token'] as string, { client_id: client['client_id'], ...metadata }),
    remove: (client: Answer['json']) => send('DELETE', client['registration_client_uri'] as string, client['registration_access_token'] as string),
    /** The events of a name, newest first. */
    events: async (name: string) => (await tandem.t.audit.list({ name })).events,
    /** A token of client credentials. */
    async credentials(id: string, secret: string, more: Record<string, string> = {}) {
      const headers = { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
      const response = await fetch(tandem.url('/token'), { method: 'POST', headers, body: new URLSearchParams({ grant_type: 'client_credentials', ...more }) });
      return { status: response.status, json: (await response.json()) as Answer['json'] };
    },
  };
}
