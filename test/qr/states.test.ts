import assert from 'node:assert/strict';
import fc from 'fast-check';
import { allows, CHANGES, codeIsDue, isLive, LIVE_STATES, type Change, type Purpose, type State } from '../../src/qr/transaction/states.ts';

const STATES: readonly State[] = ['pending', 'scanned', 'approved', 'confirmed', 'consumed', 'denied', 'cancelled', 'expired'];
const changes = Object.keys(CHANGES) as Change[];

describe('the state machine of a QR transaction', () => {
  it('leaves no final state', () => {
    for (const state of STATES.filter((each) => !isLive(each))) {
      assert.deepEqual(changes.filter((change) => allows(change, state)), [], state);
    }
  });

  it('lets every live state expire', () => {
    for (const state of LIVE_STATES) assert.ok(allows('expire', state, 'expired'));
  });

  it('reaches consumed only through confirmed, and confirmed only after a phone approved', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...changes), { maxLength: 12 }), fc.nat(), (walk, seed) => {
      let state: State = 'pending';
      let approved = false;
      for (const change of walk) {
        if (!allows(change, state)) continue;
        const to: readonly State[] = CHANGES[change].to;
        const next = to[seed % to.length]!;
        if (next === 'consumed') assert.equal(state, 'confirmed');
        if (change === 'approve') approved = true;
        if (next === 'confirmed') assert.ok(approved);
        state = next;
      }
    }));
  });

  it('goes to the states of its table alone', () => {
    assert.equal(allows('approve', 'scanned', 'confirmed'), true);
    assert.equal(allows('approve', 'scanned', 'consumed'), false);
    assert.equal(allows('cancel', 'confirmed'), false);
  });
});

describe('the confirm code', () => {
  it('is spared only for an auto client, a rotating frame and a known account', () => {
    const spared = { purpose: 'login', policy: 'auto', via: 'frame', known: true } as const;
    assert.equal(codeIsDue(spared), false);
    assert.equal(codeIsDue({ ...spared, purpose: 'step-up' }), false);
    assert.equal(codeIsDue({ ...spared, policy: 'always' }), true);
    assert.equal(codeIsDue({ ...spared, known: false }), true);
    assert.equal(codeIsDue({ ...spared, via: 'static' }), true);
    assert.equal(codeIsDue({ ...spared, via: 'code' }), true);
    for (const purpose of ['link', 'device', 'api'] satisfies Purpose[]) assert.equal(codeIsDue({ ...spared, purpose }), true);
  });
});
