import assert from 'node:assert/strict';
import { verify } from '@node-rs/argon2';
import type { AppError } from '../../src/errors.ts';
import { createCodeHashing, newCode, readCode, shownCode } from '../../src/recovery/codes.ts';
import { onEachDatabase } from '../support/databases.ts';
import { countHashes } from '../support/work.ts';
import { startRecovery } from './harness.ts';

const SHAPE = /^(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/;

describe('a recovery code', () => {
  it('is what somebody meant who typed letters for digits', () => {
    const meant = '0123456789ABCD10';
    for (const typed of ['0123-4567-89AB-CD10', 'o123-4567-89ab-cdlO', 'OI23 4567 89AB CDI0', '0L23456789abcdiO', '\u20100123\u20134567\u201489AB CD10\n', '０１２３４５６７８９ＡＢＣＤ１０']) {
      assert.equal(readCode(typed), meant, typed);
    }
    for (const typed of ['', '0123-4567-89AB-CD1', '0123-4567-89AB-CD100', '0123-4567-89AB-CDU0', '0123_4567_89AB_CD10']) assert.equal(readCode(typed), undefined, typed);
    const code = newCode();
    assert.equal(readCode(shownCode(code)), code);
  });

  it('is kept as Argon2id makes it of code and salt, at the cost of a password', async () => {
    const hashing = createCodeHashing();
    const salt = hashing.newSalt();
    assert.equal(Buffer.from(salt, 'base64url').byteLength, 16);
    const base64 = (text: string) => Buffer.from(text, 'base64url').toString('base64').replace(/=+$/, '');
    const kept = `$argon2id$v=19$m=19456,t=2,p=1$${base64(salt)}$${base64(await hashing.hash('0123456789ABCD10', salt))}`;
    assert.equal(await verify(kept, '0123456789ABCD10'), true);
    assert.equal(await verify(kept, '0123456789ABCD11'), false);
  });
});

onEachDatabase('recovery codes', (database) => {
  let t: Awaited<ReturnType<typeof startRecovery>>;
  before(async () => {
    t = await startRecovery(database);
  });
  after(() => t.close());

  let count = 0;
  /** An account with a factor. */
  function someone() {
    const account = `account-${(count += 1)}`;
    t.factors.add(account);
    return account;
  }
  const told = (account: string) => t.emitted.filter(({ payload }) => payload.accountId === account).map(({ name }) => name);
  const use = (account: string, code: string, options: Partial<Parameters<typeof t.recovery.use>[2]> = {}) => t.recovery.use(account, code, { keep: true, ...options });

  it('are ten of 80 random bits, without letters that look like others', async () => {
    const codes = [...(await t.recovery.make(someone())), ...(await t.recovery.make(someone()))];
    assert.equal(new Set(codes).size, 20);
    for (const code of codes) assert.match(code, SHAPE);
    const used = new Set(codes.join('').replaceAll('-', ''));
    // Of 320 draws from 32 letters, fewer than 28 different ones have a chance below one in 10^9.
    assert.ok(used.size >= 28, [...used].sort().join(''));
  });

  it('are nowhere in the database, nor is any part of them', async () => {
    const account = someone();
    const codes = await t.recovery.make(account);
    const rows: unknown[] = [];
    for (const table of ['tandem_recovery_sets', 'tandem_recovery_codes', 'tandem_limits']) rows.push(...((await t.knex(table).select('*')) as unknown[]));
    const dump = JSON.stringify(rows);
    assert.ok(dump.includes(account));
    for (const code of codes) {
      for (const part of [code, code.replaceAll('-', ''), code.slice(0, 9)]) assert.ok(!dump.includes(part));
    }
    const hashes = ((await t.knex('tandem_recovery_codes').where({ account_id: account })) as Array<{ hash: string }>).map(({ hash }) => hash);
    assert.equal(new Set(hashes).size, 10);
    // The same ones once more would hash to others.
    assert.equal(((await t.knex('tandem_recovery_sets').select('salt')) as Array<{ salt: string }>).every(({ salt }, index, all) => all.findIndex((each) => each.salt === salt) === index), true);
  });

  it('work in whatever way they are typed', async () => {
    const account = someone();
    const [first = '', second = '', third = '', fourth = ''] = await t.recovery.make(account);
    await use(account, first.toLowerCase());
    await use(account, `  ${second.replaceAll('-', ' ')} `);
    await use(account, third.replaceAll('-', '').replaceAll('0', 'o').replaceAll('1', 'l'));
    await use(account, fourth.replaceAll('-', '–').replaceAll('1', 'I'));
    assert.equal(await t.recovery.left(account), 6);
  });

  it('are good once', async () => {
    const account = someone();
    const [code = ''] = await t.recovery.make(account);
    await use(account, code);
    await assert.rejects(use(account, code), { code: 'invalid_code' });
    assert.equal(await t.recovery.left(account), 9);
    assert.deepEqual(told(account), ['recovery.codes_made', 'recovery.used', 'recovery.failed']);
  });

  it('are good once, however often they are typed at the same instant', async () => {
    const account = someone();
    const [code = ''] = await t.recovery.make(account);
    const processes = [t.recovery, t.join()];
    const tries = Array.from({ length: 50 }, (_, index) => processes[index % 2]!.use(account, code, { keep: true }));
    const results = await Promise.allSettled(tries);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of results) if (result.status === 'rejected') assert.match((result.reason as AppError).code, /^(invalid_code|rate_limited)$/);
    assert.equal(told(account).filter((name) => name === 'recovery.used').length, 1);
    assert.equal(await t.recovery.left(account), 9);
  });

  it('are good for their own account alone', async () => {
    const [account, other, without] = [someone(), someone(), someone()];
    const [code = ''] = await t.recovery.make(account);
    await t.recovery.make(other);
    await assert.rejects(use(other, code), { code: 'invalid_code' });
    await assert.rejects(use(without, code), { code: 'invalid_code' });
    await use(account, code);
  });

  it('tell accounts apart by case', async () => {
    const codes = await t.recovery.make('Anna');
    await t.recovery.make('anna');
    await assert.rejects(use('anna', codes[0]!), { code: 'invalid_code' });
    await use('Anna', codes[0]!);
    assert.equal(await t.recovery.left('anna'), 10);
  });

  it('refuse what is no code in the same words', async () => {
    const [account, without] = [someone(), someone()];
    await t.recovery.make(account);
    const messages = new Set<string>();
    for (const who of [account, without]) {
      for (const typed of ['', 'x', '0000-0000-0000-0000', 'U'.repeat(16), '1'.repeat(100)]) {
        await assert.rejects(use(who, typed), (error: AppError) => Boolean(messages.add(`${error.code} ${error.message}`)));
      }
    }
    assert.equal(messages.size, 1);
  });

  it('cost one hash to try, whether or not there is anything to find', async () => {
    const [account, without] = [someone(), someone()];
    const [code = ''] = await t.recovery.make(account);
    for (const [who, typed] of [[account, code], [account, code], [account, 'no code'], [without, code], [without, 'no code']] as const) {
      const hashes = countHashes();
      await use(who, typed).catch((error: AppError) => assert.equal(error.code, 'invalid_code'));
      assert.equal(hashes(), 1, `${who === account ? 'with' : 'without'} codes: ${typed}`);
    }
  });

  it('are void once there are new ones', async () => {
    const account = someone();
    const [old = ''] = await t.recovery.make(account);
    const [code = ''] = await t.recovery.make(account);
    assert.equal(await t.recovery.left(account), 10);
    await assert.rejects(use(account, old), { code: 'invalid_code' });
    await use(account, code);
  });

  it('are one set, however many are made at once', async () => {
    const account = someone();
    const processes = [t.recovery, t.join()];
    const sets = await Promise.all(Array.from({ length: 8 }, (_, index) => processes[index % 2]!.make(account)));
    assert.equal(await t.recovery.left(account), 10);
    let good = 0;
    for (const [code = ''] of sets) good += await use(account, code).then(() => 1, () => 0);
    assert.equal(good, 1);
  });

  it('come first to whoever has none, once', async () => {
    const account = someone();
    const made = await Promise.all(Array.from({ length: 6 }, () => t.recovery.makeFirst(account)));
    assert.deepEqual(made.filter(Boolean).map((codes) => codes?.length), [10]);
    assert.equal(await t.recovery.makeFirst(account), undefined);
    assert.equal(told(account).filter((name) => name === 'recovery.codes_made').length, 1);
  });

  it('are replaced once by a form that is sent twice', async () => {
    const account = someone();
    await t.recovery.make(account);
    const madeAt = await t.recovery.madeAt(account);
    t.advance(1000);
    const made = await Promise.all([t.recovery.makeAnew(account, madeAt), t.recovery.makeAnew(account, madeAt)]);
    assert.equal(made.filter(Boolean).length, 1);
    assert.equal(await t.recovery.makeAnew(account, madeAt), undefined);
  });

  it('take ten tries an hour, and forget them after a success', async () => {
    const account = someone();
    const [code = '', next = ''] = await t.recovery.make(account);
    for (let index = 0; index < 9; index += 1) await assert.rejects(use(account, 'x'), { code: 'invalid_code' });
    await use(account, code);
    for (let index = 0; index < 10; index += 1) await assert.rejects(use(account, 'x'), { code: 'invalid_code' });
    await assert.rejects(use(account, next), (error: AppError) => error.code === 'rate_limited' && (error.retryAfter ?? 0) > 3000);
    t.advance(3_600_001);
    await use(account, next);
  });

  it('are not kept from their owner by who tries at another address', async () => {
    const account = someone();
    const [code = ''] = await t.recovery.make(account);
    const thief = { address: '192.0.2.66' };
    for (let index = 0; index < 10; index += 1) await assert.rejects(use(account, 'x', thief), { code: 'invalid_code' });
    await assert.rejects(use(account, 'x', thief), { code: 'rate_limited' });
    await use(account, code, { address: '198.51.100.1' });
    await assert.rejects(use(account, 'x', thief), { code: 'rate_limited' });
  });

  it('take a hundred misses a quarter of an hour from one address, at whatever accounts', async () => {
    const address = '192.0.2.7';
    const accounts = Array.from({ length: 11 }, someone);
    for (const account of accounts.slice(0, 10)) {
      for (let index = 0; index < 10; index += 1) await assert.rejects(use(account, 'x', { address }), { code: 'invalid_code' });
    }
    await assert.rejects(use(accounts[10]!, 'x', { address }), { code: 'rate_limited' });
    await assert.rejects(use(accounts[10]!, 'x', { address: '192.0.2.8' }), { code: 'invalid_code' });
  });

  it('end the factors unless told to keep them, and are void with the last', async () => {
    const account = someone();
    const [kept = '', code = '', other = ''] = await t.recovery.make(account);
    await use(account, kept, { sessionUid: 's' });
    assert.deepEqual(t.ended.filter((words) => words.includes(account)), []);
    await use(account, code, { keep: false, sessionUid: 's', address: '192.0.2.1', clientId: 'rp' });
    assert.deepEqual(t.ended.filter((words) => words.includes(`${account}:`)), [`authenticators of ${account}: recovery`, `phones of ${account}: recovery`]);
    assert.equal(await t.recovery.has(account), false);
    await assert.rejects(use(account, other), { code: 'invalid_code' });
    const used = t.emitted.filter(({ name, payload }) => name === 'recovery.used' && payload.accountId === account);
    assert.deepEqual(used.map(({ payload }) => payload), [
      { accountId: account, left: 9, kept: true, sessionUid: 's', clientId: undefined, address: undefined },
      { accountId: account, left: 0, kept: false, sessionUid: 's', clientId: 'rp', address: '192.0.2.1' },
    ]);
  });

  it('keep the phones where one of them has just signed in, and then stay good', async () => {
    const account = someone();
    const [code = ''] = await t.recovery.make(account);
    await use(account, code, { keep: false, keepPhones: true });
    assert.deepEqual(t.ended.filter((words) => words.includes(`${account}:`)), [`authenticators of ${account}: recovery`]);
    assert.equal(await t.recovery.left(account), 9);
  });

  it('are void with the last factor, but not where a password alone has ended it', async () => {
    const [proven, unproven, later] = [someone(), someone(), someone()];
    for (const account of [proven, unproven, later]) await t.recovery.make(account);
    await t.gone(proven, { proven: true });
    assert.equal(await t.recovery.has(proven), false);
    assert.deepEqual(told(proven), ['recovery.codes_made', 'device.revoked', 'recovery.codes_voided']);
    t.unproven.add(unproven);
    await t.gone(unproven, { proven: false });
    assert.equal(await t.recovery.left(unproven), 10);
    // Whoever reported the phones lost adds one, and puts it away by its own key.
    await t.gone(unproven);
    assert.equal(await t.recovery.left(unproven), 10);
    // Nor does a phone that was never confirmed take them away, however long ago that was.
    t.unproven.delete(unproven);
    await t.gone(unproven, { reason: 'unconfirmed' });
    assert.equal(await t.recovery.left(unproven), 10);
    t.unproven.add(later);
    const [code = ''] = await t.recovery.make(later);
    await use(later, code);
    await t.gone(later);
    assert.equal(await t.recovery.has(later), false);
  });
});
