import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { acceptedSteps, digitsOf, firstSteps, learnedDrift } from '../../../src/totp/codes/acceptance.ts';
import { base32Of, codeAt, matchingSteps, newSeed, otpauthUri, stepAt } from '../../../src/totp/codes/otp.ts';
import { AppError } from '../../../src/errors.ts';
import { codeAtSecond, itWithOathtool, oathtool, seedOf } from '../../support/otp.ts';

const ALGORITHMS = ['SHA1', 'SHA256', 'SHA512'] as const;

/** RFC 6238 Appendix B; the seeds as its erratum 2866 has them, as long as each hash. */
const SEEDS = {
  SHA1: Buffer.from('12345678901234567890'),
  SHA256: Buffer.from('12345678901234567890123456789012'),
  SHA512: Buffer.from('1234567890123456789012345678901234567890123456789012345678901234'),
};
const VECTORS = [
  { second: 59, SHA1: '94287082', SHA256: '46119246', SHA512: '90693936' },
  { second: 1111111109, SHA1: '07081804', SHA256: '68084774', SHA512: '25091201' },
  { second: 1111111111, SHA1: '14050471', SHA256: '67062674', SHA512: '99943326' },
  { second: 1234567890, SHA1: '89005924', SHA256: '91819424', SHA512: '93441116' },
  { second: 2000000000, SHA1: '69279037', SHA256: '90698825', SHA512: '38618901' },
  { second: 20000000000, SHA1: '65353130', SHA256: '77737706', SHA512: '47863826' },
];

describe('codes (RFC 6238)', () => {
  for (const algorithm of ALGORITHMS) {
    for (const vector of VECTORS) {
      it(`are those of Appendix B: ${algorithm} at ${vector.second} s`, () => {
        const key = { seed: SEEDS[algorithm], algorithm };
        assert.equal(codeAt(key, stepAt(vector.second * 1000), 8), vector[algorithm]);
        // An authenticator shows the last six of them.
        assert.equal(codeAt(key, stepAt(vector.second * 1000)), vector[algorithm].slice(2));
        // The generator that the other tests take codes from must be right by itself.
        assert.equal(codeAtSecond(SEEDS[algorithm], vector.second, { algorithm, digits: 8 }), vector[algorithm]);
      });
    }
  }

  it('are those of an independent generator, whatever the seed and the time', () => {
    const seeds = fc.uint8Array({ minLength: 20, maxLength: 64 });
    // Up to the year 5138.
    const seconds = fc.integer({ min: 0, max: 100_000_000_000 });
    fc.assert(
      fc.property(fc.constantFrom(...ALGORITHMS), seeds, seconds, (algorithm, seed, second) => {
        assert.equal(codeAt({ seed, algorithm }, stepAt(second * 1000)), codeAtSecond(seed, second, { algorithm }));
        assert.deepEqual(seedOf(base32Of(seed)), Buffer.from(seed));
      }),
      { numRuns: 500 },
    );
  });

  itWithOathtool('are those of oathtool, whatever the seed and the time', async () => {
    const samples = fc.sample(fc.tuple(fc.constantFrom(...ALGORITHMS), fc.integer({ min: 0, max: 4_000_000_000 })), 30);
    for (const [algorithm, second] of samples) {
      const seed = newSeed(algorithm);
      assert.equal(await oathtool(base32Of(seed), second, { algorithm }), codeAt({ seed, algorithm }, stepAt(second * 1000)), `${algorithm} at ${second}`);
    }
    for (const vector of VECTORS) {
      assert.equal(await oathtool(base32Of(SEEDS.SHA1), vector.second, { digits: 8 }), vector.SHA1);
    }
  });

  it('match the steps that they are of, and no others', () => {
    const key = { seed: SEEDS.SHA1, algorithm: 'SHA1' } as const;
    assert.deepEqual(matchingSteps(key, codeAt(key, 1000), [998, 999, 1000, 1001]), [1000]);
    assert.deepEqual(matchingSteps(key, codeAt(key, 1002), [998, 999, 1000, 1001]), []);
    assert.deepEqual(matchingSteps(key, '', [1000]), []);
  });

  it('need a seed as long as the hash, which is never the same', () => {
    assert.deepEqual(ALGORITHMS.map((algorithm) => newSeed(algorithm).byteLength), [20, 32, 64]);
    assert.equal(new Set(Array.from({ length: 1000 }, () => base32Of(newSeed('SHA1')))).size, 1000);
  });
});

