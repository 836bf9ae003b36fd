import { PhoneError } from './errors.ts';
import { base64url, fromBase64url } from './platform.ts';
import type { Assertion, CredentialOptions, Registration, Verifier } from './verifier.ts';

/** The part of `navigator.credentials` that is used here, so that this file needs no DOM types. */
interface Credentials {
  create(options: { publicKey: Record<string, unknown> }): Promise<unknown>;
  get(options: { publicKey: Record<string, unknown> }): Promise<unknown>;
}

interface Made {
  readonly id: string;
  readonly rawId: ArrayBuffer;
  readonly authenticatorAttachment?: string | null;
  readonly response: {
    readonly clientDataJSON: ArrayBuffer;
    readonly attestationObject: ArrayBuffer;
    readonly authenticatorData: ArrayBuffer;
    readonly signature: ArrayBuffer;
    readonly userHandle: ArrayBuffer | null;
    getTransports?(): string[];
  };
  getClientExtensionResults(): object;
}

/**
 * The user-verifying key as a WebAuthn credential of the phone's own authenticator (WebAuthn L3 §5.1.3, §5.1.4): for
 * browsers, and web views with WebAuthn.
 *
 * The credential is discoverable, attached to the platform, and always verifies the user.
 */
export function webAuthnVerifier(): Verifier {
  const { navigator, PublicKeyCredential } = globalThis as unknown as {
    navigator?: { credentials?: Credentials };
    PublicKeyCredential?: { isUserVerifyingPlatformAuthenticatorAvailable(): Promise<boolean> };
  };
  const credentials = navigator?.credentials;

  return {
    async available() {
      if (!credentials || !PublicKeyCredential) return false;
      return PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable().catch(() => false);
    },

    async create(options) {
      try {
        return registration((await credentials?.create({ publicKey: creation(options) })) as Made);
      } catch (error) {
        // NotAllowedError is both "the person declined" and "it timed out"; either way the phone has presence only.
        if ((error as { name?: string }).name === 'NotAllowedError') return undefined;
        throw new PhoneError('verification_failed', 'the phone could not make a user-verifying key', { cause: error });
      }
    },

    async get({ challenge, rpId, credentialId, timeout }) {
      try {
        const made = await credentials?.get({
          publicKey: {
            challenge: fromBase64url(challenge),
            rpId,
            ...(credentialId !== undefined && { allowCredentials: [{ type: 'public-key', id: fromBase64url(credentialId) }] }),
            userVerification: 'required',
            ...(timeout !== undefined && { timeout }),
          },
        });
        return assertion(made as Made);
      } catch (error) {
        throw new PhoneError('verification_failed', 'the user was not verified', { cause: error });
      }
    },
  };
}

function creation(options: CredentialOptions): Record<string, unknown> {
  const excluded = (options['excludeCredentials'] ?? []) as Array<{ id: string }>;
  return {
    ...options,
    challenge: fromBase64url(options.challenge),
    user: { ...options.user, id: fromBase64url(options.user.id) },
    pubKeyCredParams: options.pubKeyCredParams ?? [{ type: 'public-key', alg: -7 }],
    excludeCredentials: excluded.map((credential) => ({ ...credential, id: fromBase64url(credential.id) })),
    authenticatorSelection: {
      authenticatorAttachment: 'platform',
      residentKey: 'preferred',
      ...(options['authenticatorSelection'] as object | undefined),
      userVerification: 'required',
    },
  };
}

// `toJSON()` of a credential would do all this, but is missing in browsers of 2024.
function registration(made: Made): Registration {
  const transports = made.response.getTransports?.();
  return {
    ...common(made),
    response: {
      clientDataJSON: encode(made.response.clientDataJSON),
      attestationObject: encode(made.response.attestationObject),
      ...(transports && { transports }),
    },
  };
}

function assertion(made: Made): Assertion {
  const { clientDataJSON, authenticatorData, signature, userHandle } = made.response;
  return {
    ...common(made),
    response: {
      clientDataJSON: encode(clientDataJSON),
      authenticatorData: encode(authenticatorData),
      signature: encode(signature),
      ...(userHandle && { userHandle: encode(userHandle) }),
    },
  };
}

function common(made: Made) {
  return {
    id: made.id,
    rawId: encode(made.rawId),
    type: 'public-key' as const,
    clientExtensionResults: made.getClientExtensionResults(),
    ...(made.authenticatorAttachment && { authenticatorAttachment: made.authenticatorAttachment }),
  };
}

function encode(buffer: ArrayBuffer): string {
  return base64url(new Uint8Array(buffer));
}
