import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { ACR, protect, type ProtectOptions } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { boundToken, createHolder, RESOURCES, startProvider } from './harness.ts';

describe('the options of protect()', () => {
  const good: ProtectOptions = { issuer: 'https://id.example.com', audience: 'https://api.example.com', scopes: ['read'], acr: ACR.two, maxAge: 300, realm: 'my notes' };
  const wrong = (change: object, message: RegExp) => assert.throws(() => protect({ ...good, ...change }), (error: Error) => error instanceof TypeError && message.test(error.message));

  it('are as the documentation says', () => {
    for (const change of [{}, { issuer: 'http://localhost:3000' }, { audience: 'urn:api', origin: 'https://api.example.com/v1/' }, { acr: [ACR.two, 'urn:example:gold'] }]) {
      assert.equal(typeof protect({ ...good, ...change }), 'function');
    }
  });

  it('are refused by name where they are wrong', () => {
    wrong({ issuer: 'http://id.example.com' }, /issuer must be an https URL/);
    wrong({ issuer: undefined }, /issuer/);
    wrong({ audience: '' }, /audience/);
    wrong({ audience: 'urn:api' }, /origin/);
    wrong({ origin: 'api.example.com' }, /origin/);
    wrong({ introspection: { clientId: 'api' } }, /introspection/);
    for (const maxAge of [0, -1, 1.5, Number.NaN, '300']) wrong({ maxAge }, /maxAge/);
    wrong({ scope: 'read' }, /no option scope/);
  });

  it('put nothing into headers that would end them', () => {
    for (const bad of ['re"ad', 'read write', 'a\nb', 'a\\b', 'é', '']) {
      wrong({ scopes: [bad] }, /scopes/);
      wrong({ acr: bad }, /acr/);
    }
    wrong({ scopes: 'read' }, /scopes/);
    for (const realm of ['a"b', 'a\r\nb', '']) wrong({ realm }, /realm/);
  });
});

onEachDatabase('the guard beside the provider', (database) => {
  it('knows the resources of tandem(), and no other', async () => {
    const tandem = await startProvider(database);
    assert.throws(() => tandem.t.protect({ resource: 'https://unknown.example' }), /no resource "https:\/\/unknown.example"/);
    assert.throws(() => tandem.t.protect({ resource: 'toString' }), /no resource/);
    assert.throws(() => tandem.t.protect({ resource: RESOURCES.opaque, maxAge: 0 }), /maxAge/);
    assert.throws(() => tandem.t.protect({ resource: RESOURCES.opaque, audience: 'x' } as never), /no option audience/);
    await tandem.close();
  });

  for (const mount of ['', '/oidc']) {
    it(`takes DPoP proofs for addresses below the issuer${mount && ', mounted too'}`, async () => {
      const tandem = await startProvider(database, mount ? { mount } : {});
      const guard = tandem.t.protect({ resource: RESOURCES.opaque });
      const app = new Koa();
      app.use(async (ctx) => {
        // As a mount does, or a proxy.
        ctx.path = ctx.path.slice(mount.length);
        await guard(ctx as never, async () => void (ctx.body = 'here they are'));
      });
      const server = app.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const holder = await createHolder(tandem.clock);
      const token = await boundToken(tandem, holder, RESOURCES.opaque);
      const address = `http://localhost:${(server.address() as AddressInfo).port}${mount}/things?page=2`;
      const send = async (url: string) => (await fetch(address, { headers: { authorization: `DPoP ${token}`, dpop: await holder.proof('GET', url, token) } })).status;
      assert.equal(await send(tandem.url('/things')), 200);
      assert.equal(await send('https://evil.example/things'), 401);
      assert.equal(await send(address), 401);
      server.closeAllConnections();
      server.close();
      await tandem.close();
    });
  }
});