describe('the steps whose codes are taken', () => {
  it('are the current and the previous one, and one more where the clock of the app is known to be off', () => {
    assert.deepEqual(acceptedSteps(100, 0), [99, 100]);
    assert.deepEqual(acceptedSteps(100, 1), [99, 100, 101]);
    assert.deepEqual(acceptedSteps(100, -1), [98, 99, 100]);
    assert.deepEqual(firstSteps(100), [99, 100, 101]);
  });

  it('move by one step at most, however often a clock is found to be off', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 3 }), { maxLength: 50 }), (choices) => {
        let drift = 0;
        for (const choice of choices) {
          const steps = acceptedSteps(1000, drift);
          assert.ok(steps.every((step) => step >= 998 && step <= 1001) && steps.length <= 3);
          drift = learnedDrift(steps[choice % steps.length]!, 1000, drift);
          assert.ok(Math.abs(drift) <= 1);
        }
      }),
    );
  });

  it('follow the last code, though a clock that is ahead is not forgotten for a code that was typed slowly', () => {
    assert.equal(learnedDrift(101, 100, 0), 1);
    assert.equal(learnedDrift(100, 100, 1), 1);
    assert.equal(learnedDrift(99, 100, 1), -1);
    assert.equal(learnedDrift(98, 100, -1), -1);
    assert.equal(learnedDrift(100, 100, -1), 0);
  });
});

describe('a typed code', () => {
  it('may have gaps, as apps show it, and digits of another width', () => {
    for (const typed of ['123456', ' 123 456 ', '123-456', '123\u00a0456', '1 2 3 4 5 6\n', '１２３４５６', '123\u2013456']) assert.equal(digitsOf(typed), '123456');
  });

  it('is refused where it is none', () => {
    for (const typed of ['', '12345', '1234567', '12345a', '+12345', '123.456', '1e5', '٣', '123456'.repeat(100), '\0' + '123456', 'a'.repeat(100_000)]) {
      assert.throws(() => digitsOf(typed), (error) => error instanceof AppError && error.code === 'invalid_code' && !('tries_left' in error.extra));
    }
  });
});

describe('the otpauth URI', () => {
  const read = (issuer: string, label: string, algorithm: (typeof ALGORITHMS)[number] = 'SHA1') => {
    const uri = otpauthUri({ seed: SEEDS[algorithm], algorithm }, { issuer, label });
    const [path = '', query = ''] = uri.slice('otpauth://totp/'.length).split('?');
    return { uri, label: path.split(':').map(decodeURIComponent), parameters: Object.fromEntries(new URLSearchParams(query)) };
  };

  it('names issuer and account, and leaves out what is as every app assumes it', () => {
    assert.equal(
      otpauthUri({ seed: SEEDS.SHA1, algorithm: 'SHA1' }, { issuer: 'Tandem', label: 'alice@example.com' }),
      'otpauth://totp/Tandem:alice%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Tandem',
    );
    assert.equal(read('Tandem', 'alice', 'SHA256').parameters['algorithm'], 'SHA256');
    assert.equal(read('Tandem', 'alice', 'SHA512').parameters['algorithm'], 'SHA512');
  });

  it('holds any name, and divides issuer from account by one colon', () => {
    for (const name of ['Söhne & Töchter', 'a/b?c=d#e&f', '100 %', "O'Hara <x>", '日本語 🚀', 'a+b@example.com']) {
      const { uri, label, parameters } = read(name, name);
      assert.deepEqual(label, [name, name]);
      assert.equal(parameters['issuer'], name);
      assert.equal(parameters['secret'], base32Of(SEEDS.SHA1));
      assert.match(uri, /^[\x21-\x7e]+$/);
    }
    const { label, parameters } = read('localhost:3000', 'a:b\nc\ud800');
    assert.deepEqual(label, ['localhost 3000', 'a b c']);
    assert.equal(parameters['issuer'], 'localhost 3000');
  });
});
