import assert from 'node:assert/strict';
import { AppError } from '../../../src/errors.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { codeOf, seedOf, wrongCodeOf } from '../../support/otp.ts';
import { refused, startTotp, STEP, tally } from './harness.ts';
import type { TotpHarness } from './harness.ts';

const MINUTE = 60_000;

onEachDatabase('authenticators', (database) => {
  let t: TotpHarness;
  beforeEach(async () => {
    t = await startTotp(database);
  });
  afterEach(() => t.close());

  const activate = (id: string, code: string, { accountId = 'alice', ...options }: { accountId?: string; name?: string } = {}) =>
    t.totp.activate(accountId, id, code, { by: 'account', ...options });
  const names = async (accountId = 'alice') => (await t.totp.list(accountId)).map(({ name }) => name);

  describe('an enrolment', () => {
    it('gives a seed that is in use only once a code of it was typed', async () => {
      const { id, secret, uri, expiresAt } = await t.totp.begin('alice', { address: '192.0.2.1' });
      assert.equal(seedOf(secret).byteLength, 20);
      assert.equal(uri, `otpauth://totp/Example:alice%40example.com?secret=${secret}&issuer=Example`);
      assert.equal(expiresAt, t.clock() + 15 * MINUTE);
      assert.deepEqual(await t.totp.list('alice'), []);
      assert.equal(await t.totp.required('alice'), false);
      await assert.rejects(t.totp.verify('alice', codeOf(secret, t.clock), {}), refused('invalid_code', { tries_left: 4 }));

      const activated = await t.totp.activate('alice', id, codeOf(secret, t.clock), { name: '  My phone ', by: 'sign-in', clientId: 'rp', address: '192.0.2.1' });
      assert.deepEqual(activated, { id, name: 'My phone', createdAt: t.clock(), lastUsedAt: t.clock(), first: true });
      const { first: _, ...authenticator } = activated;
      assert.deepEqual(await t.totp.list('alice'), [authenticator]);
      assert.equal(await t.totp.required('alice'), true);
      assert.equal(await t.totp.required('bob'), false);
      assert.deepEqual(t.names(), ['totp.enrolment_started', 'totp.failed', 'totp.activated']);
      assert.deepEqual(t.emitted[0]?.payload, { authenticatorId: id, accountId: 'alice', clientId: undefined, address: '192.0.2.1' });
      assert.deepEqual(t.emitted[2]?.payload, { authenticatorId: id, accountId: 'alice', name: 'My phone', by: 'sign-in', first: true, clientId: 'rp', address: '192.0.2.1' });
    });

    it('goes on where it is begun again, and is another after 15 minutes', async () => {
      const first = await t.totp.begin('alice');
      assert.deepEqual(await t.totp.begin('alice'), first);
      t.advance(15 * MINUTE - 1);
      assert.deepEqual(await t.totp.begin('alice'), first);
      assert.deepEqual(await t.totp.pending('alice', first.id), first);
      t.advance(1);
      await assert.rejects(t.totp.pending('alice', first.id), refused('expired'));
      await assert.rejects(activate(first.id, codeOf(first.secret, t.clock)), refused('expired'));
      const second = await t.totp.begin('alice');
      assert.notEqual(second.id, first.id);
      assert.notEqual(second.secret, first.secret);
    });

    it('is another where it is begun anew, and the one before has ended', async () => {
      const first = await t.totp.begin('alice');
      const second = await t.totp.begin('alice', { anew: true });
      assert.notEqual(second.secret, first.secret);
      await assert.rejects(t.totp.pending('alice', first.id), refused('expired'));
      await assert.rejects(activate(first.id, codeOf(first.secret, t.clock)), refused('expired'));
      assert.deepEqual(await t.totp.begin('alice'), second);
      await activate(second.id, codeOf(second.secret, t.clock));
    });

    it('is one, however many begin it at the same time at two processes', async () => {
      const other = t.join();
      const begun = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? t.totp : other).begin('alice')));
      assert.deepEqual([...new Set(begun.map(({ id }) => id))].length, 1);
      assert.deepEqual(t.names(), ['totp.enrolment_started']);
    });

    it('is not begun for whom there is not, nor over and over', async () => {
      await assert.rejects(t.totp.begin('gone'), refused('not_found'));
      for (let count = 0; count < 20; count += 1) await t.totp.begin('alice', { anew: true });
      await assert.rejects(t.totp.begin('alice', { anew: true }), refused('rate_limited', {}, 3600));
      await t.totp.begin('alice');
      await t.totp.begin('bob', { anew: true });
    });

    it('is its account’s own', async () => {
      const { id, secret } = await t.totp.begin('alice');
      await t.totp.begin('bob');
      for (const accountId of ['bob', 'Alice', 'nobody']) {
        await assert.rejects(t.totp.pending(accountId, id), refused('not_found'));
        await assert.rejects(activate(id, codeOf(secret, t.clock), { accountId }), refused('not_found'));
      }
      await assert.rejects(activate('no such one', '123456'), refused('not_found'));
    });

    it('takes a first code once, however many type it at the same time', async () => {
      const { id, secret } = await t.totp.begin('alice');
      const other = t.join();
      const code = codeOf(secret, t.clock);
      const answers = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => (n % 2 ? t.totp : other).activate('alice', id, code, { by: 'account' })));
      assert.deepEqual(tally(answers), { given: 1, conflict: 19 });
      assert.deepEqual(t.names(), ['totp.enrolment_started', 'totp.activated']);
      await assert.rejects(t.totp.pending('alice', id), refused('conflict'));
      // Nor does it sign in.
      await assert.rejects(t.totp.verify('alice', code, {}), refused('invalid_code', { tries_left: 4 }));
    });

    it('counts wrong first codes for itself', async () => {
      const old = await t.enrolled();
      const { id, secret } = await t.totp.begin('alice');
      const wrong = wrongCodeOf(secret, t.clock);
      await assert.rejects(activate(id, '12345'), refused('invalid_code'));
      for (const left of [4, 3, 2, 1]) await assert.rejects(activate(id, wrong), refused('invalid_code', { tries_left: left }));
      await assert.rejects(activate(id, wrong), refused('invalid_code', { tries_left: 0 }, 30));
      await assert.rejects(activate(id, codeOf(secret, t.clock)), refused('rate_limited', {}, 30));
      await t.totp.verify('alice', old.code(), {});
      t.advance(30_000);
      await activate(id, codeOf(secret, t.clock));
      assert.equal(t.names().filter((name) => name === 'totp.failed').length, 5);
    });

    it('counts wrong first codes at the same time one after the other', async () => {
      const { id, secret } = await t.totp.begin('alice');
      const other = t.join();
      const wrong = wrongCodeOf(secret, t.clock);
      const answers = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => (n % 2 ? t.totp : other).activate('alice', id, wrong, { by: 'account' })));
      assert.deepEqual(tally(answers), { invalid_code: 5, rate_limited: 35 });
    });

    it('is guarded to the last moment', async () => {
      const { id, secret } = await t.totp.begin('alice');
      const code = codeOf(secret, t.clock);
      const refuse = () => Promise.reject(new AppError('access_denied', 'not by this sign-in'));
      await assert.rejects(t.totp.activate('alice', id, code, { by: 'account', guard: refuse }), refused('access_denied'));
      assert.equal(await t.totp.required('alice'), false);
      let inside: boolean | undefined;
      const allow = async (tx: Parameters<typeof t.totp.required>[1]) => {
        inside = await t.totp.required('alice', tx);
      };
      await t.totp.activate('alice', id, code, { by: 'account', guard: allow });
      assert.equal(inside, false);
      assert.equal(await t.totp.required('alice'), true);
    });

    it('is undone where a room fails that must hear of it', async () => {
      t.fail('totp.enrolment_started');
      await assert.rejects(t.totp.begin('alice'), /a room failed/);
      t.fail('totp.activated');
      const { id, secret } = await t.totp.begin('alice');
      await assert.rejects(activate(id, codeOf(secret, t.clock)), /a room failed/);
      assert.equal(await t.totp.required('alice'), false);
      t.fail(undefined);
      await activate(id, codeOf(secret, t.clock));
    });

    it('is swept once it has run out, and nothing else is', async () => {
      const phone = await t.enrolled();
      await t.totp.begin('alice');
      await t.totp.begin('bob');
      t.advance(10 * MINUTE);
      await t.totp.begin('carol');
      // For an hour its page is told that it came too late.
      t.advance(64 * MINUTE);
      assert.equal(await t.totp.sweep(), 0);
      t.advance(MINUTE);
      assert.equal(await t.totp.sweep(), 2);
      t.advance(365 * 24 * 60 * MINUTE);
      assert.equal(await t.totp.sweep(), 1);
      await t.totp.verify('alice', phone.code(), {});
    });
  });

  describe('of one account', () => {
    it('are five at most', async () => {
      for (const first of [true, false, false, false, false]) assert.equal((await t.enrolled()).first, first);
      await assert.rejects(t.totp.begin('alice'), refused('conflict'));
      await assert.rejects(t.totp.begin('alice', { anew: true }), refused('conflict'));
      const [oldest] = await t.totp.list('alice');
      await t.totp.remove('alice', oldest!.id);
      await t.enrolled();
      assert.deepEqual(await names(), ['Authenticator 2', 'Authenticator 3', 'Authenticator 4', 'Authenticator 5', 'Authenticator']);
    });

    it('have names of their own, or of their account’s choice', async () => {
      await t.enrolled();
      await t.enrolled('alice', ' ');
      await t.enrolled('alice', 'Zoë’s phone 📱');
      await t.enrolled('bob');
      assert.deepEqual(await names(), ['Authenticator', 'Authenticator 2', 'Zoë’s phone 📱']);
      assert.deepEqual(await names('bob'), ['Authenticator']);
    });

    it('are renamed by it alone', async () => {
      const phone = await t.enrolled();
      await t.totp.rename('alice', phone.id, ' Old phone ', { address: '192.0.2.1' });
      assert.deepEqual(await names(), ['Old phone']);
      assert.deepEqual(t.emitted.at(-1)?.payload, { authenticatorId: phone.id, accountId: 'alice', name: 'Old phone', clientId: undefined, address: '192.0.2.1' });
      await t.totp.rename('alice', phone.id, 'Old phone');
      await assert.rejects(t.totp.rename('bob', phone.id, 'Mine'), refused('not_found'));
      const pending = await t.totp.begin('alice');
      await assert.rejects(t.totp.rename('alice', pending.id, 'Early'), refused('not_found'));
      assert.deepEqual(await names(), ['Old phone']);
    });

    it('have no names that disguise something', async () => {
      const phone = await t.enrolled();
      const { id, secret } = await t.totp.begin('alice');
      const bad = refused('invalid_request', { field: 'name' });
      for (const name of ['x'.repeat(61), 'a\nb', 'a\0b', '\u202egnp.exe', 'a\u2028b', '\ud800', '\u200fx']) {
        await assert.rejects(t.totp.rename('alice', phone.id, name), bad);
        await assert.rejects(activate(id, codeOf(secret, t.clock), { name }), bad);
      }
      for (const name of ['', '   ']) await assert.rejects(t.totp.rename('alice', phone.id, name), bad);
      await t.totp.rename('alice', phone.id, 'x'.repeat(60));
      await t.totp.rename('alice', phone.id, '📱'.repeat(30));
      await activate(id, codeOf(secret, t.clock));
    });

    it('are removed by it alone, and show no codes from then on', async () => {
      const [one, two] = [await t.enrolled(), await t.enrolled()];
      const pending = await t.totp.begin('alice');
      await assert.rejects(t.totp.remove('bob', one.id), refused('not_found'));
      await assert.rejects(t.totp.remove('alice', pending.id), refused('not_found'));
      assert.deepEqual(await t.totp.remove('alice', one.id, { address: '192.0.2.1' }), { last: false });
      assert.deepEqual(t.emitted.at(-1)?.payload, {
        authenticatorId: one.id, accountId: 'alice', name: 'Authenticator', reason: 'account', clientId: undefined, address: '192.0.2.1',
      });
      await assert.rejects(t.totp.remove('alice', one.id), refused('not_found'));
      await assert.rejects(t.totp.verify('alice', one.code(), {}), refused('invalid_code', { tries_left: 4 }));
      await t.totp.verify('alice', two.code(), {});
      assert.deepEqual(await t.totp.remove('alice', two.id), { last: true });
      assert.equal(await t.totp.required('alice'), false);
    });

    it('are removed one after the other, of which one is the last', async () => {
      const phones = [await t.enrolled(), await t.enrolled(), await t.enrolled()];
      const other = t.join();
      const removed = await Promise.all(phones.map(({ id }, n) => (n % 2 ? t.totp : other).remove('alice', id)));
      assert.deepEqual(removed.map(({ last }) => last).sort(), [false, false, true]);
    });

    it('are removed together, with the enrolment under way, where the account is recovered', async () => {
      const phones = [await t.enrolled(), await t.enrolled('alice', 'Tablet')];
      const hers = await t.enrolled('bob');
      const pending = await t.totp.begin('alice');
      const gone = () => t.db.transaction((tx) => t.totp.removeAll(tx, 'alice', 'recovery', { address: '192.0.2.1' }));
      await assert.rejects(
        t.db.transaction(async (tx) => {
          await t.totp.removeAll(tx, 'alice', 'recovery');
          throw new Error('undone');
        }),
        /undone/,
      );
      await t.totp.verify('alice', phones[0]!.code(), {});
      assert.equal(await gone(), 2);
      const told = t.emitted.filter(({ name }) => name === 'totp.removed').map(({ payload }) => payload);
      assert.deepEqual(told, phones.map(({ id, name }) => ({ authenticatorId: id, accountId: 'alice', name, reason: 'recovery', clientId: undefined, address: '192.0.2.1' })));
      assert.deepEqual(await t.totp.list('alice'), []);
      await assert.rejects(activate(pending.id, codeOf(pending.secret, t.clock)), refused('not_found'));
      await assert.rejects(t.totp.verify('alice', phones[1]!.code(), {}), refused('invalid_code', { tries_left: 4 }));
      assert.equal(await gone(), 0);
      assert.equal(await t.db.transaction((tx) => t.totp.removeAll(tx, 'nobody', 'reset')), 0);
      t.advance(STEP);
      await t.totp.verify('bob', hers.code(), {});
    });

    it('are listed and asked for inside a transaction as outside', async () => {
      await t.enrolled();
      const [list, required] = await t.db.transaction(async (tx) => [await t.totp.list('alice', tx), await t.totp.required('alice', tx)] as const);
      assert.deepEqual(list, await t.totp.list('alice'));
      assert.equal(required, true);
    });
  });
});
