import type { AuthenticationResponseJSON, PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import * as z from 'zod';
import { AppError } from '../errors.ts';
import { base64url, fromBase64url } from '../lib/crypto.ts';
import type { Credential } from './device-store.ts';

/** Loaded with the first ceremony: it takes as long as everything else that a start loads, and most processes are asked for none for a while. */
const load = () => import('@simplewebauthn/server');

/** ES256, EdDSA, RS256 as COSE numbers (RFC 9053): what platform authenticators make. */
const ALGORITHMS = [-7, -8, -257];
const base64urlText = (max: number) => z.string().max(max).regex(/^[\w-]+$/);

// What browsers add beside (extension results, transports, the public key once more) proves nothing and is left unread.
const registrationSchema = z.object({
  id: base64urlText(1400),
  rawId: base64urlText(1400),
  type: z.literal('public-key'),
  response: z.object({ clientDataJSON: base64urlText(8192), attestationObject: base64urlText(32768) }),
});
const assertionSchema = z.object({
  id: base64urlText(1400),
  rawId: base64urlText(1400),
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: base64urlText(8192),
    authenticatorData: base64urlText(8192),
    signature: base64urlText(4096),
    userHandle: base64urlText(128).nullish(),
  }),
});

/** The user-verifying key of a phone in a browser (WebAuthn level 3). */
export type WebAuthn = ReturnType<typeof createWebAuthn>;

/**
 * Creates the checks of WebAuthn ceremonies.
 *
 * @param origin where the phone app runs: an exact origin; its host is the rpId
 */
export function createWebAuthn({ origin, name }: { origin: string; name: string }) {
  const rpId = new URL(origin).hostname;

  return {
    /** What the phone hands to `navigator.credentials.create`. */
    async options(user: { handle: Uint8Array; name: string; displayName: string }, challenge: string): Promise<PublicKeyCredentialCreationOptionsJSON> {
      const { generateRegistrationOptions } = await load();
      return await generateRegistrationOptions({
        rpName: name,
        rpID: rpId,
        userID: new Uint8Array(user.handle),
        userName: user.name,
        userDisplayName: user.displayName,
        challenge: new Uint8Array(fromBase64url(challenge)),
        attestationType: 'none',
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        supportedAlgorithmIDs: ALGORITHMS,
      });
    },

    /** What a page hands to `navigator.credentials.get` to find a passkey of ours, whichever it is; the challenge is its own. */
    request(): Omit<PublicKeyCredentialRequestOptionsJSON, 'challenge'> {
      return { rpId, userVerification: 'required' };
    },

    /** The credential that an assertion is of, and the challenge that it signed: claims, until {@link WebAuthn.assert} has verified it. */
    claims(input: unknown): { credentialId: string; challenge: string } {
      const { id, response } = parse(assertionSchema, input);
      return { credentialId: id, challenge: String(clientDataOf(response.clientDataJSON)?.challenge) };
    },

    /**
     * Verifies a registration.
     *
     * @returns the credential, or undefined when the authenticator did not verify its user: it proves presence at most
     * @throws AppError `invalid_signature` when it was made for another origin, rpId or challenge, or is malformed
     */
    async register(input: unknown, challenges: readonly string[]): Promise<Credential | undefined> {
      const response = parse(registrationSchema, input) as unknown as RegistrationResponseJSON;
      refuseCrossOrigin(response.response.clientDataJSON);
      const { verifyRegistrationResponse } = await load();
      const { verified, registrationInfo } = await checked(() =>
        verifyRegistrationResponse({
          response: { ...response, clientExtensionResults: {} },
          expectedChallenge: (challenge) => challenges.includes(challenge),
          expectedOrigin: origin,
          expectedRPID: rpId,
          requireUserVerification: false,
          supportedAlgorithmIDs: ALGORITHMS,
        }),
      );
      if (!verified) throw new AppError('invalid_signature', 'the WebAuthn registration is not valid');
      const { credential, userVerified } = registrationInfo;
      if (credential.id !== response.id) throw new AppError('invalid_signature', 'the WebAuthn registration is of another credential');
      if (!userVerified) return undefined;
      return { id: credential.id, publicKey: base64url(credential.publicKey), counter: credential.counter };
    },

    /**
     * Verifies an assertion: type, exact origin, rpId, user present and verified, signature, and a counter that moved.
     *
     * @returns the authenticator's counter, to be kept
     * @throws AppError `invalid_signature`
     */
    async assert(input: unknown, credential: Credential, challenge: string): Promise<number> {
      const response = parse(assertionSchema, input) as unknown as AuthenticationResponseJSON;
      if (response.id !== credential.id) throw new AppError('invalid_signature', 'the WebAuthn assertion is of another credential');
      refuseCrossOrigin(response.response.clientDataJSON);
      const { verifyAuthenticationResponse } = await load();
      const { verified, authenticationInfo } = await checked(() =>
        verifyAuthenticationResponse({
          response: { ...response, clientExtensionResults: {} },
          expectedChallenge: challenge,
          expectedOrigin: origin,
          expectedRPID: rpId,
          credential: { id: credential.id, publicKey: new Uint8Array(fromBase64url(credential.publicKey)), counter: credential.counter },
          requireUserVerification: true,
        }),
      );
      if (!verified || !authenticationInfo.userVerified) throw new AppError('invalid_signature', 'the WebAuthn assertion is not valid');
      return authenticationInfo.newCounter;
    },
  };
}

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (!result.success) throw new AppError('invalid_request', 'the webauthn member is not a WebAuthn response in JSON');
  return result.data;
}

/** The library lets a ceremony in another site's frame pass; our pages are never framed. */
function refuseCrossOrigin(clientDataJSON: string) {
  if (clientDataOf(clientDataJSON)?.crossOrigin) throw new AppError('invalid_signature', 'the WebAuthn ceremony ran inside a frame of another site');
}

function clientDataOf(clientDataJSON: string): { challenge?: unknown; crossOrigin?: unknown } | null {
  try {
    return JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8')) as object | null;
  } catch (cause) {
    throw new AppError('invalid_signature', 'the WebAuthn client data is not JSON', { cause });
  }
}

/** The library tells by plain errors what is wrong; all of it is one thing to the caller. */
async function checked<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (cause) {
    throw new AppError('invalid_signature', `the WebAuthn response was refused: ${cause instanceof Error ? cause.message : 'malformed'}`, { cause });
  }
}
