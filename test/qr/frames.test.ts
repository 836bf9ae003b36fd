import assert from 'node:assert/strict';
import fc from 'fast-check';
import { randomToken } from '../../src/lib/crypto.ts';
import { createKeyRing } from '../../src/lib/key-ring.ts';
import { createFrames, frameNumber, isFresh, parseLink, ROTATION, type FrameNumber } from '../../src/qr/transaction/frames.ts';

const issuer = 'https://id.example.com';
const key = randomToken(32);
const frames = createFrames({ issuer, keyRing: createKeyRing([key]) });

const anyTx = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
const anyNumber = fc.oneof(fc.nat(999_999_999), fc.constant('s' as const));
const link = (tx: string, n: FrameNumber) => frames.text(tx, n).slice(`${issuer}/q/`.length);

describe('QR frames', () => {
  it('are links that read back as they were made, and are genuine', () => {
    fc.assert(fc.property(anyTx, anyNumber, (tx, n) => {
      const frame = parseLink(link(tx, n));
      assert.ok(frame);
      assert.deepEqual([frame.tx, frame.n], [tx, n]);
      assert.equal(frames.genuine(frame), true);
    }));
  });

  it('are bound to transaction, number, issuer and key', () => {
    fc.assert(fc.property(anyTx, anyTx, anyNumber, anyNumber, (tx, otherTx, n, other) => {
      const frame = parseLink(link(tx, n))!;
      if (otherTx !== tx) assert.equal(frames.genuine({ ...frame, tx: otherTx }), false);
      if (other !== n) assert.equal(frames.genuine({ ...frame, n: other }), false);
      const elsewhere = createFrames({ issuer: 'https://evil.example', keyRing: createKeyRing([key]) });
      assert.equal(elsewhere.genuine(frame), false);
      const otherKey = createFrames({ issuer, keyRing: createKeyRing([randomToken(32)]) });
      assert.equal(otherKey.genuine(frame), false);
    }), { numRuns: 30 });
  });

  it('outlive a rotation of the encryption key', () => {
    const rotated = createFrames({ issuer, keyRing: createKeyRing([randomToken(32), key]) });
    assert.equal(rotated.genuine(parseLink(link('a'.repeat(22), 3))!), true);
  });

  it('are fresh for the current and the next rotation, no longer', () => {
    fc.assert(fc.property(fc.nat(), fc.nat(3_600_000), fc.nat(3_600_000), (startedAt, shown, later) => {
      const n = frameNumber(startedAt, startedAt + shown);
      const age = startedAt + shown + later - (startedAt + n * ROTATION);
      const fresh = isFresh(n, { startedAt, isStatic: false }, startedAt + shown + later);
      assert.equal(fresh, age < 2 * ROTATION);
    }));
  });

  it('are static only where the transaction was created static', () => {
    assert.equal(isFresh('s', { startedAt: 0, isStatic: true }, 119_000), true);
    assert.equal(isFresh('s', { startedAt: 0, isStatic: false }, 0), false);
    assert.equal(isFresh(0, { startedAt: 0, isStatic: true }, 0), false);
  });

  it('refuse every other writing of a link', () => {
    const good = link('a'.repeat(22), 7);
    for (const bad of ['', '1', `2${good.slice(1)}`, `${good}=`, `${good}/`, good.replace('.7.', '.07.'), good.replace('.7.', '.-7.'), good.replace('.7.', '.7e0.'), ` ${good}`, `${good}\n`]) {
      assert.equal(parseLink(bad), undefined, JSON.stringify(bad));
    }
  });
});
