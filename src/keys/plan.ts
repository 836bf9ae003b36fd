import { PURPOSES } from './material.ts';
import type { Purpose } from './material.ts';
import type { KeyRow, KeyState } from './store.ts';

/** What the keys lack at a moment. Pure, so that it is asked before a transaction and again inside it. */
export interface Plan {
  /** Next keys whose time has come, with the key that each replaces. */
  readonly promotions: ReadonlyArray<{ next: KeyRow; active: KeyRow | undefined }>;
  /** Keys to make once the promotions are done. */
  readonly missing: ReadonlyArray<{ purpose: Purpose; state: Exclude<KeyState, 'retired'> }>;
  /** Retired keys that nothing alive was signed with. */
  readonly ended: readonly KeyRow[];
}

/**
 * Plans what is due.
 *
 * @param now milliseconds since the epoch
 * @param retain how long a retired key stays published, in milliseconds
 */
export function planKeys(rows: readonly KeyRow[], now: number, retain: number): Plan {
  const of = (purpose: Purpose, state: KeyState) => rows.find((row) => row.purpose === purpose && row.state === state);
  const promotions: Array<{ next: KeyRow; active: KeyRow | undefined }> = [];
  const missing: Array<{ purpose: Purpose; state: 'active' | 'next' }> = [];

  for (const purpose of PURPOSES) {
    const next = of(purpose, 'next');
    const active = of(purpose, 'active');
    const promoted = next !== undefined && next.activatesAt !== undefined && next.activatesAt <= now;
    if (promoted) promotions.push({ next, active });
    else if (!active) missing.push({ purpose, state: 'active' });
    if (!next || promoted) missing.push({ purpose, state: 'next' });
  }
  const ended = rows.filter((row) => row.state === 'retired' && (row.retiredAt ?? now) + retain <= now);
  return { promotions, missing, ended };
}

export function isDone({ promotions, missing, ended }: Plan): boolean {
  return promotions.length + missing.length + ended.length === 0;
}
