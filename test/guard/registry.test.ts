import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { protect, type GuardedState } from '../../src/index.ts';
import { HOST, post, startWithRegistry } from '../clients/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import type { TestTandem } from '../support/tandem.ts';

const BACKEND = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
const read = { name: 'orders:read', description: { en: 'Read orders' }, level: 1 } as const;
const write = { name: 'orders:write', description: { en: 'Change orders' }, level: 1 } as const;

/** Whoever knows of the provider no more than its issuer guards an API of the registry. */
onEachDatabase('an API in a Koa app of its own, for what is registered', (database) => {
  for (const format of ['opaque', 'jwt'] as const) {
    describe(`with ${format} tokens`, () => {
      const [audience, other] = [`https://${format}.shop.example`, 'https://other.shop.example'];
      let tandem: TestTandem;
      let caller: { id: string; secret: string };
      let server: ReturnType<typeof createServer>;
      let rotate: () => Promise<void>;
      /** Milliseconds that the clock of the API is put forward. */
      let ahead = 0;
      before('start', async () => {
        tandem = await startWithRegistry(database);
        const { clients, resources } = tandem.t.admin!;
        for (const identifier of [audience, other]) await resources.create({ identifier, format, ttl: 60, scopes: [read, write] }, HOST);
        const made = await clients.create({ ...BACKEND, tandem_resources: { [audience]: ['orders:read', 'orders:write'], [other]: ['orders:read'] } }, HOST);
        caller = { id: made.client.clientId, secret: made.secret!.value };
        // The API is a client of the registry, too.
        const api = await clients.create({ ...BACKEND, tandem_introspects: [audience] }, HOST);
        rotate = async () => void (await clients.addSecret(api.client.clientId, { endOthersIn: 3600 }, HOST));
        const app = new Koa<GuardedState>();
        app.use(protect({ issuer: tandem.issuer, audience, scopes: ['orders:read'], clock: () => Date.now() + ahead, introspection: { clientId: api.client.clientId, clientSecret: api.secret!.value } }));
        app.use((ctx) => void (ctx.body = { clientId: ctx.state.auth.clientId, scopes: ctx.state.auth.scopes }));
        server = createServer(app.callback() as RequestListener);
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      });
      after('stop', async () => {
        server.closeAllConnections();
        server.close();
        await tandem.close();
      });
      afterEach('without errors', () => assert.deepEqual(tandem.errors, []));

      const credentials = (): [string, string] => [caller.id, caller.secret];
      const token = async (scope = 'orders:read', resource = audience) => {
        const { status, json } = await post(tandem, '/token', credentials(), { grant_type: 'client_credentials', resource, scope });
        assert.equal(status, 200, JSON.stringify(json));
        return String(json['access_token']);
      };
      async function call(bearer?: string) {
        const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` } });
        return { status: response.status, challenge: response.headers.get('www-authenticate') ?? '', json: (await response.json()) as Record<string, unknown> };
      }
      const assertInvalid = async (bearer: string) => {
        const { status, challenge, json } = await call(bearer);
        assert.deepEqual([status, json['error']], [401, 'invalid_token']);
        assert.match(challenge, /^Bearer .*error="invalid_token"/);
      };

      it('lets in who has the scope, and goes on while the secret of the API is rotated', async () => {
        const bearer = await token('orders:read orders:write');
        assert.equal(bearer.split('.').length, format === 'jwt' ? 3 : 1);
        const expected = { clientId: caller.id, scopes: ['orders:read', 'orders:write'] };
        assert.deepEqual(await call(bearer), { status: 200, challenge: '', json: expected });
        await rotate();
        assert.deepEqual((await call(bearer)).json, expected);
      });

      it('names the scope that is lacking, and to who has nothing no error (RFC 6750 §3)', async () => {
        const lacking = await call(await token('orders:write'));
        assert.deepEqual([lacking.status, lacking.json['error']], [403, 'insufficient_scope']);
        assert.match(lacking.challenge, /error="insufficient_scope".*scope="orders:read"/);
        const none = await call();
        assert.deepEqual([none.status, /error=/.test(none.challenge), /scope="orders:read"/.test(none.challenge)], [401, false, true]);
      });

      it('refuses a token for another resource server, one that has expired, and one that is none', async () => {
        await assertInvalid(await token('orders:read', other));
        await assertInvalid(`${await token()}x`);
        const bearer = await token();
        assert.equal((await call(bearer)).status, 200);
        ahead = 61_000;
        await assertInvalid(bearer);
        ahead = 0;
      });

      if (format === 'opaque') {
        it('refuses what was revoked, and all tokens of a client that is deleted, at once', async () => {
          const [revoked, bearer] = [await token(), await token()];
          assert.equal((await post(tandem, '/token/revocation', credentials(), { token: revoked })).status, 200);
          await assertInvalid(revoked);
          assert.equal((await call(bearer)).status, 200);
          await tandem.t.admin!.clients.remove(caller.id, HOST);
          await assertInvalid(bearer);
        });
      }
    });
  }
});
