import assert from 'node:assert/strict';
import { totp as migration } from '../../../migrations/012_totp.ts';
import { AppError } from '../../../src/errors.ts';
import { migrate, rollback } from '../../../src/lib/database/migrate.ts';
import { createTotpStore } from '../../../src/totp/authenticators/store.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { codeOf, itWithOathtool, oathtool, seedOf, wrongCodeOf } from '../../support/otp.ts';
import { countHmacs } from '../../support/work.ts';
import { refused, startTotp, STEP, tally } from './harness.ts';
import type { TotpHarness } from './harness.ts';

const DAY = 24 * 3_600_000;

onEachDatabase('a code of an authenticator', (database) => {
  let t: TotpHarness;
  /** What `verified` is told, and what it throws. */
  const verified: string[] = [];
  let broken: Error | undefined;
  beforeEach(async () => {
    verified.length = 0;
    broken = undefined;
    t = await startTotp(database, {
      verified: async (_tx, accountId) => {
        verified.push(accountId);
        if (broken) throw broken;
      },
    });
  });
  afterEach(() => t.close());

  const origin = { clientId: 'rp', address: '192.0.2.1' };
  const verify = (code: string, accountId: string | undefined = 'alice') => t.totp.verify(accountId, code, origin);

  it('is taken, and told', async () => {
    const phone = await t.enrolled();
    const { activatedBy, ...used } = await verify(phone.code());
    assert.equal(activatedBy, 'account');
    assert.deepEqual(used, { id: phone.id, name: 'Authenticator', createdAt: phone.createdAt, lastUsedAt: t.clock() });
    assert.deepEqual(await t.totp.list('alice'), [used]);
    assert.deepEqual(t.emitted.at(-1), { name: 'totp.verified', at: t.clock(), payload: { authenticatorId: phone.id, accountId: 'alice', ...origin } });
    assert.deepEqual(verified, ['alice']);
  });

  it('may be typed as the app shows it', async () => {
    const phone = await t.enrolled();
    const code = phone.code();
    await verify(` ${code.slice(0, 3)} ${code.slice(3)}\n`);
  });

  it('that is none is refused, and counts for nothing', async () => {
    const phone = await t.enrolled();
    for (const typed of ['', '12345', '1234567', 'abcdef', `${phone.code()}0`, '\0', 'x'.repeat(10_000)]) await assert.rejects(verify(typed), refused('invalid_code'));
    await assert.rejects(verify(wrongCodeOf(phone.secret, t.clock)), refused('invalid_code', { tries_left: 4 }));
    assert.equal(t.names().filter((name) => name === 'totp.failed').length, 1);
  });

  it('is taken once', async () => {
    const phone = await t.enrolled();
    const code = phone.code();
    await verify(code);
    await assert.rejects(verify(code), refused('invalid_code', { tries_left: 4 }));
    t.advance(STEP);
    await assert.rejects(verify(code), refused('invalid_code', { tries_left: 3 }));
    await verify(phone.code());
  });

  it('is taken once of fifty requests at the same time, at two processes', async () => {
    const phone = await t.enrolled();
    const other = t.join();
    const code = phone.code();
    const answers = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => (n % 2 ? t.totp : other).verify('alice', code, origin)));
    const { given } = tally(answers);
    assert.equal(given, 1);
    assert.equal(t.names().filter((name) => name === 'totp.verified').length, 1);
  });

  it('is taken once of fifty codes of two steps at the same time, or once each in their order', async () => {
    const phone = await t.enrolled();
    const codes = [phone.code(-1), phone.code()];
    const answers = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => verify(codes[n % 2]!)));
    assert.ok([1, 2].includes(tally(answers)['given']!));
  });

  it('is used up by whoever writes first, even with nothing locked', async () => {
    const phone = await t.enrolled();
    const store = createTotpStore({ db: t.db, clock: t.clock });
    const use = (step: number) => t.db.transaction((tx) => store.use(phone.id, { step, drift: 0 }, tx));
    const step = Math.floor(t.clock() / STEP);
    const uses = await Promise.all(Array.from({ length: 20 }, () => use(step)));
    assert.equal(uses.filter(Boolean).length, 1);
    assert.equal(await use(step - 1), false);
    assert.equal(await use(step + 1), true);
  });

  it('is that of the current step or the one before', async () => {
    const phone = await t.enrolled();
    for (const stepsAhead of [-3, -2, 1, 2]) await assert.rejects(verify(phone.code(stepsAhead)), refused('invalid_code', { tries_left: 4 }), `${stepsAhead}`).then(() => reset(phone));
    await verify(phone.code(-1));
    await verify(phone.code());
    // The step before one that was used is used up with it.
    t.advance(STEP);
    await verify(phone.code());
    await assert.rejects(verify(phone.code(-1)), refused('invalid_code', { tries_left: 4 }));
  });

  /** Types a right code, and lets its step pass. */
  async function reset(phone: { code(): string }) {
    await verify(phone.code());
    t.advance(3 * STEP);
  }

  it('is that of an app whose clock is ahead, once its first code has told so, by one step at most', async () => {
    const { id, secret } = await t.totp.begin('alice');
    const ahead = (steps: number) => codeAhead(secret, steps);
    await assert.rejects(t.totp.activate('alice', id, ahead(2), { by: 'account' }), refused('invalid_code', { tries_left: 4 }));
    await t.totp.activate('alice', id, ahead(1), { by: 'account' });
    for (const day of [1, 2, 3]) {
      t.advance(DAY);
      await assert.rejects(verify(ahead(2)), refused('invalid_code', { tries_left: 4 }), `day ${day}`);
      await verify(ahead(1));
    }
    // Typed slowly, it says nothing new.
    t.advance(DAY);
    await verify(ahead(0));
    t.advance(DAY);
    await verify(ahead(1));
    // The clock has been set right, and told so.
    t.advance(DAY);
    await verify(ahead(-1));
    t.advance(DAY);
    await assert.rejects(verify(ahead(1)), refused('invalid_code', { tries_left: 4 }));
  });

  it('is that of an app whose clock is behind, by one step at most', async () => {
    const phone = await t.enrolled();
    await assert.rejects(verify(phone.code(-2)), refused('invalid_code', { tries_left: 4 }));
    await verify(phone.code(-1));
    for (const day of [1, 2, 3]) {
      t.advance(DAY);
      await assert.rejects(verify(phone.code(-3)), refused('invalid_code', { tries_left: 4 }), `day ${day}`);
      await verify(phone.code(-2));
    }
    t.advance(DAY);
    await verify(phone.code());
    t.advance(DAY);
    await assert.rejects(verify(phone.code(-2)), refused('invalid_code', { tries_left: 4 }));
  });

  const codeAhead = (secret: string, steps: number) => codeOf(secret, t.clock, steps);

  it('may be of any of the account’s authenticators, each used up by itself', async () => {
    const [one, two] = [await t.enrolled('alice', 'One'), await t.enrolled('alice', 'Two')];
    assert.equal((await verify(two.code())).name, 'Two');
    assert.equal((await verify(one.code(-1))).name, 'One');
    assert.equal((await verify(one.code())).name, 'One');
    await assert.rejects(verify(two.code()), refused('invalid_code', { tries_left: 4 }));
    await assert.rejects(verify(two.code(-1)), refused('invalid_code', { tries_left: 3 }));
  });

  it('is of no use to another account', async () => {
    const phone = await t.enrolled();
    await t.enrolled('bob');
    await assert.rejects(verify(phone.code(), 'bob'), refused('invalid_code', { tries_left: 4 }));
    await assert.rejects(verify(phone.code(), 'Alice'), refused('invalid_code', { tries_left: 4 }));
    await verify(phone.code());
  });

  it('of an account that has none, or of nobody, is refused like a wrong one', async () => {
    await t.totp.begin('carol');
    for (const accountId of ['carol', 'dave', undefined]) {
      await assert.rejects(t.totp.verify(accountId, '123456', origin), refused('invalid_code', { tries_left: 4 }));
      assert.deepEqual(t.emitted.at(-1)?.payload, { accountId, failures: 1, ...origin });
    }
    assert.deepEqual(await t.knex('tandem_totp_accounts').select('account_id', 'misses'), [{ account_id: 'carol', misses: 0 }]);
  });

  it('costs the same work, wrong or right, or where there is none to compare it with', async () => {
    const phone = await t.enrolled();
    await t.totp.begin('carol');
    const work = (accountId: string | undefined, code: string) => countHmacs(() => t.totp.verify(accountId, code, origin).catch(refused('invalid_code', { tries_left: 4 })));
    const right = await work('alice', phone.code());
    assert.equal(right, 2);
    assert.equal(await work('alice', wrongCodeOf(phone.secret, t.clock)), right);
    for (const accountId of ['carol', 'dave', undefined]) assert.equal(await work(accountId, '123456'), right, accountId);
  });

  it('is not used up where a room fails that must hear of it', async () => {
    const phone = await t.enrolled();
    broken = new Error('the phones could not be written');
    await assert.rejects(verify(phone.code()), /could not be written/);
    broken = undefined;
    t.fail('totp.verified');
    await assert.rejects(verify(phone.code()), /a room failed/);
    t.fail(undefined);
    await verify(phone.code());
  });

  describe('whose seed', () => {
    it('is in no table, however it is written', async () => {
      const phone = await t.enrolled();
      const { secret } = await t.totp.begin('alice');
      const dump = JSON.stringify([await t.knex('tandem_authenticators').select(), await t.knex('tandem_totp_accounts').select()]).toLowerCase();
      for (const each of [phone.secret, secret]) {
        const seed = seedOf(each);
        for (const text of [each, seed.toString('hex'), seed.toString('base64').replace(/=+$/, ''), seed.toString('base64url')]) assert.ok(!dump.includes(text.toLowerCase()));
      }
      assert.match(dump, /"seed":"v1\./);
    });

    it('was moved to another authenticator or account is refused like a wrong one, and logged', async () => {
      const [mine, hers, other] = [await t.enrolled('mallory'), await t.enrolled('alice'), await t.enrolled('alice', 'Other')];
      const seedIn = async (id: string) => (await t.knex('tandem_authenticators').where({ id }).first<{ seed: string }>('seed')).seed;
      const wrong = refused('invalid_code', { tries_left: 4 });

      const before = await seedIn(hers.id);
      await t.knex('tandem_authenticators').where({ id: hers.id }).update({ seed: await seedIn(mine.id) });
      await assert.rejects(verify(mine.code()), wrong);
      assert.match(JSON.stringify(t.logged), new RegExp(hers.id));
      assert.ok(t.logged.every((entry) => 'err' in entry && /another place/.test(String(entry.err))));
      // The account's other authenticator goes on.
      await verify(other.code());

      await t.knex('tandem_authenticators').where({ id: hers.id }).update({ seed: await seedIn(other.id) });
      t.advance(2 * STEP);
      await verify(other.code());
      await assert.rejects(verify(other.code()), wrong);

      // The whole row, at another account.
      await t.knex('tandem_authenticators').where({ id: hers.id }).update({ seed: before });
      await t.knex('tandem_authenticators').where({ id: mine.id }).update({ account_id: 'alice' });
      await assert.rejects(verify(mine.code()), refused('invalid_code', { tries_left: 3 }));
      await verify(hers.code());
      for (const nonsense of ['', 'v1.x.y.z', 'nonsense']) {
        await t.knex('tandem_authenticators').where({ id: mine.id }).update({ seed: nonsense });
        await assert.rejects(verify(mine.code()), (error) => error instanceof AppError && error.code === 'invalid_code');
      }
    });

    it('was moved while its enrolment was under way is given to nobody', async () => {
      await t.totp.begin('mallory');
      const pending = await t.totp.begin('alice');
      await t.knex('tandem_authenticators').where({ id: pending.id }).update({ account_id: 'bob' });
      await assert.rejects(t.totp.pending('bob', pending.id), refused('expired'));
      await t.totp.begin('bob').then(({ id }) => assert.notEqual(id, pending.id));
    });
  });

  for (const algorithm of ['SHA256', 'SHA512'] as const) {
    it(`is by ${algorithm} where the site asks for that`, async () => {
      const other = await startTotp(database, { algorithm });
      try {
        const phone = await other.enrolled();
        assert.equal(seedOf(phone.secret).byteLength, algorithm === 'SHA256' ? 32 : 64);
        await other.totp.verify('alice', phone.code(), origin);
      } finally {
        await other.close();
      }
    });
  }

  itWithOathtool('is taken from oathtool', async () => {
    const phone = await t.enrolled();
    await verify(await oathtool(phone.secret, t.clock() / 1000));
  });

  it('needs tables that come and go', async () => {
    const knex = await database.open();
    await migrate(knex, [migration]);
    assert.deepEqual(await rollback(knex, [migration]), ['012_totp']);
    assert.equal(await knex.schema.hasTable('tandem_authenticators'), false);
    assert.equal(await knex.schema.hasTable('tandem_totp_accounts'), false);
    await migrate(knex, [migration]);
  });
});
