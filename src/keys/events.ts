declare module '../lib/events.ts' {
  interface EventMap {
    /** Keys were made: on first start, or the next ones when a rotation took effect. */
    'keys.created': { kids: readonly string[] };
    /** The next keys sign from now on; what was signed before still verifies. */
    'keys.rotated': { active: readonly string[]; retired: readonly string[] };
    /** A rotation was ordered that takes effect at `activatesAt`, in milliseconds since the epoch. */
    'keys.rotation_scheduled': { kids: readonly string[]; activatesAt: number };
    /** Keys whose tokens have all ended were deleted. */
    'keys.pruned': { kids: readonly string[] };
  }
}

export {};
