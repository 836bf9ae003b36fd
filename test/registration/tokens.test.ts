import assert from 'node:assert/strict';
import { accounts, admin, type Actor, type InitialAccessToken, type RegistrationPolicy } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { API, startTandem } from '../support/tandem.ts';
import { HOST, REDIRECT, startRegistration } from './harness.ts';

onEachDatabase('registration tokens', (database) => {
  let site: Awaited<ReturnType<typeof startRegistration>>;
  before('start', async () => {
    site = await startRegistration(database);
  });
  after('stop', () => site.tandem.close());

  it('are told once, and listed with what became of them, the newest first', async () => {
    const { registrationTokens: tokens, tandem, register } = site;
    const [one, two, three] = [await tokens.create({ label: 'One' }, HOST), await tokens.create({ expiresIn: 60 }, HOST), await tokens.create({ expiresIn: 3600, policy: { scopes: ['openid'] } }, HOST)];
    assert.match(one.value, /^[\w-]{43}$/);
    assert.deepEqual([one.token.label, one.token.state, one.token.expiresAt - one.token.createdAt], ['One', 'open', 86_400_000]);
    const client = (await register(one.value)).json;
    await tokens.revoke(three.token.id, HOST);
    tandem.clock.advance(60_000);

    const found: InitialAccessToken[] = [];
    let cursor: string | undefined;
    do {
      const page = await tokens.list({ limit: 2, cursor });
      found.push(...page.tokens);
      cursor = page.cursor;
    } while (cursor !== undefined);
    const states = new Map(found.map(({ id, state, clientId }) => [id, [state, clientId]]));
    assert.deepEqual([one, two, three].map(({ token }) => states.get(token.id)), [['used', client['client_id']], ['expired', undefined], ['revoked', undefined]]);
    assert.ok(found.every(({ createdAt }, n) => n === 0 || createdAt <= found[n - 1]!.createdAt));
    assert.deepEqual(found.find(({ id }) => id === three.token.id)!.policy, { scopes: ['openid'] });
    assert.ok(!JSON.stringify(found).includes(two.value));
  });

  it('are made and revoked by somebody, in the audit log', async () => {
    const grace: Actor = { kind: 'account', id: 'grace', authority: 'all', address: '192.0.2.7' };
    const policy: RegistrationPolicy = { grantTypes: ['client_credentials'], metadata: { tandem_resources: { [API]: ['read'] } } };
    const { token, value } = await site.registrationTokens.create({ label: 'Till', policy }, grace);
    await site.registrationTokens.revoke(token.id, grace);
    await site.registrationTokens.revoke(token.id, grace);
    const [created] = await site.events('registration_token.created');
    assert.deepEqual(created!.data, { actor: { kind: 'account', id: 'grace' }, tokenId: token.id, label: 'Till', policy, expiresAt: token.expiresAt });
    assert.equal(created!.address, '192.0.2.7');
    const revoked = (await site.events('registration_token.revoked')).filter(({ data }) => data['tokenId'] === token.id);
    assert.deepEqual(revoked.map(({ data }) => data), [{ actor: { kind: 'account', id: 'grace' }, tokenId: token.id, label: 'Till' }]);
    assert.ok(!JSON.stringify(await site.tandem.knex('tandem_events')).includes(value));
  });

  it('cannot be revoked once used, nor where there is none', async () => {
    const { token, value } = await site.registrationTokens.create({}, HOST);
    await site.register(value);
    await assert.rejects(site.registrationTokens.revoke(token.id, HOST), { code: 'conflict' });
    await assert.rejects(site.registrationTokens.revoke('nobody', HOST), { code: 'not_found' });
  });

  it('hand on no scope of the provider itself that their maker does not have', async () => {
    const api = `${site.tandem.issuer}/api`;
    const policy = { metadata: { tandem_resources: { [api]: ['admin:clients:list', 'admin:clients:delete'] } } };
    const maker = (...scopes: string[]): Actor => ({ kind: 'client', id: 'maker', authority: new Set(scopes) });
    await assert.rejects(site.registrationTokens.create({ policy }, maker('admin:clients:list')), { code: 'insufficient_scope', extra: { scope: 'admin:clients:delete' } });
    await site.registrationTokens.create({ policy }, maker('admin:clients:list', 'admin:clients:delete'));
    await site.registrationTokens.create({ policy: { metadata: { tandem_resources: { [API]: ['read'] } } } }, maker());
  });

  for (const [what, input, field] of [
    ['too short a life', { expiresIn: 59 }, 'expires_in'],
    ['too long a life', { expiresIn: 30 * 86_400 + 1 }, 'expires_in'],
    ['half a second', { expiresIn: 60.5 }, 'expires_in'],
    ['a label that hides', { label: 'Sh\u202Eop' }, 'label'],
    ['a label that is too long', { label: 'x'.repeat(101) }, 'label'],
    ['a member that there is not', { policy: { grants: [] } }, 'policy'],
    ['no grant types', { policy: { grantTypes: [] } }, 'policy.grant_types'],
    ['a URL as a host', { policy: { redirectHosts: ['https://shop.example/'] } }, 'policy.redirect_hosts.0'],
    ['any host', { policy: { redirectHosts: ['*'] } }, 'policy.redirect_hosts.0'],
    ['any host below', { policy: { redirectHosts: ['*.'] } }, 'policy.redirect_hosts.0'],
    ['a star in the middle', { policy: { redirectHosts: ['www.*.example'] } }, 'policy.redirect_hosts.0'],
    ['a scope of two words', { policy: { scopes: ['openid email'] } }, 'policy.scopes.0'],
    ['metadata that no policy gives', { policy: { metadata: { tandem_consent: 'implicit' } } }, 'policy.metadata'],
    ['a level that there is not', { policy: { metadata: { tandem_level: 3 } } }, 'policy.metadata.tandem_level'],
    ['a scope that there is not', { policy: { metadata: { tandem_resources: { [API]: ['fly'] } } } }, 'policy.metadata.tandem_resources'],
  ] as const) {
    it(`are refused with ${what}`, async () => {
      await assert.rejects(site.registrationTokens.create(input as object, HOST), { code: 'invalid_request', extra: { field } });
    });
  }

  it('are listed by cursors and limits of ours alone', async () => {
    for (const page of [{ limit: 0 }, { limit: 201 }, { limit: 1.5 }, { cursor: 'x' }, { cursor: 'WzEsMl0' }]) await assert.rejects(site.registrationTokens.list(page), { code: 'invalid_request' });
  });

  it('are forgotten after 90 days, but for those that a client came of', async () => {
    const [used, unused] = [await site.registrationTokens.create({}, HOST), await site.registrationTokens.create({}, HOST)];
    const client = (await site.register(used.value)).json;
    site.tandem.clock.advance(92 * 86_400_000);
    await site.tandem.t.sweep();
    const ids = (await site.registrationTokens.list({ limit: 200 })).tokens.map(({ id }) => id);
    assert.deepEqual([ids.includes(used.token.id), ids.includes(unused.token.id)], [true, false]);
    assert.equal((await site.update(client, { redirect_uris: [REDIRECT], client_name: 'Still here' })).status, 200);
  });

  it('are of no use where registration is off', async () => {
    const tandem = await startTandem(database, { features: [accounts(), admin({ registration: false })] });
    try {
      await assert.rejects(tandem.t.admin!.registrationTokens.create({}, HOST), { code: 'conflict' });
      assert.equal((await fetch(tandem.url('/reg'), { method: 'POST' })).status, 404);
      assert.deepEqual((await tandem.t.admin!.registrationTokens.list()).tokens, []);
    } finally {
      await tandem.close();
    }
  });

  it('leave no room for a second way to register', async () => {
    const features = { registration: { enabled: true } };
    assert.throws(() => site.tandem.t.configure({ features }), /features\.registration clashes with Tandem/);
  });
});
