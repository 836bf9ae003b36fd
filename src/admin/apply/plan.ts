import type { ApplyStep } from './types.ts';

/** A step, and how it is done. */
export interface Planned {
  readonly step: ApplyStep;
  /** Does it; what it returns belongs to the step. Absent where there is nothing to do. */
  readonly carryOut?: () => Promise<Pick<ApplyStep, 'secret'> | void>;
  /** Finds out whether it would be refused, as far as that can be told before those that come before it are done. */
  readonly check?: () => Promise<void>;
}

type Members = Readonly<Record<string, unknown>>;

/** The members that differ, before and after; a member that there is not is null. */
export function differences(before: Members, after: Members): NonNullable<ApplyStep['changes']> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const differing = names.filter((name) => canonical(before[name]) !== canonical(after[name]));
  return Object.fromEntries(differing.map((name) => [name, { before: before[name] ?? null, after: after[name] ?? null }]));
}

/** One text for values that are equal: members of objects have no order. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** An update, or nothing where nothing differs. */
export function updateOf(kind: ApplyStep['kind'], id: string, changes: NonNullable<ApplyStep['changes']>, carryOut: () => Promise<unknown>, check?: () => Promise<void>): Planned {
  if (Object.keys(changes).length === 0) return { step: { action: 'unchanged', kind, id } };
  return { step: { action: 'update', kind, id, changes }, carryOut: async () => void (await carryOut()), ...(check && { check }) };
}
