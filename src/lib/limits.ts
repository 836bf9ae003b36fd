/** A limit on how often something may happen, shared by all processes. */
export interface Limit {
  /** Takes one point of `key`; throws `AppError('rate_limited')` with `retryAfter` when none is left. */
  take(key: string): Promise<void>;
  /** Throws like {@link Limit.take} when no point is left, but takes none. */
  check(key: string): Promise<void>;
  /** Forgets `key`, as after a success. */
  forget(key: string): Promise<void>;
}

export interface Limits {
  /** Declares a limit of `points` per `seconds`, blocked for `blockSeconds` once used up (default: until the window ends). */
  limit(options: { name: string; points: number; seconds: number; blockSeconds?: number }): Limit;
}
