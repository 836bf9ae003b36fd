import assert from 'node:assert/strict';
import type { ClientMetadata } from 'oidc-provider';
import { tokensByCode } from '../../oidc/helpers.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { createHttpBrowser } from '../../support/http-browser.ts';
import { codeOf } from '../../support/otp.ts';
import { basic, ENROL, pick, startTwoCall, VALIDATE, type As, type TwoCallHarness } from './harness.ts';

const MINUTE = 60_000;
const errorOf = async (answer: Response) => [answer.status, ((await answer.json()) as { error: string }).error];

onEachDatabase('calling the two-call API', (database) => {
  let tandem: TwoCallHarness;
  before(async () => {
    const more = (issuer: string): ClientMetadata[] => [
      { client_id: 'a client:with%20odd+name', client_secret: 'secret&with:colons%41+and more, of 32 bytes', redirect_uris: [], response_types: [], grant_types: ['client_credentials'], tandem_resources: { [`${issuer}/api`]: [ENROL] } },
      { client_id: 'over', client_secret: 'a secret of 32 bytes, and it is over', client_secret_expires_at: 1_000_000_000, redirect_uris: [], response_types: [], grant_types: ['client_credentials'], tandem_resources: { [`${issuer}/api`]: [ENROL] } },
      { client_id: 'keyless', redirect_uris: ['http://localhost:1/cb'], token_endpoint_auth_method: 'none', tandem_resources: { [`${issuer}/api`]: [ENROL] } },
      { client_id: 'site', client_secret: 'a secret of 32 bytes for the site', redirect_uris: ['http://localhost:1/cb'], tandem_consent: 'implicit', tandem_resources: { [`${issuer}/api`]: [ENROL] } },
    ];
    tandem = await startTwoCall(database, { more });
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  describe('without a right to', () => {
    const call = (as: As, fields: Record<string, string> = { email: 'nobody@example.com', password: 'wrong' }) => tandem.qrCode(fields, as);

    it('tells a caller without credentials which there are, and no more', async () => {
      const answer = await call('nobody');
      const challenges = answer.headers.get('www-authenticate')!;
      assert.equal(challenges, `Basic realm="${tandem.issuer}", Bearer realm="${tandem.issuer}", scope="${ENROL}"`);
      assert.deepEqual(await errorOf(answer), [401, 'invalid_client']);
      assert.deepEqual(await errorOf(await tandem.validate({ email: 'x@example.com', code: '123456' }, 'nobody')), [401, 'invalid_client']);
    });

    for (const [title, authorization] of Object.entries({
      'an unknown client': basic('nobody', 'secret'),
      'a wrong secret': basic('legacy', 'wrong'),
      'a secret that has expired': basic('over', 'a secret of 32 bytes, and it is over'),
      'a client without a secret': basic('keyless', 'undefined'),
      'an empty secret': basic('legacy', ''),
      'no colon': `Basic ${Buffer.from('legacy').toString('base64')}`,
      'broken base64': 'Basic %%%%',
      'a broken encoding': `Basic ${Buffer.from('legacy:%E0%A4%A').toString('base64')}`,
      'no credentials': 'Basic',
      'an inherited name': basic('__proto__', 'x'),
    })) {
      it(`refuses ${title}`, async () => {
        const answer = await call({ authorization });
        assert.equal(answer.headers.get('www-authenticate'), `Basic realm="${tandem.issuer}", error="invalid_client", error_description="client authentication failed"`);
        assert.deepEqual(await errorOf(answer), [401, 'invalid_client']);
      });
    }

    it('decodes both halves of Basic as forms are (RFC 6749 §2.3.1)', async () => {
      const encoded = (text: string) => new URLSearchParams({ x: text }).toString().slice(2);
      const pair = (id: string, secret: string) => ({ authorization: `basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` });
      const [id, secret] = ['a client:with%20odd+name', 'secret&with:colons%41+and more, of 32 bytes'];
      assert.deepEqual(await errorOf(await call(pair(encoded(id), encoded(secret)))), [401, 'invalid_credentials']);
      assert.deepEqual(await errorOf(await call(pair(id, secret))), [401, 'invalid_client']);
    });

    it('asks for a scope per call, and names it', async () => {
      const wanted: Array<[() => Promise<Response>, string]> = [
        [() => call('validates'), ENROL],
        [() => call('mute'), ENROL],
        [() => tandem.validate({ email: 'x@example.com', code: '123456' }, 'enrols'), VALIDATE],
      ];
      for (const [send, scope] of wanted) {
        const answer = await send();
        assert.match(answer.headers.get('www-authenticate')!, new RegExp(`^Basic .*error="insufficient_scope".*scope="${scope}"`));
        const body = (await answer.json()) as Record<string, string>;
        assert.deepEqual([answer.status, body['error'], body['scope']], [403, 'insufficient_scope', scope]);
      }
      assert.equal((await call('enrols')).status, 401);
    });

    it('gives no client more scopes than it has', async () => {
      const ask = (id: string, scope: string) =>
        fetch(tandem.url('/token'), { method: 'POST', headers: { authorization: basic(id) }, body: new URLSearchParams({ grant_type: 'client_credentials', scope, resource: `${tandem.issuer}/api` }) });
      assert.deepEqual(await errorOf(await ask('enrols', `${ENROL} ${VALIDATE}`)), [400, 'invalid_scope']);
      assert.deepEqual(await errorOf(await ask('mute', ENROL)), [400, 'invalid_target']);
    });

    it('refuses tokens that are none, end, or were made for something else', async () => {
      const tokenOf = async (id: string, form: Record<string, string>) => {
        const secrets: Record<string, string> = { service: 'service-secret-service-secret-service' };
        const answer = await fetch(tandem.url('/token'), { method: 'POST', headers: { authorization: basic(id, ...(secrets[id] ? [secrets[id]] : [])) }, body: new URLSearchParams({ grant_type: 'client_credentials', ...form }) });
        return ((await answer.json()) as { access_token: string }).access_token;
      };
      const resource = `${tandem.issuer}/api`;
      const elsewhere = await tokenOf('service', { scope: 'read', resource: 'https://api.example.com' });
      for (const token of ['x', elsewhere, 'a.b.c']) {
        const answer = await call({ authorization: `Bearer ${token}` });
        assert.match(answer.headers.get('www-authenticate')!, /^Bearer .*error="invalid_token"/, token);
        assert.deepEqual(await errorOf(answer), [401, 'invalid_token'], token);
      }
      const good = await tokenOf('other', { scope: ENROL, resource });
      assert.deepEqual(await errorOf(await call({ authorization: `Bearer ${good}` })), [401, 'invalid_credentials']);
      const narrow = await tandem.validate({ email: 'x@example.com', code: '123456' }, { authorization: `Bearer ${good}` });
      assert.match(narrow.headers.get('www-authenticate')!, new RegExp(`^Bearer .*error="insufficient_scope".*scope="${VALIDATE}"`));
      assert.deepEqual(await errorOf(narrow), [403, 'insufficient_scope']);
    });

    it('refuses what a person granted to a site', async () => {
      const person = await tandem.registerAccount();
      const scope = { client_id: 'site', scope: `openid ${ENROL}`, resource: `${tandem.issuer}/api` };
      const clients = { ...tandem.clients, site: { client_secret: 'a secret of 32 bytes for the site' } };
      const { json } = await tokensByCode({ ...tandem, clients } as never, createHttpBrowser(), person, scope);
      assert.equal(json['scope'], ENROL);
      const answer = await call({ authorization: `Bearer ${String(json['access_token'])}` }, pick(person));
      assert.match(answer.headers.get('www-authenticate')!, /^Bearer .*error="invalid_token".*client credentials/);
      assert.equal(answer.status, 401);
      assert.deepEqual(await tandem.knex('tandem_authenticators').where({ account_id: person.accountId }), []);
    });

    it('refuses a page of another site, whatever cookies come along', async () => {
      const person = await tandem.registerAccount();
      const { secret } = await tandem.enrol(person);
      tandem.clock.advance(MINUTE);
      const cookie = `tandem-2fa=${await tandem.ticket(person)}`;
      for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
        const answer = await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock) }, 'nobody', { cookie, ...headers } as Record<string, string>);
        assert.deepEqual(await errorOf(answer), [403, 'access_denied']);
        assert.equal(answer.headers.get('access-control-allow-origin'), null);
      }
      const preflight = await fetch(tandem.url('/api/users/google/2FAuth/validate'), { method: 'OPTIONS', headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } });
      assert.equal(preflight.headers.get('access-control-allow-origin'), null);
    });
  });

  describe('with nonsense', () => {
    const FORM = 'application/x-www-form-urlencoded';
    const good = 'email=a%40example.com&password=x';
    for (const [title, body, type, status] of [
      ['JSON', JSON.stringify({ email: 'a@example.com', password: 'x' }), 'application/json', 415],
      ['multipart', '--x--', 'multipart/form-data; boundary=x', 415],
      ['no content type', good, '', 415],
      ['nothing', '', FORM, 400],
      ['a missing field', 'email=a%40example.com', FORM, 400],
      ['an empty field', 'email=&password=x', FORM, 400],
      ['an unknown field', `${good}&admin=1`, FORM, 400],
      ['__proto__', `${good}&__proto__=1`, FORM, 400],
      ['a field twice', `${good}&email=b%40example.com`, FORM, 400],
      ['a long password', `email=a%40example.com&password=${'x'.repeat(1025)}`, FORM, 400],
      ['a long address', `email=${'x'.repeat(321)}&password=x`, FORM, 400],
      ['too much', `${good}${'x'.repeat(70_000)}`, FORM, 413],
    ] as const) {
      it(`refuses ${title} with ${status}, in JSON`, async () => {
        const answer = await fetch(tandem.url('/api/users/google/2FAuth/qrCode'), { method: 'POST', body: new TextEncoder().encode(body), headers: { authorization: basic('legacy'), ...(type && { 'content-type': type }) } });
        assert.equal(answer.status, status);
        assert.match(answer.headers.get('content-type')!, /^application\/json/);
        assert.ok(((await answer.json()) as { error_description: string }).error_description.length > 3);
      });
    }

    it('refuses NUL characters wherever they stand, and other methods', async () => {
      for (const answer of [
        await tandem.qrCode({ email: 'a\0@example.com', password: 'x\0' }),
        await tandem.validate({ email: 'a\0@example.com', code: '12\x003456', ticket: `\0${'x'.repeat(43)}` }),
        await tandem.qrCode({ email: 'a@example.com', password: 'x' }, { authorization: basic('leg\0acy') }),
      ]) {
        assert.ok([400, 401].includes(answer.status), String(answer.status));
      }
      const got = await fetch(tandem.url('/api/users/google/2FAuth/qrCode'), { headers: { accept: 'application/json' } });
      assert.equal(got.status, 405);
      assert.equal(got.headers.get('allow'), 'POST');
    });
  });
});
