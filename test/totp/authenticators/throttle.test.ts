import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { OFF_AT, triesLeft, waitAfter } from '../../../src/totp/codes/throttle.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { wrongCodeOf } from '../../support/otp.ts';
import { refused, startTotp, STEP, tally } from './harness.ts';
import type { TotpHarness } from './harness.ts';

const SECOND = 1000;
const HOUR = 3600;
const DAY = 24 * HOUR * SECOND;

describe('the wait after misses', () => {
  it('is none before the fifth, then 30 s, and twice as long each time up to an hour', () => {
    assert.deepEqual([0, 1, 2, 3, 4].map(waitAfter), [0, 0, 0, 0, 0]);
    assert.deepEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 99].map((misses) => waitAfter(misses) / SECOND), [30, 60, 120, 240, 480, 960, 1920, HOUR, HOUR, HOUR]);
    assert.deepEqual([0, 1, 4, 5, 6].map(triesLeft), [5, 4, 1, 0, 0]);
  });

  it('never grows shorter, nor longer than an hour, however many there were', () => {
    fc.assert(
      fc.property(fc.nat(), (misses) => {
        assert.ok(waitAfter(misses + 1) >= waitAfter(misses));
        assert.ok(waitAfter(misses) <= HOUR * SECOND);
      }),
    );
  });
});

