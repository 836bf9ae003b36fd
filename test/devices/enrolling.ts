import type { TestDatabase } from '../support/databases.ts';
import { startDevices, type DevicesHarness } from './harness.ts';

export const MINUTE = 60_000;

/**
 * The devices room for a suite of enrolments.
 *
 * @param given - is handed the room before the tests.
 */
export function enrolling(database: TestDatabase, given: (t: DevicesHarness) => void) {
  let t: DevicesHarness;
  before(async () => {
    t = await startDevices(database);
    given(t);
  });
  after(() => t.close());

  /** An account of its own for each test, so that none sees another's phones. */
  let count = 0;
  const someone = () => `person-${(count += 1)}`;

  return { someone };
}
