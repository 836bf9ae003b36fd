import assert from 'node:assert/strict';
import { createSnapshot } from '../../src/resources/snapshot.ts';

describe('a snapshot of what seldom changes', () => {
  let now: number;
  let state: { version: number; value: string };
  let asked: string[];
  /** Set, each look waits for it. */
  let held: Promise<void> | undefined;
  let snapshot: ReturnType<typeof createSnapshot<string>>;
  beforeEach(() => {
    [now, state, asked, held] = [1_000_000, { version: 1, value: 'first' }, [], undefined];
    snapshot = createSnapshot({
      clock: () => now,
      async version() {
        asked.push('version');
        return state.version;
      },
      async load() {
        asked.push('load');
        const { value } = state;
        await held;
        return value;
      },
    });
  });

  it('asks once for callers at the same time, and for those soon after', async () => {
    assert.deepEqual(await Promise.all([snapshot.get(), snapshot.get(), snapshot.get()]), ['first', 'first', 'first']);
    now += 800;
    await snapshot.get();
    assert.deepEqual(asked, ['version', 'load']);
  });

  it('looks at the version within a second, and loads only where that has changed', async () => {
    await snapshot.get();
    now += 1000;
    assert.equal(await snapshot.get(), 'first');
    assert.deepEqual(asked, ['version', 'load', 'version']);
    state = { version: 2, value: 'second' };
    now += 1000;
    assert.equal(await snapshot.get(), 'second');
    assert.deepEqual(asked.slice(3), ['version', 'load']);
  });

  it('reads anew what was forgotten, though a look from before is still under way', async () => {
    let release = () => {};
    held = new Promise((resolve) => (release = resolve));
    const before = snapshot.get();
    await new Promise(setImmediate);
    state = { version: 2, value: 'second' };
    snapshot.forget();
    held = undefined;
    assert.equal(await snapshot.get(), 'second');
    release();
    assert.equal(await before, 'first');
    assert.equal(await snapshot.get(), 'second');
  });

  it('does not keep a failure', async () => {
    const failing = { ...state };
    Object.defineProperty(state, 'version', { get: () => assert.fail('the database is away') });
    await assert.rejects(snapshot.get(), /away/);
    state = failing;
    assert.equal(await snapshot.get(), 'first');
  });

  it('does not last for ever where the clock is put back', async () => {
    await snapshot.get();
    state = { version: 2, value: 'second' };
    now -= 3_600_000;
    assert.equal(await snapshot.get(), 'second');
  });
});
