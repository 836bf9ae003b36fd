import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { commandLine, type CommandLine, type Json } from './calls.ts';
import { run, type Program } from './program.ts';

onEachDatabase('the command line beside a running server', (database) => {
  let tandem: CommandLine;
  let server: Program;
  let issuer: string;
  let client: Json;

  before(async function () {
    this.timeout(120_000);
    const url = await database.url();
    const { env } = commandLine(url);
    server = run(['start'], { ...env, PORT: '0', DEMO: 'false' });
    ({ issuer } = await server.ready());
    tandem = commandLine(url, { ...env, ISSUER: issuer });
  });
  after(async () => {
    server.kill('SIGTERM');
    await server.ended();
  });

  async function token({ client_id: id, client_secret: secret }: Json, scope: string): Promise<Response> {
    return fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${issuer}/api`, scope }),
    });
  }

  /** Asks the admin API as the client that the command line made. */
  async function api(path: string, scope: string): Promise<Json> {
    const { access_token: bearer } = (await (await token(client, scope)).json()) as Json;
    const answer = await fetch(`${issuer}/api/admin${path}`, { headers: { authorization: `Bearer ${bearer}` } });
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body;
  }

  it('makes a client that gets a token at once', async () => {
    client = await tandem.call('clients', 'create', '--name', 'Robot', '--grant-type', 'client_credentials', '--scope', 'api=admin:*');
    const { status } = await token(client, 'admin:clients:list');
    assert.equal(status, 200);
  });

  it('answers as the admin API does', async () => {
    await tandem.call('resource-servers', 'create', 'https://api.example.com', '--scope', 'read=Read your notes');
    await tandem.call('registration-tokens', 'create', '--label', 'For a shop', '--redirect-host', 'shop.example', '--scope', 'openid');
    await tandem.call('accounts', 'create', 'ada@example.com', '--name', 'Ada', '--admin');
    const { client_id: id } = client;
    const same: Array<[command: string[], path: string, scope: string]> = [
      [['clients', 'list'], '/clients', 'admin:clients:list'],
      [['clients', 'show', id], `/clients/${id}`, 'admin:clients:read'],
      [['resource-servers', 'list'], '/resource-servers', 'admin:resource-servers:list'],
      [['scopes', 'used-by', 'api'], `/resource-servers/${encodeURIComponent(`${issuer}/api`)}/used-by`, 'admin:resource-servers:used-by'],
      [['registration-tokens', 'list'], '/registration-tokens', 'admin:registration-tokens:list'],
      [['accounts', 'list'], '/accounts', 'admin:accounts:list'],
      [['accounts', 'show', 'ada@example.com'], '/accounts/ada@example.com', 'admin:accounts:read'],
      [['accounts', 'devices', 'ada@example.com'], '/accounts/ada@example.com/devices', 'admin:devices:list'],
      [['clients', 'accounts', 'list', id], `/clients/${id}/accounts`, 'admin:managed-accounts:list'],
      [['keys', 'list'], '/keys', 'admin:keys:list'],
      [['audit', 'list', '--name', 'client.*'], '/audit?name=client.*', 'admin:audit:list'],
    ];
    for (const [command, path, scope] of same) assert.deepEqual(await tandem.call(...command), await api(path, scope), command.join(' '));
  });

  it('takes a right away, a secret and the client, which count no more at once', async () => {
    const held = (await (await token(client, 'admin:keys:list')).json()) as Json;
    const keys = () => fetch(`${issuer}/api/admin/keys`, { headers: { authorization: `Bearer ${held.access_token}` } });
    assert.equal((await keys()).status, 200);
    await tandem.call('clients', 'update', client.client_id, '--scope', 'api=admin:clients:list');
    await within(1_500, async () => assert.equal((await keys()).status, 403));

    const second = await tandem.call('clients', 'secrets', 'add', client.client_id, '--end-others-in', '0s');
    await within(1_500, async () => assert.equal((await token(client, 'admin:clients:list')).status, 401));
    client = { ...client, client_secret: second.client_secret };
    assert.equal((await token(client, 'admin:clients:list')).status, 200);

    await tandem.call('clients', 'delete', client.client_id, '--yes');
    await within(1_500, async () => assert.equal((await token(client, 'admin:clients:list')).status, 401));
  });

  it('makes a token by which a client registers itself', async () => {
    const made = await tandem.call('registration-tokens', 'create', '--redirect-host', 'shop.example', '--scope', 'openid', '--expires-in', '15m');
    const register = () => fetch(`${issuer}/reg`, {
      method: 'POST',
      headers: { authorization: `Bearer ${made.initial_access_token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Shop', redirect_uris: ['https://shop.example/callback'] }),
    });
    const answer = await register();
    const registered = (await answer.json()) as Json;
    assert.equal(answer.status, 201, JSON.stringify(registered));
    assert.equal((await register()).status, 401);
    const { registration_tokens: tokens } = await tandem.call('registration-tokens', 'list');
    assert.deepEqual(tokens.filter(({ id }: Json) => id === made.id).map((each: Json) => [each.state, each.client_id]), [['used', registered.client_id]]);
    assert.equal((await tandem.call('clients', 'show', registered.client_id)).origin, 'registration');
    assert.equal((await tandem.fail('registration-tokens', 'revoke', made.id)).error, 'conflict');
    const other = await tandem.call('registration-tokens', 'create', '--label', 'Mistake');
    assert.deepEqual(await tandem.call('registration-tokens', 'revoke', other.id), { id: other.id, revoked: true });
  });
});

/** Other processes notice within a second. */
async function within(milliseconds: number, check: () => Promise<void>): Promise<void> {
  const end = Date.now() + milliseconds;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
