import assert from 'node:assert/strict';
import type { ClientMetadata } from 'oidc-provider';
import { signedInBrowser } from '../../oidc/helpers.ts';
import { onEachDatabase, type TestDatabase } from '../../support/databases.ts';
import { codeOf, wrongCodeOf } from '../../support/otp.ts';
import { countHashes } from '../../support/work.ts';
import { basic, ENROL, otpauthOf, startTwoCall, textOf, ticketOf, VALIDATE, type As, type TwoCallHarness } from './harness.ts';

const MINUTE = 60_000;
const BOGUS = 'x'.repeat(43);
const pick = ({ email, password }: { email: string; password: string }) => ({ email, password });

/** All of an answer that somebody could tell two apart by, but for the time of day. */
async function shapeOf(answer: Response) {
  const headers = [...answer.headers].filter(([name]) => name !== 'date');
  return { status: answer.status, headers, body: await answer.text() };
}

const errorOf = async (answer: Response) => [answer.status, ((await answer.json()) as { error: string }).error];

onEachDatabase('attacks on the two-call API', (database) => {
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

  // First, as tokens last by the provider's clock, which the tests below leave behind.
  describe('calling without a right to', () => {
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

  describe('telling accounts from none', () => {
    it('finds the same answer to an unknown address, a wrong password, and what is no address', async () => {
      const person = await tandem.registerAccount();
      const guarded = await tandem.registerAccount();
      await tandem.enrol(guarded);
      const wrong = await shapeOf(await tandem.qrCode({ email: person.email, password: 'wrong' }));
      assert.equal(wrong.status, 401);
      assert.equal((JSON.parse(wrong.body) as { error: string }).error, 'invalid_credentials');
      for (const email of ['nobody@example.com', guarded.email, 'no address', `${'x'.repeat(300)}@example.com`]) {
        assert.deepEqual(await shapeOf(await tandem.qrCode({ email, password: 'wrong' })), wrong, email);
      }
    });

    it('finds the same answer to whatever is wrong with the second call', async () => {
      const [person, other] = [await tandem.registerAccount(), await tandem.registerAccount()];
      const { secret } = await tandem.enrol(person);
      const { secret: otherSecret } = await tandem.enrol(other);
      tandem.clock.advance(MINUTE);
      const [code, wrong] = [codeOf(secret, tandem.clock), wrongCodeOf(secret, tandem.clock)];
      const ticket = await tandem.ticket(person);
      const expected = await shapeOf(await tandem.validate({ email: person.email, code: wrong, ticket }));
      assert.equal(expected.status, 401);
      assert.equal((JSON.parse(expected.body) as { error: string }).error, 'invalid_credentials');

      const used = await tandem.ticket(other);
      assert.equal((await tandem.validate({ email: other.email, code: codeOf(otherSecret, tandem.clock), ticket: used })).status, 200);
      const tries: Record<string, [fields: Record<string, string | undefined>, as?: As]> = {
        'no ticket': [{ email: person.email, code }],
        'an empty ticket': [{ email: person.email, code, ticket: '' }],
        'a bogus ticket': [{ email: person.email, code, ticket: BOGUS }],
        'an unknown address': [{ email: 'nobody@example.com', code, ticket }],
        'an unknown address without a ticket': [{ email: 'nobody@example.com', code }],
        'no address': [{ email: 'nobody', code, ticket }],
        'another account’s address': [{ email: other.email, code, ticket }],
        'the ticket of another account': [{ email: person.email, code, ticket: await tandem.ticket(other) }],
        'the ticket of another client': [{ email: person.email, code, ticket: await tandem.ticket(person, 'other') }],
        'the ticket of a client, by another': [{ email: person.email, code, ticket }, 'validates'],
        'a ticket that is used up': [{ email: other.email, code: codeOf(otherSecret, tandem.clock), ticket: used }],
        'a code of letters': [{ email: person.email, code: 'abcdef', ticket }],
        'a code that is too long': [{ email: person.email, code: `${code}1`, ticket }],
      };
      for (const [title, [fields, as]] of Object.entries(tries)) assert.deepEqual(await shapeOf(await tandem.validate(fields, as)), expected, title);

      tandem.clock.advance(5 * MINUTE + 1);
      const late = { email: person.email, code: codeOf(secret, tandem.clock), ticket };
      assert.deepEqual(await shapeOf(await tandem.validate(late)), expected, 'a ticket that has run out');
    });

    it('stops password guesses at known and unknown addresses alike', async () => {
      const person = await tandem.registerAccount();
      const outcomes = [];
      for (const email of [person.email, 'stranger@example.com']) {
        const shapes = [];
        for (let n = 0; n < 12; n += 1) shapes.push(await shapeOf(await tandem.qrCode({ email, password: `guess ${n}` })));
        outcomes.push(shapes.map(({ status, body }) => [status, body.replace(/\d+ s"/, 'N s"')]));
      }
      assert.deepEqual(outcomes[0], outcomes[1]);
      assert.deepEqual(outcomes[0]!.slice(-2).map(([status]) => status), [429, 429]);
    });

    it('costs the same statements and the same hashes, whoever it is', async function () {
      if (database.name !== 'sqlite') return this.skip();
      const counted = await countStatements(database);
      const own = await startTwoCall(counted);
      try {
        const [person, bare] = [await own.registerAccount(), await own.registerAccount()];
        const { secret } = await own.enrol(person);
        own.clock.advance(MINUTE);
        const work = async (send: () => Promise<Response>) => {
          const hashes = countHashes();
          const statements = counted.record();
          assert.equal((await send()).status, 401);
          return { hashes: hashes(), statements: statements() };
        };
        // The first miss of each account makes what is there at the next.
        const password = (email: string) => async () => own.qrCode({ email, password: 'wrong' });
        await password(person.email)();
        const known = await work(password(person.email));
        assert.equal(known.hashes, 1);
        assert.ok(known.statements.length > 3);
        for (const email of [bare.email, 'nobody@example.com']) {
          await password(email)();
          assert.deepEqual(await work(password(email)), known, email);
        }

        const ticket = await own.ticket(person);
        const code = wrongCodeOf(secret, own.clock);
        const wrong = await work(() => own.validate({ email: person.email, code, ticket }));
        assert.ok(wrong.statements.length > 3);
        for (const fields of [{ email: person.email, code }, { email: 'nobody@example.com', code, ticket: BOGUS }, { email: bare.email, code, ticket }, { email: 'nobody@example.com', code, ticket }]) {
          assert.deepEqual(await work(() => own.validate(fields)), wrong, JSON.stringify(fields));
        }
      } finally {
        await own.close();
      }
    });
  });

  describe('going round the second factor', () => {
    it('makes one token of fifty calls with one code', async () => {
      const person = await tandem.registerAccount();
      const png = await tandem.qrCode(pick(person));
      const { secret } = otpauthOf(await textOf(png));
      const first = { email: person.email, code: codeOf(secret, tandem.clock), ticket: ticketOf(png) };
      const race = async (fields: Array<Record<string, string>>) => (await Promise.all(fields.map((each) => tandem.validate(each)))).map(({ status }) => status);
      const one = await race(Array<typeof first>(50).fill(first));
      assert.equal(one.filter((status) => status === 200).length, 1, one.join());
      assert.ok(one.every((status) => [200, 401, 429].includes(status)), one.join());

      // Then with an authenticator in use; whatever the fifty have missed is over after an hour.
      tandem.clock.advance(61 * MINUTE);
      const ticket = await tandem.ticket(person);
      // Two codes that are both good, the older one first, as a step is taken after no later one: the ticket alone says that one is enough.
      const many = await race(Array.from({ length: 50 }, (_, n) => ({ email: person.email, code: codeOf(secret, tandem.clock, n < 5 ? -1 : 0), ticket })));
      assert.equal(many.filter((status) => status === 200).length, 1, many.join());
    });

    it('makes one token of one ticket, also with codes that are all good', async () => {
      const person = await tandem.registerAccount();
      const { secret } = await tandem.enrol(person);
      tandem.clock.advance(2 * MINUTE);
      const ticket = await tandem.ticket(person);
      const [before, now] = [-1, 0].map((steps) => codeOf(secret, tandem.clock, steps));
      assert.equal((await tandem.validate({ email: person.email, code: before, ticket })).status, 200);
      assert.equal((await tandem.validate({ email: person.email, code: now, ticket })).status, 401);
      assert.equal((await tandem.validate({ email: person.email, code: now, ticket: await tandem.ticket(person) })).status, 200, 'the code itself was good');
    });

    it('shows no QR code once an authenticator is in use, and makes none of it twice', async () => {
      const person = await tandem.registerAccount();
      const waiting = await tandem.qrCode(pick(person));
      const stolen = otpauthOf(await textOf(waiting));
      // A thief of the password has a seed; the owner, who comes later, gets another, and only that one counts.
      const { secret } = await tandem.enrol(person, 'other');
      assert.notEqual(secret, stolen.secret);
      tandem.clock.advance(MINUTE);
      assert.equal((await tandem.validate({ email: person.email, code: codeOf(stolen.secret, tandem.clock), ticket: ticketOf(waiting) })).status, 401);
      const again = await tandem.qrCode(pick(person));
      assert.equal(again.status, 409);
      assert.doesNotMatch(again.headers.get('content-type')!, /image/);
      assert.ok(!(await again.text()).includes('otpauth'));
      assert.equal((await tandem.knex('tandem_authenticators').where({ account_id: person.accountId }).whereNotNull('activated_at')).length, 1);
    });

    const PHONE = { id: '', account_id: '', name: 'Phone', platform: '', state: 'active', kid: '', algorithm: 'ES256', public_key: '{}', credential_counter: 0, created_at: 0 };
    let made = 0;
    const phone = (accountId: string, more: object = {}) => {
      const id = `00000000-0000-4000-8000-${String((made += 1)).padStart(12, '0')}`;
      return tandem.knex('tandem_devices').insert({ ...PHONE, id, kid: id, account_id: accountId, ...more });
    };

    it('adds no authenticator by password to an account with a phone, or one reported lost by password', async () => {
      for (const more of [{}, { state: 'revoked', revoked_at: tandem.clock(), revoked_reason: 'lost-unproven' }]) {
        const person = await tandem.registerAccount();
        await phone(person.accountId, more);
        const answer = await tandem.qrCode(pick(person));
        assert.equal(answer.status, 409);
        assert.equal(answer.headers.get('tandem-ticket'), null);
        assert.deepEqual(answer.headers.getSetCookie(), []);
        const body = (await answer.json()) as Record<string, string>;
        assert.deepEqual(Object.keys(body).sort(), ['account_url', 'error', 'error_description']);
        assert.equal(body['account_url'], tandem.url('/account'));
        assert.deepEqual(await tandem.knex('tandem_authenticators').where({ account_id: person.accountId }), []);
      }
      const person = await tandem.registerAccount();
      await phone(person.accountId, { state: 'revoked', revoked_at: tandem.clock() - 8 * 24 * 3_600_000, revoked_reason: 'lost-unproven' });
      assert.equal((await tandem.qrCode(pick(person))).status, 200, 'after a week that is over');
    });

    it('activates none for whoever got a phone between the calls', async () => {
      const person = await tandem.registerAccount();
      const png = await tandem.qrCode(pick(person));
      const { secret } = otpauthOf(await textOf(png));
      await phone(person.accountId);
      assert.equal((await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: ticketOf(png) })).status, 401);
      assert.deepEqual(await tandem.knex('tandem_authenticators').where({ account_id: person.accountId }).whereNotNull('activated_at'), []);
    });

    it('lets nobody go on with a ticket of a password that was changed since', async () => {
      const person = await tandem.registerAccount();
      const png = await tandem.qrCode(pick(person));
      const { secret } = otpauthOf(await textOf(png));
      await tandem.t.accounts!.changePassword(person.accountId, { current: person.password, next: 'nine green lanterns over Bruges' });
      assert.equal((await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: ticketOf(png) })).status, 401);
      assert.deepEqual(await tandem.knex('tandem_authenticators').where({ account_id: person.accountId }).whereNotNull('activated_at'), []);
    });

    it('does not keep a client from its people by trying one account for long', async () => {
      const person = await tandem.registerAccount();
      const taken = async () => (await tandem.knex('tandem_limits').sum({ points: 'points' }).where('points', '>', 0).first())!['points'];
      for (let n = 0; n < 11; n += 1) await tandem.qrCode({ email: person.email, password: `guess ${n}` });
      const before = await taken();
      for (let n = 0; n < 5; n += 1) assert.equal((await tandem.qrCode({ email: person.email, password: `guess ${n}` })).status, 429);
      // Of the account five more, of the client none.
      assert.equal(Number(await taken()) - Number(before), 5);
    });

    it('holds code guesses back, and says so to the holder of a ticket alone', async () => {
      const person = await tandem.registerAccount();
      const { secret } = await tandem.enrol(person);
      tandem.clock.advance(MINUTE);
      const ticket = await tandem.ticket(person);
      const statuses = [];
      for (let n = 0; n < 6; n += 1) statuses.push((await tandem.validate({ email: person.email, code: wrongCodeOf(secret, tandem.clock), ticket })).status);
      assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429]);
      const blocked = await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket });
      assert.equal(blocked.status, 429);
      assert.ok(Number(blocked.headers.get('retry-after')) > 0);
      assert.equal((await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: BOGUS })).status, 401);
      tandem.clock.advance(MINUTE);
      assert.equal((await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket })).status, 200);
    });

    it('takes nothing from a browser’s session at the provider', async () => {
      const person = await tandem.registerAccount();
      const browser = await signedInBrowser(tandem, person);
      const { secret } = await tandem.enrol(person);
      tandem.clock.advance(MINUTE);
      const cookie = browser.cookies.header(new URL(tandem.url('/api/users/google/2FAuth/validate')))!;
      assert.match(cookie, /_session/);
      const answer = await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock) }, 'legacy', { cookie });
      assert.equal(answer.status, 401);
      assert.deepEqual(answer.headers.getSetCookie(), []);
    });
  });

  describe('sending nonsense', () => {
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
        await tandem.validate({ email: 'a\0@example.com', code: '12\x003456', ticket: `\0${BOGUS}` }),
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

/** A database of which each statement is counted that runs on it. */
async function countStatements(database: TestDatabase) {
  let ran: string[] | undefined;
  return {
    async open() {
      const knex = await database.open();
      const connection = (await knex.client.acquireConnection()) as { prepare(sql: string): Record<'all' | 'get' | 'run', (...values: unknown[]) => unknown> };
      const prepare = connection.prepare.bind(connection);
      connection.prepare = (sql) => {
        const statement = prepare(sql);
        const counted = (how: 'all' | 'get' | 'run') => (...values: unknown[]) => {
          ran?.push(sql.trim().split(/\s+/).slice(0, 4).join(' '));
          return statement[how](...values);
        };
        return Object.assign(Object.create(statement) as typeof statement, { all: counted('all'), get: counted('get'), run: counted('run') });
      };
      await knex.client.releaseConnection(connection);
      return knex;
    },
    record() {
      const list: string[] = (ran = []);
      return () => ((ran = undefined), list);
    },
  };
}
