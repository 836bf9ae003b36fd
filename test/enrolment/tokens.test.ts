import assert from 'node:assert/strict';
import { accounts, admin, enrolment, qr } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { ALL, assertProblem, CREATE, ENROL, startEnrolment, STATUS, type EnrolmentHarness } from './harness.ts';

const actor = { kind: 'host', id: 'test', authority: 'all' } as const;

onEachDatabase('access tokens for the enrolment API', (database) => {
  for (const format of ['opaque', 'jwt'] as const) {
    describe(`as ${format}`, () => {
      let t: EnrolmentHarness;
      before(async () => {
        t = await startEnrolment(database, { tandem: { api: { format } } });
      });
      after(() => t.close());
      afterEach(() => assert.deepEqual(t.errors, []));

      async function tokenOf(clientId: string, secret: string, parameters: Record<string, string> = {}): Promise<string> {
        const response = await fetch(t.url('/token'), {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` },
          body: new URLSearchParams({ grant_type: 'client_credentials', scope: ALL.join(' '), resource: `${t.issuer}/api`, ...parameters }),
        });
        const body = (await response.json()) as { access_token: string };
        assert.equal(response.status, 200, JSON.stringify(body));
        return body.access_token;
      }

      it('do the whole enrolment', async () => {
        assert.equal((await t.token()).split('.').length, format === 'jwt' ? 3 : 1);
        const phone = await t.enrolled(await t.account());
        assert.equal((await phone.status()).state, 'active');
      });

      it('are worth what the client may do now, not when they were made', async () => {
        const { client, secret } = await t.t.admin!.clients.create(
          { client_name: 'Backend', grant_types: ['client_credentials'], response_types: [], redirect_uris: [], tandem_resources: { [`${t.issuer}/api`]: ALL } },
          actor,
        );
        const token = await tokenOf(client.clientId, secret!.value);
        const create = (email: string) => t.call('POST', '/api/accounts', { email }, { token });
        const made = await create(`kept-${format}@example.com`);
        assert.equal(made.status, 201, JSON.stringify(made.json));
        await t.t.admin!.clients.update(client.clientId, { tandem_resources: { [`${t.issuer}/api`]: [ENROL, STATUS] } }, actor);
        const refused = assertProblem(await create(`gone-${format}@example.com`), 403, 'insufficient_scope');
        assert.equal(refused['scope'], CREATE);
        assert.equal((await t.call('POST', '/omi/qr/enrol', { account: made.json['account'] }, { token })).status, 200);

        await t.t.admin!.clients.remove(client.clientId, actor);
        assertProblem(await t.call('POST', '/omi/qr/enrol', { account: made.json['account'] }, { token }), 401, 'invalid_token');
        assert.equal((await t.knex('tandem_managed_accounts').where({ client_id: client.clientId })).length, 0);
      });

      it('are refused for another audience, and changed by anybody', async () => {
        const other = await tokenOf('service', 'service-secret-service-secret-service', { scope: 'read', resource: 'https://api.example.com' });
        assertProblem(await t.call('POST', '/api/accounts', { email: 'a@example.com' }, { token: other }), 401, 'invalid_token');
        const token = await t.token();
        assertProblem(await t.call('POST', '/api/accounts', { email: 'a@example.com' }, { token: `${token.slice(0, -3)}AAA` }), 401, 'invalid_token');
      });
    });
  }

  it('are made for no scope of a part that is off', async () => {
    const t = await startEnrolment(database, { features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), enrolment(), admin()] });
    const token = await t.token('shop', [CREATE]);
    assert.equal((await t.call('POST', '/api/accounts', { email: 'alone@example.com' }, { token })).status, 201);
    assert.equal((await t.call('POST', '/omi/qr/enrol', { account: 'x' }, { token })).status, 404);
    await t.close();
  });

  it('serve a host whose accounts are its own', async () => {
    const people = new Map([['person-1', 'one@example.com']]);
    const find = async (accountId: string) => (people.has(accountId) ? { accountId, label: people.get(accountId)!, name: undefined } : undefined);
    const t = await startEnrolment(database, { features: [qr({ accounts: { find } }), enrolment(), admin()] });
    const { subject } = await t.t.admin!.accounts.giveTo('shop', 'person-1', actor);
    assert.equal(subject, 'person-1', 'its subjects are public');
    const token = await t.token('shop', [ENROL, STATUS]);
    const started = await t.call('POST', '/omi/qr/enrol', { account: subject }, { token });
    assert.equal(started.status, 200, JSON.stringify(started.json));
    const { confirmCode: code } = await t.phone().enrol(String(started.json['enrolmentUri']));
    assert.equal((await t.call('POST', '/omi/qr/enrol/confirm', { enrolmentId: started.json['enrolmentId'], code }, { token })).json['status'], 'enrolled');
    assertProblem(await t.call('POST', '/omi/qr/enrol', { account: 'person-2' }, { token }), 404, 'not_found');
    assert.equal((await t.call('POST', '/api/accounts', { email: 'x@example.com' }, { token })).status, 404);
    await t.close();
  });
});
