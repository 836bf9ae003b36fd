import assert from 'node:assert/strict';
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { Provider } from 'oidc-provider';
import { accounts, newEncryptionKey, tandem as tandemOf, totp } from '../../../src/index.ts';
import { payloadOf } from '../../oidc/helpers.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { codeOf } from '../../support/otp.ts';
import { listen } from '../../support/tandem.ts';
import { basic, clientsOf, otpauthOf, startTwoCall, textOf, ticketOf, type TwoCallHarness } from './harness.ts';

const MINUTE = 60_000;

onEachDatabase('the two-call API of a host', (database) => {
  async function withTandem(options: Parameters<typeof startTwoCall>[1], work: (tandem: TwoCallHarness) => Promise<void>) {
    const tandem = await startTwoCall(database, options);
    try {
      await work(tandem);
      assert.deepEqual(tandem.errors, []);
    } finally {
      await tandem.close();
    }
  }

  it('refuses to start where the host has a resource server under its name', () =>
    assert.rejects(
      async () => {
        const [db, issuer] = [await database.open(), 'https://id.example.com'];
        tandemOf({ db, issuer, secrets: { encryption: [newEncryptionKey()] }, features: [accounts(), totp()], resources: { [`${issuer}/api`]: { scopes: {} } } });
      },
      /tandem: resources clashes with Tandem: https:\/\/id\.example\.com\/api/,
    ));

  it('signs with the first RSA key of a host that has keys of its own', async () => {
    const jwk = async (alg: string, more: object = {}) => ({ ...(await exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey)), ...more });
    const keys = [await jwk('ES256', { kid: 'ec' }), await jwk('RS256', { kid: 'pss', alg: 'PS256' }), await jwk('RS256'), await jwk('RS256', { kid: 'last', alg: 'RS256' })];
    await withTandem({ configuration: { jwks: { keys } as never } }, async (tandem) => {
      const { token } = await tandem.enrol(await tandem.registerAccount());
      const { protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(tandem.url('/jwks'))), { currentDate: new Date(tandem.clock()) });
      assert.ok(!['ec', 'pss', 'last'].includes(protectedHeader.kid!), protectedHeader.kid);
    });
  });

  it('says at start, and with 503, that a host has no RSA key', async () => {
    const warnings: string[] = [];
    const log = { debug() {}, info() {}, warn: (_: object, text: string) => void warnings.push(text), error() {} };
    const key = await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
    await withTandem({ configuration: { jwks: { keys: [key] } as never }, tandem: { log }, bare: true }, async (tandem) => {
      assert.match(warnings.join(), /no RSA key/);
      const answer = await tandem.validate({ email: 'ada@example.com', code: '123456' });
      assert.deepEqual([answer.status, ((await answer.json()) as { error: string }).error], [503, 'temporarily_unavailable']);
    });
  });

  it('lets anybody call where its operator said so by name, and warns', async () => {
    const warnings: string[] = [];
    const log = { debug() {}, info() {}, warn: (_: object, text: string) => void warnings.push(text), error() {} };
    await withTandem({ totp: { insecureUnauthenticatedTwoCallApi: true }, tandem: { log } }, async (tandem) => {
      assert.equal(warnings.filter((text) => text.includes('insecureUnauthenticatedTwoCallApi')).length, 1);
      const person = await tandem.registerAccount();
      const { secret, token } = await tandem.enrol(person, 'nobody');
      const claims = payloadOf(token);
      assert.deepEqual([claims['aud'], claims['client_id'], claims['groups']], [tandem.issuer, undefined, []]);
      tandem.clock.advance(MINUTE);
      const ticket = await tandem.ticket(person, 'nobody');
      const fields = { email: person.email, code: codeOf(secret, tandem.clock), ticket };
      assert.equal((await tandem.validate(fields, 'legacy')).status, 401, 'a client has tickets of its own');
      assert.equal((await tandem.validate(fields, { authorization: basic('legacy', 'wrong') })).status, 401, 'wrong credentials are not none');
      const mine = await tandem.validate({ ...fields, ticket: await tandem.ticket(person, 'legacy') }, 'legacy');
      assert.notEqual(payloadOf(await mine.text())['sub'], claims['sub']);
      assert.equal((await tandem.validate({ ...fields, ticket: await tandem.ticket(person, 'legacy') }, 'nobody')).status, 401, 'and nobody has not a client’s');
    });
  });

  it('binds the cookie of an https issuer to its origin', async () => {
    const [db, issuer, { server, origin }] = [await database.open(), 'https://id.example.com', await listen()];
    const t = tandemOf({ db, issuer, notices: { send() {} }, secrets: { encryption: [newEncryptionKey()] }, features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), totp()] });
    try {
      await t.migrate();
      const provider = new Provider(issuer, t.configure({ clients: clientsOf(issuer) }));
      provider.use(t.attach(provider));
      server.on('request', provider.callback() as never);
      const { email } = await t.accounts!.register({ email: 'ada@example.com', password: 'seven blue lanterns' });
      const send = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
        fetch(origin + path, { method: 'POST', body: new URLSearchParams(fields), headers: { authorization: basic('legacy'), ...headers } });
      const png = await send('/api/users/google/2FAuth/qrCode', { email, password: 'seven blue lanterns' });
      const [cookie = ''] = png.headers.getSetCookie();
      assert.equal(cookie, `__Host-tandem-2fa=${ticketOf(png)}; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=300`);
      const { secret } = otpauthOf(await textOf(png));
      const answer = await send('/api/users/google/2FAuth/validate', { email, code: codeOf(secret, Date.now) }, { cookie: cookie.split(';')[0]! });
      assert.equal(payloadOf(await answer.text())['iss'], issuer);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await t.close();
    }
  });

  it('works mounted under a path', () =>
    withTandem({ mount: '/id' }, async (tandem) => {
      const { token } = await tandem.enrol(await tandem.registerAccount());
      assert.equal(payloadOf(token)['iss'], tandem.issuer);
      assert.match(tandem.issuer, /\/id$/);
    }));
});
