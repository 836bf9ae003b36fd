import { createHook } from 'node:async_hooks';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** Counts the Argon2 hashes from now on, until it is asked how many; the library's tasks, in other threads, have no name. */
export function countHashes(): () => number {
  let count = 0;
  const hook = createHook({ init: (_, type) => void (count += type === 'undefined' ? 1 : 0) }).enable();
  return () => (hook.disable(), count);
}

/** How many HMACs `work` computes: two for each authenticator whose codes of two steps are compared with what was typed. */
export async function countHmacs(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const { createHmac } = crypto;
  crypto.createHmac = (...of) => ((count += 1), createHmac(...of));
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    crypto.createHmac = createHmac;
    syncBuiltinESMExports();
  }
  return count;
}
