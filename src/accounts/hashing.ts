import { hash, parseOptions, verify } from '@node-rs/argon2';
import { ARGON2ID, DEFAULT_COST, type HashingCost } from '../lib/argon2.ts';
import { randomToken } from '../lib/crypto.ts';

export interface Hashing {
  hash(password: string): Promise<string>;
  /**
   * Whether `password` is what `hashed` was made of. Without a hash it does the same work and says no, so that an
   * unknown account takes as long as a wrong password.
   */
  verify(hashed: string | undefined, password: string): Promise<boolean>;
  /** True when `hashed` was made under other parameters than today's. */
  isOutdated(hashed: string): boolean;
}

/** Creates Argon2id hashing (RFC 9106) of passwords, each normalised as {@link normalise} does. */
export function createHashing(cost: HashingCost = DEFAULT_COST): Hashing {
  let dummy: Promise<string> | undefined;
  const make = (text: string) => hash(normalise(text), { ...cost, algorithm: ARGON2ID as never });

  return {
    hash: make,
    async verify(hashed, password) {
      // Made at the first call whichever account it is for, or the first unknown one would take twice the time.
      const stand = await (dummy ??= make(randomToken()));
      const matches = await verify(hashed ?? stand, normalise(password));
      return matches && hashed !== undefined;
    },
    isOutdated(hashed) {
      const { algorithm, memoryCost, timeCost, parallelism } = parseOptions(hashed);
      return (
        (algorithm as number) !== ARGON2ID ||
        memoryCost !== cost.memoryCost ||
        timeCost !== cost.timeCost ||
        parallelism !== cost.parallelism
      );
    },
  };
}

/** One form for what different keyboards send for the same characters (NIST SP 800-63B §3.1.1.2). */
export function normalise(password: string): string {
  return password.normalize('NFKC');
}
