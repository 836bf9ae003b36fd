import assert from 'node:assert/strict';
import { codeOf, hasOathtool, oathtool, seedOf, wrongCodeOf } from '../support/otp.ts';
import { onEachDatabase } from '../support/databases.ts';
import { refused, startTotp, STEP } from './harness.ts';
import type { TotpHarness } from './harness.ts';

const MINUTE = 60_000;

onEachDatabase('authenticators', (database) => {
  let t: TotpHarness;
  beforeEach(async () => {
    t = await startTotp(database);
  });
  const origin = { address: '192.0.2.1' };
  const verify = (code: string, accountId = 'alice') => t.totp.verify(accountId, code, origin);

  /** Of answers in parallel: how many were given, and the codes of those refused. */
  const count = (answers: PromiseSettledResult<unknown>[]) => ({
    given: answers.filter(({ status }) => status === 'fulfilled').length,
    refused: [...new Set(answers.flatMap((answer) => (answer.status === 'rejected' ? [(answer.reason as { code?: string }).code ?? String(answer.reason)] : [])))].sort(),
  });

  describe('enrolment', () => {
    it('gives a seed that is in use only once a code of it was typed', async () => {
      const { id, secret, uri, expiresAt } = await t.totp.begin('alice', origin);
      assert.equal(seedOf(secret).byteLength, 20);
      assert.equal(uri, `otpauth://totp/Example:alice%40example.com?secret=${secret}&issuer=Example`);
      assert.equal(expiresAt, t.clock() + 15 * MINUTE);
      assert.deepEqual(await t.totp.list('alice'), []);
      assert.equal(await t.totp.required('alice'), false);
      await assert.rejects(verify(codeOf(secret, t.clock)), refused('invalid_code', { tries_left: 4 }));

      const activated = await t.totp.activate('alice', id, codeOf(secret, t.clock), { by: 'account', name: '  My phone ' });
      assert.deepEqual(activated, { id, name: 'My phone', createdAt: t.clock(), lastUsedAt: t.clock(), first: true });
      const { first: _, ...authenticator } = activated;
      assert.deepEqual(await t.totp.list('alice'), [authenticator]);
      assert.equal(await t.totp.required('alice'), true);
      assert.equal(await t.totp.required('bob'), false);
      assert.deepEqual(t.names(), ['totp.enrolment_started', 'totp.failed', 'totp.activated']);
      assert.deepEqual(t.emitted.at(-1)?.payload, { authenticatorId: id, accountId: 'alice', name: 'My phone', by: 'account', first: true, clientId: undefined, address: undefined });
    });
  });

  describe('a code', () => {
    it('is taken once', async () => {
      const phone = await t.enrolled();
      const code = phone.code();
      const used = await verify(code);
      assert.deepEqual(used, { id: phone.id, name: 'Authenticator', createdAt: phone.createdAt, lastUsedAt: t.clock() });
      assert.deepEqual(await t.totp.list('alice'), [used]);
      await assert.rejects(verify(code), refused('invalid_code', { tries_left: 4 }));
      t.advance(STEP);
      await assert.rejects(verify(code), refused('invalid_code', { tries_left: 3 }));
      await verify(phone.code());
    });

    it('is taken once of fifty requests at the same time, at two processes', async () => {
      const phone = await t.enrolled();
      const other = t.instance();
      const code = phone.code();
      const answers = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => (n % 2 ? t.totp : other).verify('alice', code, origin)));
      assert.equal(count(answers).given, 1);
      assert.equal(t.names().filter((name) => name === 'totp.verified').length, 1);
    });
  });
});
