/** What a hash costs: memory in KiB, passes, lanes. */
export interface HashingCost {
  readonly memoryCost: number;
  readonly timeCost: number;
  readonly parallelism: number;
}

/** The first choice of the OWASP Password Storage Cheat Sheet that fits many sign-ins at once: 19 MiB, two passes. */
export const DEFAULT_COST: HashingCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Argon2id (RFC 9106); the library's enum of the same name is empty at run time. */
export const ARGON2ID = 2;
