import { SignJWT, calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from 'jose';
import type { JWKS } from 'oidc-provider';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { uuid } from '../../lib/crypto.ts';
import { ACR } from '../../oidc/acr.ts';

/** Seconds. */
const TOKEN_LIFETIME = 300;

/** What a token tells beside issuer and times. */
export interface TokenClaims {
  /** The subject that the client's sector sees. */
  readonly subject: string;
  /** Undefined where the caller is no client: the token is then for the issuer itself. */
  readonly clientId: string | undefined;
  /** The e-mail address, under the name that Jakarta services know (MicroProfile JWT §4.1). */
  readonly upn: string;
  readonly groups: readonly string[];
}

export interface Tokens {
  /** Signs with the first RS256 key of `jwks` from now on; false where it has none. */
  use(jwks: JWKS): boolean;
  /** @throws AppError `temporarily_unavailable` without a key */
  assertReady(): void;
  /** Makes a JWT in the manner of RFC 9068: the header `typ` and the claims of §2.2, `acr` and `amr` after OpenID Connect Core §2. */
  make(claims: TokenClaims): Promise<string>;
}

/** Creates the maker of the API's answer, a token for the client that asked. */
export function createTokens({ issuer, clock }: Pick<Context, 'issuer' | 'clock'>): Tokens {
  let key: Promise<{ kid: string; key: CryptoKey }> | undefined;

  function ready() {
    if (!key) throw new AppError('temporarily_unavailable', 'the provider has no RSA key to sign with');
    return key;
  }

  return {
    use(jwks) {
      const jwk = (jwks.keys as JWK[]).find(signsRs256);
      key = jwk && importKey(jwk);
      // A key that cannot be read is told by the call that needs it.
      key?.catch(() => undefined);
      return key !== undefined;
    },
    assertReady: () => void ready(),
    async make({ subject, clientId, upn, groups }) {
      const { kid, key: signingKey } = await ready();
      const now = Math.floor(clock() / 1000);
      return new SignJWT({
        ...(clientId !== undefined && { client_id: clientId }),
        upn,
        groups: [...groups],
        // Password and code are proven within one sitting (RFC 9068 §2.2.1).
        auth_time: now,
        acr: ACR.two,
        amr: ['pwd', 'otp', 'mfa'],
      })
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'at+jwt' })
        .setIssuer(issuer)
        .setSubject(subject)
        .setAudience(clientId ?? issuer)
        .setIssuedAt(now)
        .setExpirationTime(now + TOKEN_LIFETIME)
        .setJti(uuid())
        .sign(signingKey);
    },
  };
}

/** As the provider chooses its own: the first that the algorithm suits (RFC 7517 §4.2 to 4.4), and whose private part is here. */
function signsRs256({ kty, use = 'sig', alg = 'RS256', key_ops: operations = ['sign'], d }: JWK): boolean {
  return kty === 'RSA' && use === 'sig' && alg === 'RS256' && operations.includes('sign') && d !== undefined;
}

/** A key without an id has its RFC 7638 thumbprint at the provider. */
async function importKey(jwk: JWK) {
  const kid = jwk.kid ?? (await calculateJwkThumbprint(jwk, 'sha256'));
  return { kid, key: (await importJWK(jwk, 'RS256')) as CryptoKey };
}
