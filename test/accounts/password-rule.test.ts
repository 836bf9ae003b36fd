import assert from 'node:assert/strict';
import { createPasswordRule } from '../../src/accounts/password-rule.ts';

const ADA = { email: 'ada.lovelace@example.com', name: 'Ada Lovelace', site: ['id.tandem-login.example', 'tandem-login'] };

describe('the password rule', () => {
  const { problem } = createPasswordRule();

  for (const password of ['a quiet violet bicycle', 'kX9#mQ2$vL', 'Donaudampfschifffahrt im Regen', '七転び八起き、また明日ね', 'vjdkfhgqmz', 'brown fox jumps', '🐢🦊🐝🐙🦉🐳🐌🦋🐞🦔', '  spaced out  words  ', 'x'.repeat(1) + ' marks the spot']) {
    it(`accepts ${password}`, () => assert.equal(problem(password, ADA), undefined));
  }

  it('counts code points, not bytes or UTF-16 units', () => {
    assert.equal(problem('🐢🦊🐝🐙🦉', ADA), 'too_short');
    assert.equal(problem('é'.normalize('NFD').repeat(3) + 'abwz', ADA), 'too_short');
    const long = Array.from({ length: 128 }, (_, n) => String.fromCodePoint(0x1f400 + (n * 7) % 61)).join('');
    assert.equal(problem(long, ADA), undefined);
    assert.equal(problem(`${long}🐢`, ADA), 'too_long');
  });

  for (const password of ['', 'short', '123456789', 'kX9#mQ2$v']) {
    it(`finds ${JSON.stringify(password)} too short`, () => assert.equal(problem(password, ADA), 'too_short'));
  }

  for (const password of [
    'password12', 'Password123!', 'P@ssw0rd2024', 'passwordpassword', 'qwertyuiop', 'QWERTZUIOP', 'azertyuiop123', '1234567890', '0987654321', '1111111111', 'aaaaaaaaaa',
    'abcdefghij', 'abcabcabcabc', 'iloveyou123', 'ILoveYou!!!', 'letmein2025!', 'Sommer2024!', 'Zonneschijn1', 'motdepasse1', 'Wachtwoord1!', 'Passwort123', 'qwerty12345', '1q2w3e4r5t',
    'monkeymonkey', 'dragon12345', 'football99!', '01.01.1990!'.slice(0, 10), '31-12-19855'.slice(0, 10), 'asdfghjkl1', 'zaq12wsxcde3'.slice(0, 4) + 'zaq1zaq1', 'correct horse battery staple', 'ababababab', 'Berlin2024', 'starwars1977',
  ]) {
    it(`finds ${password} too common`, () => assert.equal(problem(password, ADA), 'common'));
  }

  for (const password of ['ada.lovelace@example.com', 'ADA.LOVELACE@example.com', 'ada.lovelace', 'ada.lovelace1', 'Ada Lovelace', 'adalovelace', 'AdaLovelace99', 'tandem-login', 'tandem-login2024']) {
    it(`finds ${password} too close to the person or the site`, () => assert.equal(problem(password, ADA), 'personal'));
  }

  it('takes another least length', () => {
    const strict = createPasswordRule({ minLength: 15 });
    assert.equal(strict.problem('fourteen chars', ADA), 'too_short');
    assert.equal(strict.problem('fifteen charact', ADA), undefined);
  });

  it('answers hostile lengths at once', () => {
    for (const text of ['a1'.repeat(64), 'qwerty'.repeat(21), `${' '.repeat(127)}x`, '-'.repeat(128)]) problem(text, ADA);
  });
});