onEachDatabase('wrong codes', (database) => {
  let t: TotpHarness;
  let phone: Awaited<ReturnType<TotpHarness['enrolled']>>;
  beforeEach(async () => {
    t = await startTotp(database);
    phone = await t.enrolled();
  });
  afterEach(() => t.close());

  const verify = (code: string, totp = t.totp) => totp.verify('alice', code, {});
  const wrong = () => wrongCodeOf(phone.secret, t.clock);
  const told = (name: string) => t.emitted.filter((event) => event.name === name).length;

  /** So many wrong codes, each as soon as one may be typed. */
  async function miss(times: number) {
    for (let count = 0; count < times; count += 1) {
      const { blockedUntil } = await t.totp.standing('alice');
      if (blockedUntil !== undefined) t.advance(blockedUntil - t.clock());
      await assert.rejects(verify(wrong()), (error: { code?: string }) => error.code === 'invalid_code');
    }
  }

  it('cost nothing five times, and then time, in which the right one is refused too', async () => {
    for (const left of [4, 3, 2, 1]) await assert.rejects(verify(wrong()), refused('invalid_code', { tries_left: left }));
    assert.deepEqual(await t.totp.standing('alice'), { off: false, blockedUntil: undefined });
    await assert.rejects(verify(wrong()), refused('invalid_code', { tries_left: 0 }, 30));
    assert.deepEqual(await t.totp.standing('alice'), { off: false, blockedUntil: t.clock() + 30 * SECOND });
    await assert.rejects(verify(phone.code()), refused('rate_limited', {}, 30));
    t.advance(29 * SECOND + 1);
    await assert.rejects(verify(phone.code()), refused('rate_limited', {}, 1));
    t.advance(999);
    assert.deepEqual(await t.totp.standing('alice'), { off: false, blockedUntil: undefined });
    await verify(phone.code());
  });

  it('cost twice as much time each time, up to an hour; what is refused for the time counts for nothing', async () => {
    await miss(5);
    for (const seconds of [30, 60, 120, 240, 480, 960, 1920, HOUR, HOUR, HOUR]) {
      for (let count = 0; count < 3; count += 1) await assert.rejects(verify(wrong()), refused('rate_limited', {}, seconds));
      t.advance(seconds * SECOND);
      await assert.rejects(verify(wrong()), refused('invalid_code', { tries_left: 0 }, Math.min(seconds * 2, HOUR)));
    }
  });

  it('are forgotten with a right one', async () => {
    await miss(4);
    await verify(phone.code());
    t.advance(STEP);
    await miss(6);
    t.advance(60 * SECOND);
    await verify(phone.code());
    for (const left of [4, 3, 2, 1]) await assert.rejects(verify(wrong()), refused('invalid_code', { tries_left: left }));
  });

  it('count where the code was right once, and not where it is none', async () => {
    const used = phone.code();
    await verify(used);
    for (const left of [4, 3, 2]) await assert.rejects(verify(used), refused('invalid_code', { tries_left: left }));
    for (let count = 0; count < 10; count += 1) await assert.rejects(verify('12345'), refused('invalid_code'));
    await assert.rejects(verify(used), refused('invalid_code', { tries_left: 1 }));
  });

  it('count for their own account', async () => {
    const other = await t.enrolled('bob');
    await miss(5);
    await t.totp.verify('bob', other.code(), {});
  });

  it('count for all authenticators of an account together', async () => {
    const second = await t.enrolled('alice', 'Second');
    await miss(5);
    await assert.rejects(verify(second.code()), refused('rate_limited', {}, 30));
  });

  it('at the same time, at two processes, get no further than one after the other', async () => {
    const other = t.join();
    const code = wrong();
    const guess = () => Promise.allSettled(Array.from({ length: 60 }, (_, n) => verify(code, n % 2 ? other : t.totp)));
    assert.deepEqual(tally(await guess()), { invalid_code: 5, rate_limited: 55 });
    for (const wait of [30, 60, 120]) {
      t.advance(wait * SECOND);
      assert.deepEqual(tally(await guess()), { invalid_code: 1, rate_limited: 59 });
    }
    assert.equal(told('totp.failed'), 8);
  });

  it('keep the right one of many at the same time from being found sooner', async () => {
    await miss(5);
    const guesses = [wrong(), phone.code()];
    const answers = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => verify(guesses[n % 2]!)));
    assert.deepEqual(tally(answers), { rate_limited: 40 });
  });

  it('are counted by processes that come later', async () => {
    await miss(7);
    const { blockedUntil } = await t.totp.standing('alice');
    const later = t.join();
    assert.deepEqual(await later.standing('alice'), { off: false, blockedUntil });
    await assert.rejects(verify(phone.code(), later), refused('rate_limited', {}, 120));
  });

  it('are counted with what the rooms write that hear of them, or not at all', async () => {
    t.fail('totp.failed');
    await assert.rejects(verify(wrong()), /a room failed/);
    t.fail(undefined);
    await assert.rejects(verify(wrong()), refused('invalid_code', { tries_left: 4 }));
  });

  describe('a hundred in a row', () => {
    beforeEach(async () => {
      await miss(OFF_AT - 1);
      t.advance(HOUR * SECOND);
    });

    it('switch the factor off, told once; the account still needs it', async () => {
      assert.deepEqual(await t.totp.standing('alice'), { off: false, blockedUntil: undefined });
      await assert.rejects(verify(wrong()), refused('locked'));
      assert.deepEqual(t.emitted.at(-1)?.payload, { accountId: 'alice', clientId: undefined, address: undefined });
      t.advance(400 * DAY);
      await assert.rejects(verify(phone.code()), refused('locked'));
      await assert.rejects(verify(wrong(), t.join()), refused('locked'));
      assert.equal(told('totp.switched_off'), 1);
      assert.equal(told('totp.failed'), 100);
      assert.deepEqual(await t.totp.standing('alice'), { off: true, blockedUntil: undefined });
      assert.equal(await t.totp.required('alice'), true);
    });

    it('are forgotten with a right one before the last', async () => {
      await verify(phone.code());
      await assert.rejects(verify(wrong()), refused('invalid_code', { tries_left: 4 }));
    });

    it('are over once another authenticator is in use', async () => {
      await assert.rejects(verify(wrong()), refused('locked'));
      const second = await t.enrolled('alice', 'Second');
      assert.deepEqual(await t.totp.standing('alice'), { off: false, blockedUntil: undefined });
      await verify(second.code());
      await verify(phone.code());
    });

    it('are over once the authenticator was removed and added anew, and not by removing one of two', async () => {
      const second = await t.enrolled('alice', 'Second');
      await miss(OFF_AT - 1);
      t.advance(HOUR * SECOND);
      await assert.rejects(verify(wrong()), refused('locked'));
      await t.totp.remove('alice', second.id);
      await assert.rejects(verify(phone.code()), refused('locked'));
      await t.totp.remove('alice', phone.id);
      assert.deepEqual(await t.totp.standing('alice'), { off: false, blockedUntil: undefined });
      const anew = await t.enrolled();
      await verify(anew.code());
    });

    it('are over once the account was reset', async () => {
      await assert.rejects(verify(wrong()), refused('locked'));
      await t.db.transaction((tx) => t.totp.removeAll(tx, 'alice', 'reset'));
      assert.deepEqual(await t.totp.standing('alice'), { off: false, blockedUntil: undefined });
      const anew = await t.enrolled();
      await verify(anew.code());
    });
  });
});
