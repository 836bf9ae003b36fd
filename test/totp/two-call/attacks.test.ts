import assert from 'node:assert/strict';
import { signedInBrowser } from '../../oidc/helpers.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { codeOf, wrongCodeOf } from '../../support/otp.ts';
import { countStatements } from '../../support/statements.ts';
import { countHashes } from '../../support/work.ts';
import { itWhere } from '../../support/skip.ts';
import { type As, otpauthOf, pick, startTwoCall, textOf, ticketOf, type TwoCallHarness } from './harness.ts';

const MINUTE = 60_000;
const BOGUS = 'x'.repeat(43);

/** All of an answer that somebody could tell two apart by, but for the time of day. */
async function shapeOf(answer: Response) {
  const headers = [...answer.headers].filter(([name]) => name !== 'date');
  return { status: answer.status, headers, body: await answer.text() };
}

onEachDatabase('attacks on the two-call API', (database) => {
  let tandem: TwoCallHarness;
  before(async () => {
    tandem = await startTwoCall(database);
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

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

    itWhere(database.name === 'sqlite', 'counted on SQLite alone', 'costs the same statements and the same hashes, whoever it is', async () => {
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
});
