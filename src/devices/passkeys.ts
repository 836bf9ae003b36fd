import type { Clock } from '../context.ts';
import { AppError } from '../errors.ts';
import { base64url, fromBase64url } from '../lib/crypto.ts';
import { publicDevice } from './device-store.ts';
import type { Device, DeviceRecord, DeviceStore } from './device-store.ts';
import type { Nonces } from './nonce.ts';
import { unusable } from './verification.ts';
import type { WebAuthn } from './webauthn.ts';

/** How long a browser may look for a passkey, in seconds; the person may have to fetch the phone. */
export const PASSKEY_SECONDS = 300;

/** The user-verifying keys of devices as passkeys, which a browser finds by itself, on a phone that is near too. */
export interface PasskeySignIns {
  /** What a page needs for `navigator.credentials.get`; the challenge is good once, for {@link PASSKEY_SECONDS} and `about` alone. */
  options(about: string): { challenge: string; rpId?: string; userVerification?: string; timeout?: number };
  /**
   * The active device whose passkey answered those options.
   *
   * @throws AppError `not_found` for a passkey of no device; `invalid_request`, `invalid_signature`, `invalid_nonce`,
   *   `replayed`, `device_pending`, `device_revoked`
   */
  verify(assertion: unknown, about: string): Promise<Device>;
}

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

/** Creates sign-ins by passkey. The challenges are kept nowhere; that each is used once, the devices' calls know. */
export function createPasskeySignIns({ clock, passkeys, challenges, webauthn }: {
  clock: Clock;
  passkeys: Passkeys;
  challenges: Nonces;
  webauthn: WebAuthn;
}): PasskeySignIns {
  return {
    options: (about) => ({
      ...webauthn.request(),
      challenge: base64url(Buffer.from(challenges.issue(about).nonce)),
      timeout: PASSKEY_SECONDS * 1000,
    }),

    async verify(assertion, about) {
      const { challenge } = webauthn.claims(assertion);
      const nonce = fromBase64url(challenge).toString('utf8');
      challenges.check(nonce, about);
      return publicDevice(await passkeys.prove(assertion, challenge, { id: nonce, until: clock() + PASSKEY_SECONDS * 1000 }));
    },
  };
}
