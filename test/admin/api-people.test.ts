import assert from 'node:assert/strict';
import { signedInBrowser } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { addPhone, withAdmin, type AdminTandem } from './harness.ts';

onEachDatabase('accounts, phones, keys and the audit log by the admin API', (database) => {
  let tandem: AdminTandem;
  withAdmin(database, (started) => void (tandem = started));

  const call: AdminTandem['call'] = (...given) => tandem.call(...given);
  const accounts = '/api/admin/accounts';

  it('makes, finds and lists accounts', async () => {
    const made = await call('POST', accounts, { body: { email: 'Ada@Example.com', name: 'Ada', locale: 'de' } });
    assert.equal(made.status, 201, made.text);
    assert.equal((await tandem.t.accounts!.verifyPassword('ada@example.com', made.json.password)).id, made.json.id);
    const { password: _password, ...rest } = made.json;
    assert.deepEqual((await call('GET', `${accounts}/${made.json.id}`)).json, rest);
    assert.deepEqual([rest.email, rest.name, rest.admin, rest.has_password, rest.phones, rest.authenticators], ['Ada@Example.com', 'Ada', false, true, 0, 0]);
    assert.deepEqual((await call('GET', `${accounts}?search=ADA@&admin=false`)).json.accounts, [rest]);
    assert.deepEqual((await call('GET', `${accounts}?search=ada@&admin=true`)).json.accounts, []);
    assert.equal((await call('POST', accounts, { body: { email: 'ada@example.com' } })).json.error, 'email_taken');
    assert.equal((await call('POST', accounts, { body: { email: 'bob@example.com', password: 'password' } })).json.error, 'weak_password');
    assert.equal((await call('POST', accounts, { body: { email: 'bob@example.com', exempt: true } })).json.error, 'invalid_request');
    assert.equal((await call('GET', `${accounts}/nobody`)).status, 404);
    assert.equal((await call('GET', '/api/admin/clients/nobody/accounts')).status, 404, 'whom no client looks after');
    assert.equal((await call('GET', `${accounts}?admin=perhaps`)).status, 400);
    const [created] = (await call('GET', `/api/admin/audit?account_id=${rest.id}&name=account.created`)).json.events;
    assert.deepEqual([created.client_id, created.data.actor], ['root', { kind: 'client', id: 'root' }]);
  });

  it('lists and locks out phones, and resets a second factor', async () => {
    const person = await tandem.registerAccount();
    const phone = await addPhone(tandem, await signedInBrowser(tandem, person));
    const { devices } = (await call('GET', `${accounts}/${person.accountId}/devices`)).json;
    assert.equal(devices.length, 1);
    assert.deepEqual([devices[0].account_id, devices[0].user_verifying, devices[0].level], [person.accountId, true, 1]);
    assert.ok(Date.parse(devices[0].capped_until) > tandem.clock());
    assert.ok(!/kid|key|credential/.test(Object.keys(devices[0]).join()));
    assert.equal((await call('POST', `/api/admin/devices/${devices[0].id}/revoke`, { body: { reason: 'stolen' } })).status, 400);
    assert.equal((await call('POST', `/api/admin/devices/${devices[0].id}/revoke`, { body: {} })).status, 400);
    assert.equal((await call('POST', `/api/admin/devices/${devices[0].id}/revoke`, { body: { reason: 'lost' } })).json.id, devices[0].id);
    assert.equal((await phone.status()).state, 'revoked');
    assert.equal((await call('POST', `/api/admin/devices/${devices[0].id}/revoke`, { body: { reason: 'lost' } })).status, 404);

    await addPhone(tandem, await signedInBrowser(tandem, person));
    const one = (await call('GET', `${accounts}/${person.accountId}`)).json;
    assert.equal(one.phones, 1, 'of two, one is locked out');
    assert.deepEqual((await call('GET', `${accounts}?search=${person.email}`)).json.accounts, [one]);
    const reset = `${accounts}/${person.accountId}/second-factor/reset`;
    assert.equal((await call('POST', reset, { body: { keep_phones: true } })).json.phones, 0);
    assert.deepEqual((await call('POST', reset, { body: {} })).json, { account_id: person.accountId, authenticators: 0, phones: 1, recovery_codes: 0 });
    assert.deepEqual((await call('GET', `${accounts}/${person.accountId}/devices`)).json.devices, []);
    assert.equal((await call('POST', `${accounts}/nobody/second-factor/reset`, { body: {} })).status, 404);
  });

  it('lists and rotates the keys of the provider', async () => {
    const { keys } = (await call('GET', '/api/admin/keys')).json;
    assert.ok(keys.some(({ state }: { state: string }) => state === 'active') && keys.some(({ state }: { state: string }) => state === 'next'));
    assert.ok(keys.every((key: object) => Object.keys(key).sort().join() === 'activated_at,activates_at,created_at,ends_at,kid,purpose,retired_at,state'));
    const rotated = await call('POST', '/api/admin/keys/rotate', { body: { now: true } });
    assert.equal(rotated.status, 200, rotated.text);
    assert.ok(Date.parse(rotated.json.activates_at) <= tandem.clock());
    const [scheduled] = (await call('GET', '/api/admin/audit?name=keys.rotation_scheduled')).json.events;
    assert.deepEqual(scheduled.data.actor, { kind: 'client', id: 'root' });
  });

  it('reads the audit log with filters, in pages', async () => {
    const start = new Date(tandem.clock()).toISOString();
    tandem.clock.advance(1000);
    const people = [];
    for (let made = 0; made < 3; made += 1) people.push((await tandem.registerAccount()).accountId);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { json } = await call('GET', `/api/admin/audit?name=account.*&since=${start}&limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      seen.push(...json.events.map(({ account_id: id }: { account_id: string }) => id));
      cursor = json.next_cursor;
    } while (cursor !== undefined);
    assert.deepEqual(seen, people.toReversed());
    assert.deepEqual((await call('GET', `/api/admin/audit?account_id=${people[0]}&until=${start}`)).json.events, []);
    for (const query of ['since=yesterday', 'cursor=x', 'limit=0', 'name=a&name=b']) assert.equal((await call('GET', `/api/admin/audit?${query}`)).status, 400, query);
  });
});
