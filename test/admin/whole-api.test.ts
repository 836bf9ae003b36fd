import assert from 'node:assert/strict';
import { ADMIN_SCOPES } from '../../src/admin/api/scopes.ts';
import { accounts, admin, qr } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem } from '../support/tandem.ts';
import { COMMAND_LINE, HOST, startWithAdmin, type AdminTandem } from './harness.ts';

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId?: string; security?: ReadonlyArray<Readonly<Record<string, readonly string[]>>> }>>>>;
}

onEachDatabase('the admin API as a whole', (database) => {
  let tandem: AdminTandem;
  before(async () => {
    tandem = await startWithAdmin(database, { more: { reader: ['admin:keys:list'] } });
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(() => tandem.close());

  async function operations() {
    const document = (await (await fetch(tandem.url('/openapi.json'))).json()) as Document;
    return Object.entries(document.paths)
      .filter(([path]) => path.startsWith('/api/admin/'))
      .flatMap(([path, methods]) =>
        Object.entries(methods)
          .filter(([method]) => ['get', 'post', 'put', 'patch', 'delete'].includes(method))
          .map(([method, { security = [] }]) => ({ method: method.toUpperCase(), path, scopes: [...new Set(security.flatMap((each) => Object.values(each).flat()))] })),
      );
  }

  it('has a scope for each operation, and an operation for each scope', async () => {
    const all = await operations();
    assert.ok(all.every(({ scopes }) => scopes.length === 1), JSON.stringify(all.filter(({ scopes }) => scopes.length !== 1)));
    assert.deepEqual(all.flatMap(({ scopes }) => scopes).toSorted(), Object.keys(ADMIN_SCOPES).toSorted());
  });

  it('refuses at each operation a token that has another scope, naming the one that it takes', async () => {
    for (const { method, path, scopes } of await operations()) {
      if (scopes[0] === 'admin:keys:list') continue;
      const { status, json, headers } = await tandem.call(method, path.replace(/\{\w+\}/g, 'x'), { as: 'reader', ...(method !== 'GET' && method !== 'DELETE' && { body: {} }) });
      assert.deepEqual([status, json.error, json.scope], [403, 'insufficient_scope', scopes[0]], `${method} ${path}`);
      assert.match(headers.get('www-authenticate') ?? '', new RegExp(`error="insufficient_scope".*scope="${scopes[0]}"`));
    }
  });

  it('answers with problems that are no pages, and are not kept', async () => {
    const { status, headers, json } = await tandem.call('GET', '/api/admin/clients/nobody');
    assert.deepEqual([status, json.type, json.error], [404, 'urn:tandem:error:not_found', 'not_found']);
    assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.equal(headers.get('cache-control'), 'no-store');
    for (const path of ['/api/admin/clients/%00', '/api/admin/accounts/%00', '/api/admin/resource-servers/%00', '/api/admin/audit?name=%00']) {
      const answer = await tandem.call('GET', path);
      assert.ok(answer.status === 404 || answer.status === 400, `${path}: ${answer.status} ${answer.text}`);
    }
  });
});

onEachDatabase('the admin service of a host', (database) => {
  it('has no accounts where the host keeps them, but their roles and phones', async () => {
    const tandem = await startTandem(database, {
      features: [qr({ accounts: { find: async (accountId) => (accountId === 'ada' ? { accountId, label: 'ada@host.example', name: 'Ada' } : undefined) } }), admin()],
    });
    try {
      const service = tandem.t.admin!.accounts;
      assert.equal((await service.setAdmin('ada', true, COMMAND_LINE)).admin, true);
      assert.deepEqual([(await service.get('ada')).email, await service.devices('ada'), await tandem.t.admin!.isAdmin('ada')], ['ada@host.example', [], true]);
      await assert.rejects(service.get('bob'), { code: 'not_found' });
      for (const work of [() => service.list(), () => service.create({ email: 'x@example.com' }, HOST), () => service.giveTo('rp', 'ada', HOST), () => service.managedBy('rp')]) await assert.rejects(work, { code: 'not_found' });
      assert.deepEqual(tandem.errors, []);
    } finally {
      await tandem.close();
    }
  });

  it('is there with admin() alone, and not without it', async () => {
    for (const features of [[admin()], [accounts()]]) {
      const tandem = await startTandem(database, { features });
      assert.equal(tandem.t.admin !== undefined, features.some(({ name }) => name === 'admin'));
      if (tandem.t.admin) await assert.rejects(tandem.t.admin.accounts.resetSecondFactor('nobody', {}, HOST), { code: 'not_found' });
      await tandem.close();
    }
  });
});
