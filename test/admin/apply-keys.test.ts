import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { onEachDatabase } from '../support/databases.ts';
import { HOST, startWithAdmin, type AdminTandem } from './harness.ts';

const SHOP = { client_id: 'shop', client_name: 'Shop', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], token_endpoint_auth_method: 'private_key_jwt' };
const keyOf = (kid: string) => ({ ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid });

onEachDatabase('keys in a declarative file', (database) => {
  let tandem: AdminTandem;
  before(async () => {
    tandem = await startWithAdmin(database);
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  const apply = async (client: object) => (await tandem.admin.apply({ clients: [{ ...SHOP, ...client }] } as never, HOST)).steps[0]!;
  const kids = async () => (await tandem.admin.clients.get('shop')).keys.map(({ kid }) => kid).sort();

  it('are those that it names, beside the pairs that were made here', async () => {
    const [one, two] = [keyOf('one'), keyOf('two')];
    assert.equal((await apply({ managed_keys: [one] })).action, 'create');
    const made = (await tandem.admin.clients.generateKey('shop', undefined, HOST)).key.kid;
    const step = await apply({ managed_keys: [two] });
    assert.deepEqual(step.changes?.['managed_keys'], { before: ['one', made], after: [made, 'two'] });
    assert.deepEqual(await kids(), [made, 'two'].sort());
    assert.equal((await apply({ managed_keys: [two] })).action, 'unchanged');
    // A file that says nothing of keys takes none away.
    assert.equal((await apply({})).action, 'unchanged');
    await tandem.admin.clients.removeKey('shop', made, HOST);
    assert.equal((await apply({ managed_keys: [] })).action, 'update');
    assert.deepEqual(await kids(), []);
  });

  it('move to a URL, and back', async () => {
    const one = keyOf('one');
    await apply({ managed_keys: [one] });
    await apply({ managed_keys: [], jwks_uri: 'https://shop.example/keys' });
    assert.deepEqual([await kids(), (await tandem.admin.clients.get('shop')).metadata['jwks_uri']], [[], 'https://shop.example/keys']);
    await apply({ managed_keys: [one] });
    assert.deepEqual([await kids(), (await tandem.admin.clients.get('shop')).metadata['jwks_uri']], [['one'], undefined]);
  });
});
