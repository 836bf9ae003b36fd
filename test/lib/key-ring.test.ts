import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

describe('lib/key-ring', () => {
  const [older, newer] = [newEncryptionKey(), newEncryptionKey()];

  it('decrypts what it encrypted, whatever it is', () => {
    const ring = createKeyRing([newer]);
    fc.assert(fc.property(fc.uint8Array(), fc.string(), (bytes, place) => {
      assert.deepEqual(new Uint8Array(ring.decrypt(ring.encrypt(bytes, place), place)), bytes);
    }));
  });

  it('never makes the same ciphertext twice, nor one that shows the text', () => {
    const ring = createKeyRing([newer]);
    const made = [ring.encrypt(Buffer.from('secret'), 'a'), ring.encrypt(Buffer.from('secret'), 'a')];
    assert.notEqual(made[0], made[1]);
    assert.match(made[0]!, /^v1\.[\w-]{11}\.[\w-]{16}\.[\w-]+$/);
  });

  it('refuses a ciphertext that was moved to another place', () => {
    const ring = createKeyRing([newer]);
    const ciphertext = ring.encrypt(Buffer.from('secret'), 'table:1');
    assert.throws(() => ring.decrypt(ciphertext, 'table:2'), /another place/);
  });

  it('refuses a ciphertext of which any character was changed', () => {
    const ring = createKeyRing([newer]);
    const ciphertext = ring.encrypt(Buffer.from('secret'), 'a');
    for (let index = 0; index < ciphertext.length; index += 1) {
      const other = ciphertext[index] === 'A' ? 'B' : 'A';
      const altered = ciphertext.slice(0, index) + other + ciphertext.slice(index + 1);
      assert.throws(() => ring.decrypt(altered, 'a'), `changed at ${index}`);
    }
    for (const wrong of ['', 'v1', 'v1...', `${ciphertext}.x`, ciphertext.slice(0, -1), ciphertext.replace('v1', 'v2')]) {
      assert.throws(() => ring.decrypt(wrong, 'a'));
    }
  });

  it('encrypts under the first key and decrypts under all', () => {
    const before = createKeyRing([older]).encrypt(Buffer.from('secret'), 'a');
    const rotated = createKeyRing([newer, older]);
    assert.equal(text(rotated.decrypt(before, 'a')), 'secret');
    assert.equal(text(createKeyRing([newer]).decrypt(rotated.encrypt(Buffer.from('new'), 'a'), 'a')), 'new');
    assert.throws(() => createKeyRing([newer]).decrypt(before, 'a'), /no encryption key/);
  });

  it('derives subkeys by purpose and key, in the order of the ring', () => {
    const ring = createKeyRing([newer, older]);
    const [first, second] = ring.derive('csrf');
    assert.equal(first.byteLength, 32);
    assert.deepEqual(createKeyRing([older]).derive('csrf')[0], second);
    assert.deepEqual(ring.derive('csrf')[0], first);
    assert.notDeepEqual(ring.derive('nonce')[0], first);
  });

  it('refuses keys that are none, without repeating them', () => {
    for (const keys of [[], [''], ['short'], [`${newer}=`], [newer.slice(1)], [newer, newer], [newer, 'zzz']]) {
      assert.throws(() => createKeyRing(keys), (error: Error) => !keys.some((key) => key && error.message.includes(key)));
    }
  });
});
