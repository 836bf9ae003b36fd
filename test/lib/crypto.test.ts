import assert from 'node:assert/strict';
import fc from 'fast-check';
import { base64url, equal, fromBase64url, hmac, randomDigits, randomFrom, randomToken, sha256, uuid } from '../../src/lib/crypto.ts';
import { AppError } from '../../src/errors.ts';

describe('lib/crypto', () => {
  it('makes tokens of the asked size that differ', () => {
    assert.equal(fromBase64url(randomToken()).byteLength, 32);
    assert.equal(fromBase64url(randomToken(16)).byteLength, 16);
    assert.equal(new Set(Array.from({ length: 1000 }, () => randomToken(16))).size, 1000);
    assert.match(uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  it('draws digits and letters of the alphabet only, and all of them', () => {
    assert.match(randomDigits(6), /^[0-9]{6}$/);
    assert.deepEqual([...new Set(randomFrom('ABC', 600))].sort(), ['A', 'B', 'C']);
    assert.equal(new Set(randomDigits(2000)).size, 10);
  });

  it('compares strings and bytes, and refuses what differs in length', () => {
    assert.equal(equal('abc', Buffer.from('abc')), true);
    assert.equal(equal('abc', 'abd'), false);
    assert.equal(equal('abc', 'abcd'), false);
    assert.equal(equal('', ''), true);
  });

  it('hashes as the standards say', () => {
    assert.equal(sha256('abc').toString('hex'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    // RFC 4231, test case 2
    assert.equal(
      hmac('Jefe', 'what do ya want for nothing?').toString('hex'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  it('reads back what it wrote, and no second spelling of it', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(new Uint8Array(fromBase64url(base64url(bytes))), bytes);
    }));
    for (const text of ['QQ==', 'QR', 'Q', 'a+b/', ' QQ', 'QQ\n', 'é']) {
      assert.throws(() => fromBase64url(text), (error) => error instanceof AppError && error.code === 'invalid_request', text);
    }
  });
});
