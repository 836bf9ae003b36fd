import type { Context } from '../../context.ts';
import { newSeed } from '../codes/otp.ts';
import type { OtpKey } from '../codes/otp.ts';
import type { TotpAlgorithm } from './authenticators.ts';
import type { AuthenticatorRecord } from './store.ts';

type Sealed = Pick<AuthenticatorRecord, 'id' | 'accountId' | 'algorithm' | 'seed'>;

export type Seeds = ReturnType<typeof createSeeds>;

/** Makes, encrypts and opens seeds. Each is bound to its authenticator and account: in another row it does not decrypt. */
export function createSeeds({ keyRing, log }: Pick<Context, 'keyRing' | 'log'>, algorithm: TotpAlgorithm) {
  const place = ({ id, accountId }: Pick<Sealed, 'id' | 'accountId'>) => `tandem_authenticators:${id}:${accountId}`;
  const make = (id: string, accountId: string): Sealed => ({ id, accountId, algorithm, seed: keyRing.encrypt(newSeed(algorithm), place({ id, accountId })) });

  return {
    /** A new seed for this row. */
    make,

    /** Undefined, and an entry in the log, where the seed was moved or altered, or its encryption key is gone. */
    open(record: Sealed): OtpKey | undefined {
      try {
        return { seed: keyRing.decrypt(record.seed, place(record)), algorithm: record.algorithm };
      } catch (error) {
        log.error({ err: error, authenticatorId: record.id }, 'the seed of an authenticator does not decrypt');
        return undefined;
      }
    },

    /** A seed of nobody's, for the same work where there is none. */
    decoy: make('decoy', ''),
  };
}
