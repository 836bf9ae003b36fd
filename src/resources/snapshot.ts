import type { Clock } from '../context.ts';

/** A value of the database that every process keeps, and asks about by its version. */
export interface Snapshot<T> {
  get(): Promise<T>;
  /** What is asked for from now on is read anew; to be called once a change has committed. */
  forget(): void;
}

/** How old, in milliseconds, a look at the version may be: what another process changed counts within a second. */
const FRESH = 900;

/**
 * Keeps what seldom changes. At most once in {@link FRESH} the version is asked for, and only where that has changed the value is
 * loaded; callers at the same time share one look.
 */
export function createSnapshot<T>({ clock, version, load }: { clock: Clock; version: () => Promise<number>; load: () => Promise<T> }): Snapshot<T> {
  let held: { readonly value: T; readonly version: number; readonly at: number } | undefined;
  let looking: Promise<T> | undefined;

  async function look(before: typeof held): Promise<NonNullable<typeof held>> {
    const at = clock();
    // The version first: a change in between is then seen as one at the next look, never missed.
    const now = await version();
    return { value: before?.version === now ? before.value : await load(), version: now, at };
  }

  function lookOnce(): Promise<T> {
    const mine: Promise<T> = look(held).then(
      (found) => {
        // Forgotten meanwhile, it may be from before the change: good enough for who asked before that, and for nobody after.
        if (looking === mine) [held, looking] = [found, undefined];
        return found.value;
      },
      (error: unknown) => {
        if (looking === mine) looking = undefined;
        throw error;
      },
    );
    return (looking = mine);
  }

  return {
    async get() {
      // A clock that was put back must not make it last for ever.
      if (held && Math.abs(clock() - held.at) < FRESH) return held.value;
      return looking ?? lookOnce();
    },
    forget() {
      held = undefined;
      looking = undefined;
    },
  };
}
