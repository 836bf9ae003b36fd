import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { onEachDatabase } from '../support/databases.ts';
import { commandLine, type CommandLine, type Json } from './calls.ts';
import { temporaryFolder } from './program.ts';

const ISSUER = 'https://id.example.com';
const API = 'https://api.example.com';

onEachDatabase('the registry on the command line', (database) => {
  const folder = temporaryFolder();
  let tandem: CommandLine;
  before(async () => {
    tandem = commandLine(await database.url(), { ISSUER });
    await tandem.call('migrate');
  });

  /** The last event of a name, without times. */
  async function lastEvent(name: string) {
    const { events } = await tandem.call('audit', 'list', '--name', name, '--limit', '1');
    return events[0];
  }

  it('makes resource servers and scopes, changes them, and says who uses them', async () => {
    const made = await tandem.call('resource-servers', 'create', API, '--name', 'Notes', '--format', 'jwt', '--alg', 'ES256', '--ttl', '10m', '--scope', 'read=Read your notes');
    assert.deepEqual([made.identifier, made.name, made.origin, made.format, made.algorithm, made.ttl], [API, 'Notes', 'registry', 'jwt', 'ES256', 600]);
    assert.deepEqual(made.scopes, [{ name: 'read', description: { en: 'Read your notes' }, level: 1 }]);

    await tandem.call('scopes', 'put', API, 'pay', '--description', 'Pay in your name', '--description', 'de=In Ihrem Namen zahlen', '--level', '2');
    const { scopes } = await tandem.call('scopes', 'put', made.id, 'pay', '--description', 'nl=Uit uw naam betalen');
    assert.deepEqual(scopes.find(({ name }: Json) => name === 'pay'), { name: 'pay', description: { en: 'Pay in your name', de: 'In Ihrem Namen zahlen', nl: 'Uit uw naam betalen' }, level: 2 });
    assert.equal((await tandem.call('resource-servers', 'update', API, '--ttl', '5m')).ttl, 300);
    assert.match(await tandem.tell('scopes', 'list', API), /^pay +2 +Pay in your name +de nl$/m);

    const { client_id: id } = await tandem.call('clients', 'create', '--name', 'Reader', '--grant-type', 'client_credentials', '--scope', `${API}=read`);
    assert.deepEqual(await tandem.call('scopes', 'used-by', API, 'read'), { clients: [id], count: 1 });
    assert.equal((await tandem.fail('resource-servers', 'delete', API, '--yes')).error, 'conflict');
    assert.equal((await tandem.fail('scopes', 'delete', API, 'read')).error, 'conflict');
    assert.deepEqual((await tandem.call('scopes', 'delete', API, 'pay')).scopes.map(({ name }: Json) => name), ['read']);
    const both = await tandem.call('clients', 'update', id, '--scope', 'api=admin:keys:list');
    assert.deepEqual(both.tandem_resources, { [API]: ['read'], [`${ISSUER}/api`]: ['admin:keys:list'] }, 'what is not named stays');
    const { tandem_resources: left } = await tandem.call('clients', 'update', id, '--scope', `${API}=`);
    assert.deepEqual(left, { [`${ISSUER}/api`]: ['admin:keys:list'] });
    assert.deepEqual(await tandem.call('resource-servers', 'delete', API, '--yes'), { identifier: API, deleted: true });
    assert.equal((await tandem.fail('resource-servers', 'show', API)).error, 'not_found');
  });

  it('registers a client of options and a file, and tells its secret once', async () => {
    await writeFile(folder.path('metadata.json'), JSON.stringify({ client_name: 'Of the file', logo_uri: 'https://shop.example/logo.png' }));
    const made = await tandem.call('clients', 'create', '--id', 'shop', '--name', 'Shop', '--redirect-uri', 'https://shop.example/a', '--redirect-uri', 'https://shop.example/b',
      '--grant-type', 'authorization_code', '--grant-type', 'refresh_token', '--scope', 'openid', '--scope', 'offline_access', '--level', '2', '--metadata', folder.path('metadata.json'));
    assert.deepEqual([made.client_id, made.client_name, made.logo_uri, made.scope, made.tandem_level], ['shop', 'Shop', 'https://shop.example/logo.png', 'openid offline_access', 2]);
    assert.deepEqual(made.redirect_uris, ['https://shop.example/a', 'https://shop.example/b']);
    assert.match(made.client_secret, /^[\w-]{43}$/);
    for (const text of [JSON.stringify(await tandem.call('clients', 'show', 'shop')), await tandem.tell('clients', 'show', 'shop'), JSON.stringify(await tandem.call('audit', 'list'))]) {
      assert.ok(!text.includes(made.client_secret));
    }
    assert.deepEqual((await lastEvent('client.created')).data.actor, { kind: 'command-line', id: userInfo().username });
  });

  it('changes what it is told, and leaves the rest', async () => {
    const changed = await tandem.call('clients', 'update', 'shop', '--name', 'Corner Shop', '--unset', 'logo_uri', '--scope', 'api=admin:clients:*');
    assert.deepEqual([changed.client_name, changed.logo_uri, changed.tandem_level], ['Corner Shop', undefined, 2]);
    assert.deepEqual(changed.tandem_resources[`${ISSUER}/api`].toSorted(), ['create', 'delete', 'list', 'read', 'update'].map((verb) => `admin:clients:${verb}`));
    const { data } = await lastEvent('client.updated');
    assert.deepEqual([data.before.client_name, data.after.client_name], ['Shop', 'Corner Shop']);
    assert.match((await tandem.fail('clients', 'update', 'shop')).error_description, /nothing to change/);
    assert.match((await tandem.fail('clients', 'update', 'shop', '--scope', 'api=pay:*')).error_description, /no scope that begins with "pay:"/);
    assert.equal((await tandem.fail('clients', 'update', 'shop', '--scope', `${API}=unheard-of`)).error, 'invalid_request');
    assert.equal((await tandem.fail('clients', 'update', 'shop', '--redirect-uri', 'https://shop.example/#part')).error, 'invalid_request');
  });

  it('rotates secrets, two at a time', async () => {
    const [{ id: first }] = (await tandem.call('clients', 'show', 'shop')).secrets;
    const second = await tandem.call('clients', 'secrets', 'add', 'shop', '--end-others-in', '24h');
    assert.match(second.client_secret, /^[\w-]{43}$/);
    const { secrets } = await tandem.call('clients', 'show', 'shop');
    const ends = Date.parse(secrets.find(({ id }: Json) => id === first).expires_at) - Date.now();
    assert.ok(Math.abs(ends - 86_400_000) < 60_000, String(ends));
    assert.equal((await tandem.fail('clients', 'secrets', 'add', 'shop')).error, 'conflict');
    await tandem.call('clients', 'secrets', 'remove', 'shop', '--', first);
    assert.deepEqual((await tandem.call('clients', 'show', 'shop')).secrets.map(({ id }: Json) => id), [second.id]);
  });

  it('hosts keys of a file, and makes pairs whose private part goes into a file of its owner alone', async () => {
    await tandem.call('clients', 'create', '--id', 'signer', '--grant-type', 'client_credentials', '--auth-method', 'private_key_jwt');
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(folder.path('public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(folder.path('private.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeFile(folder.path('private.json'), JSON.stringify(privateKey.export({ format: 'jwk' })));
    const { keys: [{ kid }] } = await tandem.call('clients', 'keys', 'add', 'signer', folder.path('public.pem'));
    assert.match((await tandem.fail('clients', 'keys', 'add', 'signer', folder.path('private.pem'))).error_description, /is a private key/);
    assert.equal((await tandem.fail('clients', 'keys', 'add', 'signer', folder.path('private.json'))).error, 'invalid_request');

    const out = folder.path('signer.jwk');
    const made = await tandem.call('clients', 'keys', 'generate', 'signer', '--out', out);
    assert.equal(made.private_key, undefined);
    assert.equal(((await stat(out)).mode & 0o777).toString(8), '600');
    const kept = JSON.parse(await readFile(out, 'utf8'));
    assert.ok(kept.d && kept.kid === made.key.kid);
    assert.match((await tandem.fail('clients', 'keys', 'generate', 'signer', '--out', out)).error_description, /is there already/);
    await tandem.call('clients', 'keys', 'remove', 'signer', '--', kid);
    assert.deepEqual((await tandem.call('clients', 'show', 'signer')).keys.map((key: Json) => key.kid), [made.key.kid]);
    assert.ok(!JSON.stringify(await tandem.call('audit', 'list')).includes(kept.d));
  });

  it('lists page by page, and all unless told otherwise', async () => {
    const all = await tandem.call('clients', 'list');
    assert.ok(all.clients.length >= 3 && all.next_cursor === undefined);
    const found: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const page: Json = await tandem.call('clients', 'list', '--limit', '1', ...(cursor ? ['--cursor', cursor] : []));
      assert.equal(page.clients.length, 1);
      found.push(page.clients[0].client_id);
      cursor = page.next_cursor;
    }
    assert.deepEqual(found, all.clients.map(({ client_id: id }: Json) => id));
    assert.deepEqual((await tandem.call('clients', 'list', '--search', 'corner')).clients.map(({ client_id: id }: Json) => id), ['shop']);
    assert.match(await tandem.tell('clients', 'list', '--limit', '1'), /there are more: --cursor \S+$/);
  });

  it('deletes a client for good, when told that it is meant', async () => {
    assert.match((await tandem.fail('clients', 'delete', 'shop')).error_description, /tandem clients delete shop --yes$/);
    assert.deepEqual(await tandem.call('clients', 'delete', 'shop', '--yes'), { client_id: 'shop', deleted: true });
    assert.equal((await tandem.fail('clients', 'show', 'shop')).error, 'not_found');
    assert.equal((await tandem.fail('clients', 'create', '--id', 'shop', '--redirect-uri', 'https://shop.example/')).error, 'conflict');
  });
});
