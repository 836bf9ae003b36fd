import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { API } from '../support/tandem.ts';
import { HOST, REDIRECT, startRegistration, type Answer } from './harness.ts';

const count = (answers: readonly Answer[], status: number) => answers.filter((answer) => answer.status === status).length;

onEachDatabase('attacks on registration', (database) => {
  let site: Awaited<ReturnType<typeof startRegistration>>;
  before('start', async () => {
    site = await startRegistration(database);
  });
  after('stop', () => {
    assert.deepEqual(site.tandem.errors, []);
    return site.tandem.close();
  });

  const clients = async (): Promise<number> => (await site.tandem.knex('tandem_clients')).length as number;

  async function refusedToken(value: string | undefined) {
    const before = await clients();
    const { status, headers, json } = await site.register(value);
    assert.deepEqual([status, json['error']], [401, 'invalid_token'], JSON.stringify(json));
    assert.match(headers.get('www-authenticate') ?? '', /^Bearer /);
    assert.equal(await clients(), before);
  }

  it('refuses registrations without a token, and with one that there is not', async () => {
    await refusedToken(undefined);
    await refusedToken('x'.repeat(43));
  });

  it('refuses a token that was used, is revoked, or has expired', async () => {
    const used = await site.tokenFor();
    assert.equal((await site.register(used)).status, 201);
    await refusedToken(used);

    const revoked = await site.registrationTokens.create({}, HOST);
    await site.registrationTokens.revoke(revoked.token.id, HOST);
    await refusedToken(revoked.value);

    const expired = await site.registrationTokens.create({ expiresIn: 60 }, HOST);
    site.tandem.clock.advance(60_000);
    await refusedToken(expired.value);
  });

  it('refuses a registration access token in the place of an initial one', async () => {
    await refusedToken((await site.registered())['registration_access_token'] as string);
  });

  it('makes exactly one client of a hundred registrations at once', async () => {
    const [value, before] = [await site.tokenFor(), await clients()];
    const answers = await Promise.all(Array.from({ length: 100 }, () => site.register(value)));
    assert.deepEqual([count(answers, 201), count(answers, 401)], [1, 99]);
    assert.equal(await clients(), before + 1);
    const { tokens } = await site.registrationTokens.list({ limit: 1 });
    assert.deepEqual([tokens[0]!.state, tokens[0]!.clientId], ['used', answers.find(({ status }) => status === 201)!.json['client_id']]);
  });

  it('gives the token back where the registration is refused', async () => {
    const value = await site.tokenFor({ metadata: { tandem_resources: { [API]: ['read'] } } });
    for (const bad of [{ redirect_uris: ['nonsense'] }, { redirect_uris: ['http://shop.example/cb'] }, { redirect_uris: REDIRECT }, { redirect_uris: [REDIRECT], tandem_level: 1 }, { redirect_uris: [REDIRECT], client_name: 'Sh\u202Eop' }, [], '{', '7']) {
      const { status, json } = await site.register(value, bad as object);
      assert.equal(status, 400, JSON.stringify(bad));
      assert.ok(['invalid_redirect_uri', 'invalid_client_metadata', 'invalid_request'].includes(json['error'] as string), json['error'] as string);
    }
    assert.equal((await site.register(value)).status, 201);
  });

  it('refuses a body of another type, or too large, and keeps the token', async () => {
    const value = await site.tokenFor();
    const send = (type: string, body: string) => fetch(site.tandem.url('/reg'), { method: 'POST', headers: { Authorization: `Bearer ${value}`, 'Content-Type': type }, body });
    assert.equal((await send('text/plain', '{}')).status, 400);
    assert.equal((await send('application/json', JSON.stringify({ redirect_uris: [REDIRECT], client_name: 'x'.repeat(100_000) }))).status, 400);
    assert.equal((await site.register(value)).status, 201);
  });

  for (const [key, value] of Object.entries({ tandem_attributes: ['email'], tandem_confirm: 'auto', tandem_consent: 'implicit', tandem_event_stream: { delivery: 'poll', events: ['x'] }, tandem_introspects: [API], tandem_level: 1, tandem_resources: { [API]: ['write'] }, tandem_sector: 'house' })) {
    it(`lets no client give itself ${key}, at its registration or later`, async () => {
      const policy = { metadata: { tandem_resources: { [API]: ['read'] }, tandem_level: 2 as const } };
      const refused = await site.register(await site.tokenFor(policy), { redirect_uris: [REDIRECT], [key]: value });
      assert.deepEqual([refused.status, refused.json['error']], [400, 'invalid_client_metadata']);
      const client = await site.registered(policy);
      const update = await site.update(client, { redirect_uris: [REDIRECT], [key]: value });
      assert.deepEqual([update.status, update.json['error']], [400, 'invalid_client_metadata']);
      const { metadata } = await site.tandem.t.admin!.clients.get(client['client_id'] as string);
      assert.deepEqual([metadata['tandem_resources'], metadata['tandem_level'], metadata[key] ?? null], [{ [API]: ['read'] }, 2, (policy.metadata as Record<string, unknown>)[key] ?? null]);
    });
  }

  it('keeps what was given where an update leaves it out', async () => {
    const client = await site.registered({ metadata: { tandem_resources: { [API]: ['read'] }, tandem_level: 2 } });
    const { json } = await site.update(client, { redirect_uris: [REDIRECT] });
    assert.deepEqual([json['tandem_resources'], json['tandem_level']], [{ [API]: ['read'] }, 2]);
  });

  it('does not give back what an administrator has taken', async () => {
    const client = await site.registered({ metadata: { tandem_resources: { [API]: ['read'] } } });
    await site.tandem.t.admin!.clients.update(client['client_id'] as string, { tandem_resources: null }, HOST);
    assert.equal((await site.update(client, { redirect_uris: [REDIRECT] })).json['tandem_resources'], undefined);
  });

  it('lets no client reach another by its own token, which ends with the attempt', async () => {
    const [one, other] = [await site.registered(), await site.registered()];
    const before = await site.tandem.t.admin!.clients.get(other['client_id'] as string);
    const foreign = { ...other, registration_access_token: one['registration_access_token'] as string };
    assert.equal((await site.update(foreign, { redirect_uris: ['https://evil.example/cb'] })).status, 401);
    assert.equal((await site.remove(foreign)).status, 401);
    assert.equal((await site.read(one)).status, 401);
    assert.deepEqual(await site.tandem.t.admin!.clients.get(other['client_id'] as string), before);
    assert.equal((await site.read(other)).status, 200);
  });

  it('reaches no client of an administrator, nor one of the configuration', async () => {
    const { client } = await site.tandem.t.admin!.clients.create({ redirect_uris: [REDIRECT] }, HOST);
    for (const id of [client.clientId, 'rp', 'nobody', '%00', '..%2F..']) {
      const own = await site.registered();
      const { status, json } = await site.read({ ...own, registration_client_uri: site.tandem.url(`/reg/${id}`) });
      assert.deepEqual([status, json['error']], [401, 'invalid_token'], id);
    }
  });

  it('ends with its client', async () => {
    const client = await site.registered();
    await site.tandem.t.admin!.clients.remove(client['client_id'] as string, HOST);
    assert.equal((await site.read(client)).status, 401);
    assert.equal((await site.update(client, { redirect_uris: [REDIRECT] })).status, 401);
  });

  it('gives the next token to exactly one of a hundred updates at once', async () => {
    const client = await site.registered();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => site.update(client, { redirect_uris: [REDIRECT], client_name: `Shop ${n}` })));
    assert.deepEqual(answers.filter(({ status }) => ![200, 400, 401].includes(status)), []);
    assert.equal(count(answers, 200), 1);
    const live = [];
    for (const { json } of answers) if (json['registration_access_token']) live.push((await site.read({ ...client, ...json })).status);
    assert.deepEqual(live, [200]);
  });

  it('cannot take a member of its own for another', async () => {
    const client = await site.registered();
    for (const forbidden of ['registration_access_token', 'registration_client_uri', 'client_secret_expires_at', 'client_id_issued_at']) {
      assert.equal((await site.update(client, { redirect_uris: [REDIRECT], [forbidden]: client[forbidden] as unknown })).status, 400, forbidden);
    }
    assert.equal((await site.update(client, { redirect_uris: [REDIRECT], client_id: 'rp' })).status, 400);
    const { json } = await site.register(await site.tokenFor(), { redirect_uris: [REDIRECT], client_id: 'rp', client_secret: 'chosen by the client', client_id_issued_at: 1 });
    assert.ok(json['client_id'] !== 'rp' && json['client_secret'] !== 'chosen by the client' && json['client_id_issued_at'] !== 1);
  });

  it('gets no method or algorithm that would need the secret itself', async () => {
    for (const metadata of [{ token_endpoint_auth_method: 'client_secret_jwt' }, { id_token_signed_response_alg: 'HS256' }]) {
      const { status, json } = await site.register(await site.tokenFor(), { redirect_uris: [REDIRECT], ...metadata });
      assert.deepEqual([status, json['error']], [400, 'invalid_client_metadata']);
    }
  });

  it('refuses metadata that is nested without end, and URIs that are read in two ways', async () => {
    const value = await site.tokenFor({ redirectHosts: ['shop.example'] });
    for (const nested of ['['.repeat(9000) + ']'.repeat(9000), `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`]) {
      for (const member of ['jwks', 'contacts', 'nobody_knows_it']) {
        const { status, json } = await site.register(value, `{"redirect_uris":["${REDIRECT}"],"${member}":${nested}}` as never);
        assert.deepEqual([status, json['error']], [400, 'invalid_client_metadata'], member);
      }
    }
    for (const uri of ['https://shop.exa\tmple/cb', 'https://shop.example/\ncb', ' https://shop.example/cb', 'https://shop.example\\@evil.example/cb', 'https://shop.example/cb\u0000']) {
      const { status, json } = await site.register(value, { redirect_uris: [uri] });
      assert.deepEqual([status, json['error']], [400, 'invalid_redirect_uri'], JSON.stringify(uri));
    }
    assert.equal((await site.register(value)).status, 201);
  });

  it('makes no client again of one that is deleted while it changes itself', async () => {
    for (let index = 0; index < 20; index += 1) {
      const client = await site.registered();
      const updating = site.update(client, { redirect_uris: [REDIRECT], client_name: `Shop ${index}` });
      await new Promise((resolve) => setTimeout(resolve, index));
      await site.tandem.t.admin!.clients.remove(client['client_id'] as string, HOST);
      const update = await updating;
      assert.ok([200, 400, 401].includes(update.status), JSON.stringify(update.json));
      assert.equal(await site.tandem.t.admin!.clients.exists(client['client_id'] as string), false);
    }
  });
});
