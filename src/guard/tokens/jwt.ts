import { errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../lib/clock.ts';
import { GuardError } from '../errors.ts';
import type { TokenClaims } from './token.ts';

/** What may sign tokens and proofs. No HMAC: its key would be known to whoever only verifies. */
export const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'];

/** RFC 9068 §2.2. */
const REQUIRED = ['aud', 'client_id', 'exp', 'iat', 'jti', 'sub'];

/**
 * Verifies a JWT access token (RFC 9068 §4): its type, so that no ID token passes for one, its signature by one of the
 * issuer's own keys, its issuer and its time.
 *
 * @throws GuardError `invalid_token`, or what `keys` throws of these
 */
export async function verifyJwt(token: string, { issuer, keys, clock }: { issuer: string; keys: JWTVerifyGetKey; clock: Clock }): Promise<TokenClaims> {
  try {
    const options = { typ: 'at+jwt', algorithms: ALGORITHMS, issuer, currentDate: new Date(clock()), requiredClaims: REQUIRED };
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (error instanceof GuardError) throw error;
    // What cannot be verified is not verified, whatever the reason.
    const why = error instanceof errors.JWTExpired ? 'the access token has expired' : 'the access token is malformed, of another kind or issuer, or its signature is wrong';
    throw new GuardError('invalid_token', why, { cause: error });
  }
}
