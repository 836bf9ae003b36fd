import assert from 'node:assert/strict';
import { interactionPolicy, Provider, type Configuration } from 'oidc-provider';
import { accounts, newEncryptionKey, qr, tandem, type TandemOptions } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { foreignConfiguration } from './foreign-provider.ts';

onEachDatabase('configure', (database) => {
  const issuer = 'https://id.example.com';
  const find = () => Promise.resolve(undefined);
  async function make(options: Partial<TandemOptions> = {}) {
    const t = tandem({ db: await database.open(), issuer, secrets: { encryption: [newEncryptionKey()] }, features: [accounts(), qr()], ...options });
    await t.migrate();
    return t;
  }

  function freeze<T>(value: T): T {
    if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !Buffer.isBuffer(value)) {
      Object.freeze(value);
      Object.values(value).forEach(freeze);
    }
    return value;
  }

  it('changes nothing of what it is given, and gives the same each time', async () => {
    const t = await make({ features: [qr({ accounts: { find } })] });
    const host = freeze({ ...foreignConfiguration(), scopes: ['openid', 'mine'], interactions: { policy: interactionPolicy.base() } }) as Configuration;
    const [one, two] = [t.configure(host), t.configure(host)];
    const shape = (value: unknown) => JSON.stringify(value, (_, each: unknown) => (typeof each === 'function' ? `function ${each.name}` : each));
    assert.equal(shape(one), shape(two));
    assert.notEqual(one, two);
    assert.equal(host.interactions!.policy!.length, 2);
    await t.close();
  });

  it('makes a configuration that a provider takes', async () => {
    const t = await make();
    assert.ok(new Provider(issuer, t.configure()));
    const foreign = await make({ features: [qr({ accounts: { find } })] });
    assert.ok(new Provider(issuer, foreign.configure(foreignConfiguration())));
    await Promise.all([t.close(), foreign.close()]);
  });

  it('keeps what the host has', async () => {
    const t = await make({ features: [qr({ accounts: { find } })] });
    const host = foreignConfiguration();
    const url = () => '/login';
    const merged = t.configure({ ...host, ttl: { Session: 60 }, interactions: { url }, responseTypes: ['code', 'code id_token'], claims: { openid: ['sub', 'tenant'] }, features: { ...host.features, introspection: { enabled: false } } });
    assert.equal(merged.adapter, host.adapter);
    assert.equal(merged.jwks, host.jwks);
    assert.deepEqual(merged.cookies!.keys, host.cookies!.keys);
    assert.equal((await merged.findAccount!({} as never, 'user-1'))?.accountId, 'user-1');
    assert.equal(await merged.findAccount!({} as never, 'nobody'), undefined);
    assert.equal(merged.interactions!.url, url);
    assert.equal(merged.ttl!.Session, 60);
    assert.deepEqual(merged.responseTypes, ['code', 'code id_token', 'none']);
    assert.ok((merged.claims!['openid'] as string[]).includes('tenant') && (merged.claims!['openid'] as string[]).includes('acr'));
    assert.equal(merged.features!.introspection!.enabled, false);
    assert.equal(merged.features!.revocation!.enabled, true);
    assert.equal(merged.subjectTypes, undefined);
    await t.close();
  });

  it('takes the question of acr out of a host’s login prompt, and leaves its other checks', async () => {
    const t = await make();
    const policy = interactionPolicy.base();
    policy.get('login')!.checks.add(new interactionPolicy.Check('own', 'of the host', () => false));
    const merged = t.configure({ interactions: { policy } }).interactions!.policy!;
    const reasons = [...merged.find(({ name }) => name === 'login')!.checks].map(({ reason }) => reason);
    assert.ok(reasons.includes('own') && reasons.includes('max_age') && !reasons.includes('essential_acr'));
    assert.equal(reasons.filter((reason) => reason === 'login_prompt').length, 1);
    assert.deepEqual(merged.map(({ name }) => name), ['login', 'step_up', 'consent']);
    await t.close();
  });

  for (const [key, host] of Object.entries<Configuration>({
    findAccount: { findAccount: () => undefined },
    subjectTypes: { subjectTypes: ['public'] },
    pairwiseIdentifier: { pairwiseIdentifier: () => 'x' },
    'features.devInteractions': { features: { devInteractions: { enabled: true } } },
    'features.claimsParameter': { features: { claimsParameter: { enabled: false } } },
    clients: { clients: [{ client_id: 'tandem-account', redirect_uris: ['https://x.example/cb'] }] },
    'extraClientMetadata.properties': { extraClientMetadata: { properties: ['tandem_confirm'] } },
  })) {
    it(`names ${key} where host and Tandem clash`, async () => {
      const t = await make();
      assert.throws(() => t.configure(host), (error: Error) => error instanceof TypeError && error.message.includes(`configure: ${key} `));
      await t.close();
    });
  }

  it('says that the keys are not loaded yet', async () => {
    const t = tandem({ db: await database.open(), issuer, secrets: { encryption: [newEncryptionKey()] }, features: [accounts()] });
    assert.throws(() => t.configure(), /migrate\(\)/);
    await t.close();
  });

  it('warns of a key that the library would ignore', async () => {
    const warned: object[] = [];
    const t = await make({ log: { debug() {}, info() {}, error() {}, warn: (fields) => void warned.push(fields) } });
    t.configure({ reponseTypes: ['code'] } as Configuration);
    assert.deepEqual(warned, [{ key: 'reponseTypes' }]);
    await t.close();
  });

  describe('tandem', () => {
    const base = async () => ({ db: await database.open(), issuer, secrets: { encryption: [newEncryptionKey()] } });

    it('refuses an option that there is not', async () => {
      const options = { ...(await base()), feature: [] };
      assert.throws(() => tandem(options), /no option feature/);
    });

    it('refuses a feature twice, and qr() without accounts', async () => {
      const options = await base();
      assert.throws(() => tandem({ ...options, features: [accounts(), accounts()] }), /accounts\(\) is listed twice/);
      assert.throws(() => tandem({ ...options, features: [qr()] }), /qr\(\) needs to know the accounts/);
    });

    it('refuses an issuer that is none', async () => {
      const options = await base();
      for (const bad of ['id.example.com', 'https://id.example.com?x', 'https://id.example.com/#x']) assert.throws(() => tandem({ ...options, issuer: bad }), /issuer/);
    });

    it('takes back all that it made', async () => {
      const knex = await database.open();
      const t = tandem({ ...(await base()), db: knex, features: [accounts()] });
      const own = database.name === 'postgres' ? 'current_schema()' : 'database()';
      const tables = async () =>
        database.name === 'sqlite'
          ? ((await knex('sqlite_master').where({ type: 'table' }).whereLike('name', 'tandem%').orderBy('name').pluck('name')) as string[])
          : ((await knex('information_schema.tables').whereRaw(`table_schema = ${own}`).orderBy('table_name').pluck('table_name')) as string[]);
      await t.migrate();
      const made = await tables();
      assert.ok(made.length > 10, made.join(' '));
      await t.rollback();
      assert.deepEqual(await tables(), ['tandem_migrations']);
      await t.migrate();
      assert.deepEqual(await tables(), made);
      await t.close();
    });
  });
});
