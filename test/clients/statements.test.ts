import assert from 'node:assert/strict';
import { ALL, startEnrolment, type EnrolmentHarness } from '../enrolment/harness.ts';
import { HOST } from '../admin/harness.ts';
import { onEachDatabase } from '../support/databases.ts';
import { itWhere } from '../support/skip.ts';
import { watchStatements } from '../support/work.ts';

const NOTES = 'https://notes.example.com';

onEachDatabase('what a request of a client in the database asks of it', (database) => {
  const where = [database.name === 'sqlite', 'statements are counted on SQLite'] as const;
  const watched = watchStatements(database);

  async function start(format: 'opaque' | 'jwt') {
    const t = await startEnrolment(watched, { tandem: { api: { format } } });
    const { admin } = t.t;
    await admin!.resources.create({ identifier: NOTES, scopes: [{ name: 'read', description: { en: 'Read notes' }, level: 1 }] }, HOST);
    const { client, secret } = await admin!.clients.create({
      client_name: 'Backend', grant_types: ['client_credentials'], response_types: [], redirect_uris: [],
      tandem_resources: { [`${t.issuer}/api`]: [...ALL, 'admin:accounts:list', 'admin:resource-servers:list'], [NOTES]: ['read'] },
    }, HOST);
    const headers = { authorization: `Basic ${Buffer.from(`${client.clientId}:${secret!.value}`).toString('base64')}` };
    const post = async (path: string, fields: Record<string, string>) => (await fetch(t.url(path), { method: 'POST', headers, body: new URLSearchParams(fields) })).json() as Promise<Record<string, unknown>>;
    const tokenFor = async (resource: string, scope: string) => String((await post('/token', { grant_type: 'client_credentials', resource, scope }))['access_token']);
    const token = await tokenFor(`${t.issuer}/api`, [...ALL, 'admin:accounts:list', 'admin:resource-servers:list'].join(' '));
    return { t, post, tokenFor, clientId: client.clientId, call: (method: string, path: string, body?: unknown) => t.call(method, path, body, { token }) };
  }

  /** How often a request asks for the client, and how much in all. */
  async function cost(work: () => Promise<unknown>) {
    const statements = await watched.during(work);
    return { client: statements.filter((sql) => sql.includes('from tandem_clients')).length, all: statements.length };
  }

  async function polled({ call, t }: Awaited<ReturnType<typeof start>>) {
    const { json: made } = await call('POST', '/api/accounts', { email: 'guest@example.com' });
    const { json: { enrolmentId } } = await call('POST', '/omi/qr/enrol', { account: made['account'] });
    const poll = async () => {
      t.clock.advance(1000);
      const answer = await call('GET', `/omi/qr/enrol/status?enrolmentId=${String(enrolmentId)}`);
      assert.equal(answer.json['status'], 'pending', JSON.stringify(answer.json));
    };
    await poll();
    return poll;
  }

  const end = async (t: EnrolmentHarness) => {
    assert.deepEqual(t.errors, []);
    await t.close();
  };

  itWhere(...where, 'the client once, with opaque tokens', async () => {
    const s = await start('opaque');
    const { t, post, tokenFor, call } = s;
    const token = await tokenFor(NOTES, 'read');
    assert.deepEqual(await cost(() => tokenFor(NOTES, 'read')), { client: 1, all: 2 }, 'client credentials');
    assert.deepEqual(await cost(() => post('/token/introspection', { token })), { client: 1, all: 4 }, 'introspection');
    assert.deepEqual(await cost(() => call('GET', '/api/admin/resource-servers')), { client: 1, all: 5 }, 'a call of the own API');
    assert.deepEqual(await cost(await polled(s)), { client: 1, all: 4 }, 'a status poll');
    await end(t);
  });

  itWhere(...where, 'the client once, with JWTs', async () => {
    const s = await start('jwt');
    const { t, call } = s;
    assert.deepEqual(await cost(() => call('GET', '/api/admin/resource-servers')), { client: 1, all: 3 }, 'a call of the own API');
    assert.deepEqual(await cost(await polled(s)), { client: 1, all: 2 }, 'a status poll');
    await t.account('shop');
    await t.account('shop');
    const managed = await watched.during(() => t.t.admin!.accounts.managedBy('shop'));
    assert.equal(managed.length, 1, 'the accounts of a client of the configuration');
    const { json: made } = await call('POST', '/api/accounts', { email: 'another@example.com' });
    assert.equal(typeof made['account'], 'string');
    assert.deepEqual(await cost(() => t.t.admin!.accounts.managedBy(s.clientId)), { client: 1, all: 2 }, 'the accounts of a client of the registry');
    assert.equal((await watched.during(() => t.t.admin!.resources.usedBy(NOTES, 'read'))).length, 1, 'who holds a scope');
    await t.registerAccount();
    assert.deepEqual(await cost(() => call('GET', '/api/admin/accounts')), { client: 1, all: 2 }, 'a list of accounts');
    await end(t);
  });
});
