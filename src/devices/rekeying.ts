import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { DeviceStore } from './device-store.ts';
import type { Nonces } from './nonce.ts';
import type { Passkeys } from './passkeys.ts';
import { keptUntil } from './verification.ts';
import type { Verification } from './verification.ts';
import type { WebAuthn } from './webauthn.ts';

export type RekeyingService = ReturnType<typeof createRekeyingService>;

/**
 * Creates the way back for a phone whose browser threw its storage away: the passkey, which the phone keeps elsewhere,
 * vouches for a new presence key of the same device. Nothing else of the device changes, its level cap least of all.
 */
export function createRekeyingService(
  { db, events }: Pick<Context, 'db' | 'events'>,
  { store, passkeys, verification, nonces, webauthn, accounts }: {
    store: Pick<DeviceStore, 'rekey'>;
    passkeys: Passkeys;
    verification: Pick<Verification, 'verifyNewKey'>;
    nonces: Nonces;
    webauthn: WebAuthn;
    accounts: AccountDirectory;
  },
) {
  return {
    /** What a phone needs to ask for its passkey; nothing is kept of it. */
    offer: () => ({ ...nonces.issue(), webauthn: webauthn.request() }),

    /**
     * Gives the device of the passkey its new presence key; the one before is worthless from then on.
     *
     * @param body the JWS `rekey+jwt`, signed by the new key, with the assertion in its unprotected header
     * @throws AppError what {@link Passkeys.prove} throws; `conflict` when another call was faster, or the key is a device's
     */
    async rekey(body: string, address?: string): Promise<{ deviceId: string; label: string; name: string }> {
      const { webauthn: assertion, challenge, claims, jwk: publicKey, kid, algorithm } = await verification.verifyNewKey(body, 'rekey+jwt');
      if (assertion === undefined) throw new AppError('invalid_request', 'the passkey must sign this call too');
      const device = await passkeys.prove(assertion, challenge, { id: claims.jti, until: keptUntil(claims) });
      const { id: deviceId, accountId, name } = device;
      const account = await accounts.find(accountId);
      if (!account) throw new AppError('device_revoked', 'the account of this device no longer exists');

      const taken = () => new AppError('conflict', 'this device got another key at the same time, or the key is a device already');
      try {
        await db.transaction(async (tx) => {
          if (!(await store.rekey(device, { kid, algorithm, publicKey }, tx))) throw taken();
          await events.emit(tx, 'device.rekeyed', { deviceId, accountId, name, address });
        });
      } catch (error) {
        throw db.isUniqueViolation(error) ? taken() : error;
      }
      return { deviceId, label: account.label, name };
    },
  };
}
