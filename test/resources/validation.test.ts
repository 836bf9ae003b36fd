import assert from 'node:assert/strict';
import { exportJWK, generateKeyPair } from 'jose';
import { newEncryptionKey, tandem as withOptions } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { API } from '../support/tandem.ts';
import { failsWith, HOST, ORDERS, SCOPES, startRegistry, type RegistryTandem } from './harness.ts';

const [READ] = SCOPES;
const words = (description: unknown) => ({ name: 'orders:read', description, level: 1 }) as never;

onEachDatabase('what a resource server may be', (database) => {
  let tandem: RegistryTandem;
  before(async () => void (tandem = await startRegistry(database)));
  after(() => tandem.close());
  afterEach('nothing is half written', async () => {
    assert.deepEqual((await tandem.resources.list()).filter(({ origin }) => origin === 'registry'), []);
    assert.deepEqual(await tandem.knex('tandem_scopes'), []);
    assert.deepEqual(tandem.errors, []);
  });

  const create = (input: object) => tandem.resources.create(input as never, HOST);
  const refuses = (input: object, field: string) => assert.rejects(create(input), failsWith('invalid_request', { field }), JSON.stringify(input));

  it('is named by an absolute URI without a fragment (RFC 8707 §2)', async () => {
    for (const identifier of ['', 'orders', '/orders', '//orders.example', 'https:', 'https://', 'https://orders.example/#top', 'https://orders.example/#', 'https://orders.example/a b', 'https://örders.example',
      'https://orders.example/"', 'https://orders.example/\n', 'https://user:pass@orders.example', `https://orders.example/${'x'.repeat(240)}`, 7, null, undefined]) {
      await refuses({ identifier }, 'identifier');
    }
  });

  it('has no name of the provider, however that is spelt', async () => {
    const { issuer } = tandem;
    const { host } = new URL(issuer);
    for (const identifier of [issuer, `${issuer}/`, `${issuer}//`, `${issuer}?`, `${issuer}/api`, `${issuer}/api/`, `${issuer}/api/admin`, `${issuer}/api?x`, `${issuer}/./api`, `${issuer}/x/../api`, `${issuer}/%61pi`, `${issuer}/api%2Fadmin`,
      `${issuer}//api`, `${issuer}/%2e%2e/api`, `${issuer}/API`, `HTTP://${host.toUpperCase()}/api`]) {
      await refuses({ identifier }, 'identifier');
      await refuses({ identifier: ORDERS, audience: identifier }, 'audience');
    }
    for (const identifier of [`${issuer}/apiary`, `${issuer}/orders`, `https://${host}/api`]) {
      await tandem.resources.remove((await create({ identifier })).id, HOST);
    }
  });

  it('takes no audience that tokens of another have', async () => {
    const first = await create({ identifier: ORDERS, audience: 'urn:shop:orders' });
    const second = await create({ identifier: 'https://second.example' });
    for (const audience of [API, ORDERS, 'urn:shop:orders']) {
      await assert.rejects(create({ identifier: 'https://third.example', audience }), failsWith('conflict', { field: 'audience' }));
      await assert.rejects(tandem.resources.update(second.id, { audience }, HOST), failsWith('conflict', { field: 'audience' }));
    }
    await assert.rejects(create({ identifier: 'urn:shop:orders' }), failsWith('conflict', { field: 'audience' }));
    await assert.rejects(tandem.resources.update(first.id, { audience: `${tandem.issuer}/api` }, HOST), failsWith('invalid_request', { field: 'audience' }));
    assert.equal((await tandem.resources.update(first.id, { audience: ORDERS }, HOST)).audience, ORDERS);
    for (const { id } of [first, second]) await tandem.resources.remove(id, HOST);
  });

  it('has tokens that last a minute to a day, JWTs an hour', async () => {
    for (const ttl of [59, 0, -1, 86_401, 90.5, '300', Infinity]) await refuses({ identifier: ORDERS, ttl }, 'ttl');
    await assert.rejects(create({ identifier: ORDERS, ttl: 59 }), /^AppError: ttl: tokens last 60 seconds at least$/);
    await refuses({ identifier: ORDERS, format: 'jwt', ttl: 3_601 }, 'ttl');
    await create({ identifier: ORDERS, ttl: 86_400 });
    await assert.rejects(tandem.resources.update(ORDERS, { format: 'jwt' }, HOST), failsWith('invalid_request', { field: 'ttl' }));
    assert.deepEqual((({ format, ttl }) => [format, ttl])(await tandem.resources.update(ORDERS, { format: 'jwt', ttl: 3_600 }, HOST)), ['jwt', 3_600]);
    await assert.rejects(tandem.resources.update(ORDERS, { ttl: 86_400 }, HOST), failsWith('invalid_request', { field: 'ttl' }));
    await tandem.resources.remove(ORDERS, HOST);
  });

  it('is signed for by keys that there are', async () => {
    await refuses({ identifier: ORDERS, format: 'jwt', algorithm: 'PS256' }, 'algorithm');
    for (const algorithm of ['none', 'HS256', 'ES512', '']) await refuses({ identifier: ORDERS, algorithm }, 'algorithm');
  });

  it('has scopes with names of RFC 6749 §3.3, each once', async () => {
    for (const name of ['', 'two words', 'qu"ote', 'back\\slash', 'tab\t', 'ü', 'x'.repeat(101), 'openid', 'offline_access', 'email', 7]) await refuses({ identifier: ORDERS, scopes: [{ ...READ, name }] }, 'scopes.0.name');
    await refuses({ identifier: ORDERS, scopes: [READ, READ] }, 'scopes');
    await refuses({ identifier: ORDERS, scopes: [{ ...READ, level: 3 }] }, 'scopes.0.level');
    await refuses({ identifier: ORDERS, scopes: 'read' }, 'scopes');
    const odd = ['!', '__proto__', 'constructor', 'urn:x:y', 'x'.repeat(100)];
    const made = await create({ identifier: ORDERS, scopes: odd.map((name) => ({ ...READ, name })) });
    assert.deepEqual(made.scopes.map(({ name }) => name).sort(), [...odd].sort());
    assert.deepEqual(Object.keys((await tandem.resources.find(ORDERS))!.scopes).sort(), [...odd].sort());
    for (const name of odd) await tandem.resources.removeScope(ORDERS, name, HOST);
    await tandem.resources.remove(ORDERS, HOST);
  });

  it('has plain words, in English at least', async () => {
    for (const description of ['Read', undefined, {}, { de: 'Lesen' }, { en: '' }, { en: '   ' }, { en: 'x'.repeat(201) }, { en: 'Read\nthem' }, { en: 'Read\u202etfel' }, { en: 'Read', deutsch_: 'x' }, { en: 'Read', 'pt-br': 'Ler' }, { en: 7 }]) {
      await assert.rejects(create({ identifier: ORDERS, scopes: [words(description)] }), failsWith('invalid_request'), JSON.stringify(description));
    }
    await create({ identifier: ORDERS });
    await assert.rejects(tandem.resources.putScope(ORDERS, words({ de: 'Lesen' }), HOST), failsWith('invalid_request', { field: 'description' }));
    const { scopes } = await tandem.resources.putScope(ORDERS, words({ en: ' Read <b>orders</b> 🧾 ', 'pt-BR': 'Ler' }), HOST);
    assert.deepEqual(scopes[0]!.description, { en: 'Read <b>orders</b> 🧾', 'pt-BR': 'Ler' });
    await tandem.resources.remove(ORDERS, HOST);
  });

  it('says nothing that there is not', async () => {
    await refuses({ identifier: ORDERS, colour: 'red' }, 'colour');
    await refuses({ identifier: ORDERS, scopes: [{ ...READ, colour: 'red' }] }, 'scopes.0');
    await refuses({ identifier: ORDERS, name: 'x'.repeat(101) }, 'name');
    await refuses({ identifier: ORDERS, name: 'Or\u0000ders' }, 'name');
    await refuses({ identifier: ORDERS, format: 'saml' }, 'format');
    await create({ identifier: ORDERS });
    for (const changes of [{ identifier: 'https://else.example' }, { scopes: [] }]) await assert.rejects(tandem.resources.update(ORDERS, changes as never, HOST), failsWith('invalid_request'));
    await tandem.resources.remove(ORDERS, HOST);
  });
});

