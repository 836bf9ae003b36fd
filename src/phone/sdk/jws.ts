import { base64url, sha256, utf8, type WebCrypto } from './platform.ts';
import type { DeviceKey, Keys, PublicJwk } from './keys.ts';

/** What a signed call is; a signature for one call is worthless for another (RFC 8725 §3.11). */
export type CallType = 'enrol+jwt' | 'rekey+jwt' | 'device+jwt' | 'device-retire+jwt' | 'qr-claim+jwt' | 'qr-decision+jwt';

/** A signed call as it is sent: body and its media type. */
export interface SignedBody {
  readonly body: string;
  readonly contentType: 'application/jose' | 'application/jose+json';
}

/**
 * Signs `claims` as a JWS: compact (RFC 7515 §7.1), or, when `webauthn` gives something, flattened JSON
 * (§7.2.2) with that in the unprotected header.
 *
 * The unprotected header needs no protection: what travels there is itself a signature over `challenge`, which is
 * the SHA-256 of this JWS's signing input.
 */
export async function signCall(
  { crypto, keys }: { crypto: WebCrypto; keys: Keys },
  key: DeviceKey,
  {
    type,
    claims,
    jwk,
    webauthn,
  }: {
    type: CallType;
    claims: Readonly<Record<string, unknown>>;
    /** Carried in the protected header when the server does not know the key yet. */
    jwk?: PublicJwk;
    webauthn?: (challenge: string) => Promise<object | undefined>;
  },
): Promise<SignedBody> {
  const header = { alg: key.algorithm, typ: type, kid: key.kid, ...(jwk && { jwk }) };
  const protectedPart = base64url(utf8(JSON.stringify(header)));
  const payload = base64url(utf8(JSON.stringify(claims)));
  const signingInput = utf8(`${protectedPart}.${payload}`);
  const assertion = await webauthn?.(await sha256(crypto, signingInput));
  const signature = base64url(await keys.sign(key, signingInput));

  if (assertion === undefined) {
    return { body: `${protectedPart}.${payload}.${signature}`, contentType: 'application/jose' };
  }
  const body = JSON.stringify({ payload, protected: protectedPart, header: { webauthn: assertion }, signature });
  return { body, contentType: 'application/jose+json' };
}
