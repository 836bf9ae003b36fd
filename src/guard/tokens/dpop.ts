import type { Context as KoaContext } from 'koa';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWTPayload } from 'jose';
import type { Clock } from '../../lib/clock.ts';
import { base64url, sha256 } from '../../lib/crypto.ts';
import { GuardError } from '../errors.ts';
import { ALGORITHMS } from './jwt.ts';
import type { TokenSource } from './token.ts';

/** Seconds by which a proof may be old, and as many by which its clock may be ahead. */
const WINDOW = 60;
const MAX_JTI = 256;

/** A proof of possession that holds for this request and token. */
export interface Proof {
  /** RFC 7638 thumbprint of the key that signed it. */
  readonly thumbprint: string;
  readonly jti: string;
  /** When it can no longer be presented, in milliseconds since the epoch. */
  readonly until: number;
}

/**
 * Verifies the DPoP proof of a request (RFC 9449 §4.3): one header, its own key's signature, for this method, this URL
 * and this token, made within the last minute.
 *
 * @param url where the caller reached this server, without trust in what `Host` says
 * @throws GuardError `invalid_dpop_proof`
 */
export async function verifyProof(ctx: KoaContext, token: string, url: string, clock: Clock): Promise<Proof> {
  const refuse = (why: string, cause?: unknown) => new GuardError('invalid_dpop_proof', why, { cause });
  const [header, ...more] = ctx.req.headersDistinct['dpop'] ?? [];
  if (header === undefined || more.length) throw refuse('send one DPoP header');

  const now = clock();
  let claims: JWTPayload;
  let thumbprint: string;
  try {
    const verified = await jwtVerify(header, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ALGORITHMS, currentDate: new Date(now), requiredClaims: ['ath', 'htm', 'htu', 'iat', 'jti'] });
    claims = verified.payload;
    thumbprint = await calculateJwkThumbprint(verified.protectedHeader.jwk!);
  } catch (cause) {
    throw refuse('the DPoP proof is malformed, or its signature is wrong', cause);
  }
  const { iat, jti, htm, htu, ath } = claims;
  if (typeof iat !== 'number' || Math.abs(now / 1000 - iat) > WINDOW) throw refuse('the DPoP proof is not recent');
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI) throw refuse('the DPoP proof has no usable jti');
  if (htm !== ctx.method) throw refuse('the DPoP proof is for another method');
  if (typeof htu !== 'string' || !sameTarget(htu, url)) throw refuse('the DPoP proof is for another URL');
  if (ath !== base64url(sha256(token))) throw refuse('the DPoP proof is for another access token');
  return { thumbprint, jti, until: (iat + WINDOW + 1) * 1000 };
}

/** RFC 9449 §4.3: compared after normalisation, without query and fragment. */
function sameTarget(htu: string, url: string): boolean {
  const normal = (text: string) => {
    const parsed = new URL(text);
    return parsed.origin + parsed.pathname;
  };
  return URL.canParse(htu) && normal(htu) === normal(url);
}

/** Remembers the proofs that this process has seen, for as long as each could be presented again (RFC 9449 §11.1). */
export function createReplayMemory(clock: Clock): TokenSource['firstUse'] {
  const seen = new Map<string, number>();
  let sweepAt = 0;

  return async ({ thumbprint, jti, until }) => {
    const now = clock();
    if (now >= sweepAt) {
      for (const [key, end] of seen) if (end <= now) seen.delete(key);
      sweepAt = now + 10_000;
    }
    const key = `${thumbprint} ${jti}`;
    if ((seen.get(key) ?? 0) > now) return false;
    seen.set(key, until);
    return true;
  };
}