onEachDatabase('a host with keys of its own', (database) => {
  it('has what these can sign, the one of its clients first', async () => {
    const key = await exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey);
    const tandem = await startRegistry(database, { configuration: { jwks: { keys: [{ ...key, kid: 'own', use: 'sig' }] } } as never });
    const made = await tandem.resources.create({ identifier: ORDERS, format: 'jwt' }, HOST);
    assert.equal(made.algorithm, 'RS256');
    assert.equal((await tandem.resources.update(ORDERS, { algorithm: 'PS256' }, HOST)).algorithm, 'PS256');
    await assert.rejects(tandem.resources.update(ORDERS, { algorithm: 'ES256' }, HOST), failsWith('invalid_request', { field: 'algorithm' }));
    await tandem.close();
  });

  it('is told at the start of a resource server whose tokens nothing signs', async () => {
    const knex = await database.open();
    const encryption = [newEncryptionKey()];
    const given = async (algorithm: 'PS256' | 'EdDSA') => {
      const t = withOptions({ db: knex, issuer: 'https://id.example.com', secrets: { encryption }, resources: { [API]: { scopes: { read: 'Read' }, format: 'jwt', algorithm } } });
      await t.migrate();
      try {
        t.configure();
      } finally {
        await t.close();
      }
    };
    await assert.rejects(given('PS256'), /configure: resources\["https:\/\/api\.example\.com"\]\.algorithm: there is no key for PS256/);
    await given('EdDSA');
  });
});

describe('the options of a host', () => {
  const given = (options: object) => () => withOptions({ db: {} as never, issuer: 'https://id.example.com', secrets: { encryption: [newEncryptionKey()] }, ...options });
  const described = (description: unknown) => ({ resources: { [API]: { scopes: { read: { description } } } } });

  it('say the format of its own API', () => {
    for (const format of ['saml', '', null, 7]) assert.throws(given({ api: { format } }), /api\.format must be opaque or jwt/);
    assert.throws(given({ api: { ttl: 60 } }), /no option api\.ttl; there is format/);
  });

  it('say words in English, at least', () => {
    for (const words of [{}, { de: 'Lesen' }, { en: '' }, { en: 7 }, ['Read'], null]) assert.throws(given(described(words)), /scopes\["read"\]\.description must be a string, or strings by language/);
  });
});
