import type { Clock } from './clock.ts';

export interface Cached<T> {
  /** The value, loaded when it is older than `fresh`; where that fails, an older one serves until `stale`. */
  get(): Promise<T>;
  /** Loads it anew, unless that was done within `pause`: then undefined. */
  newer(): Promise<T | undefined>;
}

/** Milliseconds for which a failure stands, so that an outage costs the callers who meet it no wait each. */
const FAILED_FOR = 1000;

/** Keeps what takes a request to load; callers at the same time share one. Times in milliseconds. */
export function createCached<T>(load: () => Promise<T>, { clock, fresh, stale, pause }: { clock: Clock; fresh: number; stale: number; pause: number }): Cached<T> {
  let held: { readonly value: T; readonly at: number } | undefined;
  let failed: { readonly error: unknown; readonly at: number } | undefined;
  let loading: Promise<T> | undefined;
  const within = (span: number, since: { readonly at: number } | undefined) => since !== undefined && clock() - since.at < span;

  async function loadOnce(): Promise<T> {
    try {
      const value = await load();
      held = { value, at: clock() };
      failed = undefined;
      return value;
    } catch (error) {
      failed = { error, at: clock() };
      throw error;
    } finally {
      loading = undefined;
    }
  }

  async function reload(): Promise<T> {
    if (within(FAILED_FOR, failed)) throw failed!.error;
    return (loading ??= loadOnce());
  }

  return {
    async get() {
      if (within(fresh, held)) return held!.value;
      try {
        return await reload();
      } catch (error) {
        if (within(stale, held)) return held!.value;
        throw error;
      }
    },
    newer: async () => (within(pause, held) ? undefined : reload()),
  };
}
