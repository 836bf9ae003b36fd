import assert from 'node:assert/strict';
import { hash as argon2 } from '@node-rs/argon2';
import { migrations } from '../../migrations/index.ts';
import { createAccounts } from '../../src/accounts/accounts.ts';
import type { AccountsService } from '../../src/accounts/types.ts';
import { AppError, type ErrorCode } from '../../src/errors.ts';
import type { Context } from '../../src/context.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { createEvents } from '../../src/lib/events.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import { createLimits } from '../../src/lib/limits.ts';
import { silentLog } from '../../src/lib/log.ts';
import { onEachDatabase } from '../support/databases.ts';

const CHEAP = { memoryCost: 1024, timeCost: 1, parallelism: 1 };
const PASSWORD = 'a quiet violet bicycle';

const failsWith = (code: ErrorCode, extra: object = {}) => (error: unknown) => {
  assert.ok(error instanceof AppError, String(error));
  assert.equal(error.code, code);
  for (const [name, value] of Object.entries(extra)) assert.equal(error.extra[name], value);
  return true;
};

onEachDatabase('accounts', (database) => {
  let accounts: AccountsService;
  let context: Context;
  let now: number;
  let heard: Array<{ name: string; payload: Record<string, unknown> }>;

  beforeEach(async () => {
    const knex = await database.open();
    await migrate(knex, migrations);
    now = Date.now();
    heard = [];
    const clock = () => now;
    const db = createDatabase(knex);
    const events = createEvents({ clock, log: silentLog });
    events.subscribe(async (_tx, { name, payload }) => void heard.push({ name, payload: payload as never }));
    const keyRing = createKeyRing([newEncryptionKey()]);
    context = { issuer: 'https://id.example.com', db, clock, log: silentLog, keyRing, limits: createLimits({ db, clock }), events };
    accounts = createAccounts(context, { hashing: CHEAP });
  });

  const register = (email = 'ada@example.com', more: { password?: string; name?: string } = {}) =>
    accounts.register({ email, password: PASSWORD, ...more }, { address: '192.0.2.1' });

  it('registers an account, which then proves itself however its address is typed', async () => {
    const account = await register('Ada@Example.com', { name: '  Ada   Lovelace ' });
    assert.equal(account.email, 'Ada@Example.com');
    assert.equal(account.name, 'Ada Lovelace');
    assert.ok(!('passwordHash' in account));
    for (const email of ['ada@example.com', ' ADA@EXAMPLE.COM ', 'ａda@example.com']) {
      assert.equal((await accounts.verifyPassword(email, PASSWORD)).id, account.id);
    }
    assert.deepEqual(await accounts.find(account.id), { accountId: account.id, label: 'Ada@Example.com', name: 'Ada Lovelace', email: 'Ada@Example.com', locale: undefined });
    assert.equal(await accounts.find('nobody'), undefined);
    assert.deepEqual(heard.map(({ name }) => name), ['account.registered', 'account.signed_in', 'account.signed_in', 'account.signed_in']);
  });

  it('keeps no password in the clear, and none in an event', async () => {
    await register();
    await assert.rejects(accounts.verifyPassword(PASSWORD, PASSWORD), failsWith('invalid_credentials'));
    const [row] = await context.db.knex('tandem_accounts');
    assert.match(row.password_hash, /^\$argon2id\$v=19\$m=1024,t=1,p=1\$/);
    assert.ok(!JSON.stringify([row, heard]).includes(PASSWORD));
  });

  it('gives each address one account, also when two register at once', async () => {
    const tries = await Promise.allSettled(['ada@example.com', 'ADA@example.com', 'Ada@EXAMPLE.com'].map((email) => register(email)));
    assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const each of tries) if (each.status === 'rejected') failsWith('email_taken')(each.reason);
    assert.equal(heard.length, 1, 'the losers left no event');
  });

  for (const email of ['', 'ada', 'ada@', '@example.com', 'a b@example.com', 'ada@exa mple.com', 'ada@example..com', 'ada@-a.com', 'a\n@example.com', `${'a'.repeat(250)}@example.com`, 'ada@example.com\r\nBcc: x@y.z', '<x>@example.com']) {
    it(`refuses ${JSON.stringify(email).slice(0, 30)} as an e-mail address`, async () => {
      await assert.rejects(register(email), failsWith('invalid_request', { field: 'email' }));
    });
  }

  it('refuses names that could disguise themselves', async () => {
    for (const name of ['x'.repeat(101), 'Ada\u202egnp.exe', 'Ada\u0000', 'Ada\ud800']) {
      await assert.rejects(register('ada@example.com', { name }), failsWith('invalid_request', { field: 'name' }));
    }
    assert.equal((await register('ada@example.com', { name: '   ' })).name, undefined);
  });

  it('fails alike for a wrong password and an unknown address', async () => {
    await register();
    const messages = new Set<string>();
    for (const email of ['ada@example.com', 'nobody@example.com', 'no address']) {
      await assert.rejects(accounts.verifyPassword(email, 'wrong password'), (error: unknown) => {
        failsWith('invalid_credentials')(error);
        messages.add((error as Error).message);
        return true;
      });
    }
    assert.equal(messages.size, 1);
  });

  it('hashes for unknown addresses what it hashes for known ones', async () => {
    // By the work itself, since a measured time is no proof: with a cost that takes long, both take long.
    const slow = createAccounts(context, { hashing: { memoryCost: 65_536, timeCost: 3, parallelism: 1 } });
    await slow.register({ email: 'ada@example.com', password: PASSWORD });
    await slow.verifyPassword('ada@example.com', PASSWORD);
    const cpu = async (email: string) => {
      const before = process.cpuUsage();
      await assert.rejects(slow.verifyPassword(email, 'wrong password'));
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    assert.ok((await cpu('nobody@example.com')) > 0.3 * (await cpu('ada@example.com')));
  });

  it('stops guessing at an account after ten tries, known or unknown alike', async () => {
    await register();
    for (const email of ['ada@example.com', 'nobody@example.com']) {
      const outcomes: string[] = [];
      for (let n = 0; n < 12; n += 1) {
        await accounts.verifyPassword(email, 'wrong password').catch((error: AppError) => outcomes.push(error.code));
      }
      assert.deepEqual(outcomes, [...Array<string>(10).fill('invalid_credentials'), 'rate_limited', 'rate_limited'], email);
    }
    await assert.rejects(accounts.verifyPassword('ADA@example.com', PASSWORD), (error: unknown) => {
      failsWith('rate_limited')(error);
      assert.ok((error as AppError).retryAfter! > 0 && (error as AppError).retryAfter! <= 900);
      return true;
    });
    now += 15 * 60_000 + 1000;
    await accounts.verifyPassword('ada@example.com', PASSWORD);
  });

  it('lets no more than ten of a hundred guesses at once be tried', async () => {
    await register();
    const tries = await Promise.allSettled(Array.from({ length: 100 }, () => accounts.verifyPassword('ada@example.com', 'wrong password')));
    const codes = tries.map((each) => (each.status === 'rejected' ? (each.reason as AppError).code : 'in'));
    assert.equal(codes.filter((code) => code === 'invalid_credentials').length, 10);
    assert.equal(codes.filter((code) => code === 'rate_limited').length, 90);
  });

  it('counts for all processes together', async () => {
    await register();
    const second = createAccounts({ ...context, limits: createLimits(context) }, { hashing: CHEAP });
    for (let n = 0; n < 5; n += 1) {
      await assert.rejects(accounts.verifyPassword('ada@example.com', 'wrong password'), failsWith('invalid_credentials'));
      await assert.rejects(second.verifyPassword('ada@example.com', 'wrong password'), failsWith('invalid_credentials'));
    }
    await assert.rejects(accounts.verifyPassword('ada@example.com', PASSWORD), failsWith('rate_limited'));
    await assert.rejects(second.verifyPassword('ada@example.com', PASSWORD), failsWith('rate_limited'));
  });

  it('starts anew after a success', async () => {
    await register();
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 9; n += 1) await assert.rejects(accounts.verifyPassword('ada@example.com', 'wrong password'));
      await accounts.verifyPassword('ada@example.com', PASSWORD);
    }
  });

  it('stops an address that guesses at many accounts', async () => {
    let refused = 0;
    for (let n = 0; n < 105; n += 1) {
      await accounts.verifyPassword(`person${n}@example.com`, 'wrong password', { address: '203.0.113.9' }).catch((error: AppError) => {
        if (error.code === 'rate_limited') refused += 1;
      });
    }
    assert.equal(refused, 5);
  });

  it('does not stop an address at which many people know their passwords, or one network of IPv6 that guesses', async () => {
    await register();
    for (let n = 0; n < 105; n += 1) await accounts.verifyPassword('ada@example.com', PASSWORD, { address: '203.0.113.10' });
    let refused = 0;
    for (let n = 0; n < 105; n += 1) {
      const address = `2001:db8:1:2::${n.toString(16)}`;
      await accounts.verifyPassword(`person${n}@example.com`, 'wrong password', { address }).catch((error: AppError) => {
        if (error.code === 'rate_limited') refused += 1;
      });
    }
    assert.equal(refused, 5);
  });

  it('does not lock the owner out of a browser that the account knows', async () => {
    const { id } = await register();
    for (let n = 0; n < 10; n += 1) await assert.rejects(accounts.verifyPassword('ada@example.com', 'wrong password'));
    await assert.rejects(accounts.verifyPassword('ada@example.com', PASSWORD), failsWith('rate_limited'));
    const browser = { name: 'own', knows: (accountId: string) => accountId === id };
    assert.equal((await accounts.verifyPassword('ada@example.com', PASSWORD, { browser })).id, id);
    const stranger = { name: 'other', knows: () => false };
    await assert.rejects(accounts.verifyPassword('ada@example.com', PASSWORD, { browser: stranger }), failsWith('rate_limited'));
  });

  it('limits registrations by address', async () => {
    for (let n = 0; n < 20; n += 1) await register(`person${n}@example.com`);
    await assert.rejects(register('one-too-many@example.com'), failsWith('rate_limited'));
  });

  it('moves a hash to new parameters at the next sign-in, and not before', async () => {
    const { id } = await register();
    const stored = async () => (await context.db.knex('tandem_accounts').where({ id }).first()).password_hash as string;
    const now2 = createAccounts(context, { hashing: { ...CHEAP, timeCost: 2 } });
    await assert.rejects(now2.verifyPassword('ada@example.com', 'wrong password'));
    assert.match(await stored(), /t=1,/);
    await now2.verifyPassword('ada@example.com', PASSWORD);
    const rehashed = await stored();
    assert.match(rehashed, /t=2,/);
    await now2.verifyPassword('ada@example.com', PASSWORD);
    assert.equal(await stored(), rehashed, 'once');
    await context.db.knex('tandem_accounts').where({ id }).update({ password_hash: await argon2(PASSWORD, { ...CHEAP, algorithm: 1 as never }) });
    await accounts.verifyPassword('ada@example.com', PASSWORD);
    assert.match(await stored(), /^\$argon2id/);
  });

  it('takes one password from keyboards that compose characters differently', async () => {
    await register('ada@example.com', { password: 'schöne grüne Bäume' });
    await accounts.verifyPassword('ada@example.com', 'schöne grüne Bäume'.normalize('NFD'));
  });

  it('changes the password with the current one only, once of two at a time', async () => {
    const { id } = await register();
    await assert.rejects(accounts.changePassword(id, { current: 'wrong password', next: 'another fine sentence' }), failsWith('invalid_credentials'));
    await assert.rejects(accounts.changePassword(id, { current: PASSWORD, next: 'password12' }), failsWith('weak_password', { reason: 'common' }));
    const both = await Promise.allSettled(
      ['first fine sentence', 'second fine sentence'].map((next) => accounts.changePassword(id, { current: PASSWORD, next })),
    );
    assert.equal(both.filter(({ status }) => status === 'fulfilled').length, 1);
    await assert.rejects(accounts.verifyPassword('ada@example.com', PASSWORD), failsWith('invalid_credentials'));
    assert.equal(heard.filter(({ name }) => name === 'account.password_changed').length, 1);
  });

  it('answers the provider with claims, and undefined for nobody', async () => {
    const { id } = await register('ada@example.com', { name: 'Ada' });
    const found = await accounts.findAccount({} as never, id);
    assert.deepEqual(await found!.claims('id_token', 'openid', {}, []), {
      sub: id,
      email: 'ada@example.com',
      email_verified: false,
      name: 'Ada',
      updated_at: Math.floor(now / 1000),
    });
    assert.equal(await accounts.findAccount({} as never, 'nobody'), undefined);
    now += 5000;
    await accounts.rename(id, '');
    const claims = await (await accounts.findAccount({} as never, id))!.claims('userinfo', 'openid', {}, []);
    assert.ok(!('name' in claims));
    assert.equal(claims['updated_at'], Math.floor(now / 1000));
  });
});
