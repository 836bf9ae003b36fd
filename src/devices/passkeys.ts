import { AppError } from '../errors.ts';
import type { DeviceRecord, DeviceStore } from './device-store.ts';
import { unusable } from './verification.ts';
import type { WebAuthn } from './webauthn.ts';

export type Passkeys = ReturnType<typeof createPasskeys>;

/**
 * Creates what the user-verifying key of a device can prove alone, without its presence key: it is discoverable, so the
 * credential says which device it is. The user handle does not matter: it names an enrolment, and the id of a credential
 * is that of one device only.
 */
export function createPasskeys({ store, webauthn }: {
  store: Pick<DeviceStore, 'findByCredential' | 'rememberCall' | 'advanceCounter'>;
  webauthn: WebAuthn;
}) {
  return {
    /**
     * The active device whose user-verifying key signed `challenge`, whose user was verified, and for which that has not
     * happened before.
     *
     * @param once names this use; kept until `until`, in milliseconds
     * @throws AppError `not_found` for a credential of no device; `invalid_request`, `invalid_signature`, `replayed`,
     *   `device_pending`, `device_revoked`
     */
    async prove(assertion: unknown, challenge: string, once: { id: string; until: number }): Promise<DeviceRecord> {
      const device = await store.findByCredential(webauthn.claims(assertion).credentialId);
      if (!device?.credential) throw new AppError('not_found', 'this passkey belongs to no device');
      const counter = await webauthn.assert(assertion, device.credential, challenge);
      if (device.state !== 'active') throw unusable(device);
      if (!(await store.rememberCall(device.id, once.id, once.until))) throw new AppError('replayed', 'this call was made before');
      if (counter > 0 && !(await store.advanceCounter(device.id, counter))) {
        throw new AppError('replayed', 'this WebAuthn assertion was used before');
      }
      return device;
    },
  };
}
