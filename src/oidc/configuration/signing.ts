import type { Configuration, JWKS } from 'oidc-provider';
import type { Resources, SigningAlgorithm } from './resources.ts';

type Key = JWKS['keys'][number];

/** What Tandem's own keys sign with (`keys/`), the one for access tokens first. */
const OF_OUR_KEYS: readonly SigningAlgorithm[] = ['ES256', 'RS256', 'EdDSA'];

/** What a key may be used for that does not say (RFC 7518 §3.1, RFC 8037 §3.1). */
const BY_KEY: Readonly<Record<string, readonly SigningAlgorithm[]>> = { 'EC P-256': ['ES256'], 'RSA ': ['RS256', 'PS256'], 'OKP Ed25519': ['EdDSA'] };

/**
 * What a provider can sign JWT access tokens with; the first does so where a resource server does not say.
 *
 * @param configured undefined before there is a provider: then Tandem's own keys are taken for granted
 */
export function signingAlgorithms(configured: Pick<Configuration, 'jwks' | 'clientDefaults'> | undefined): readonly SigningAlgorithm[] {
  if (!configured?.jwks) return OF_OUR_KEYS;
  const able = new Set((configured.jwks.keys as readonly Key[]).flatMap(algorithmsOf));
  // The library's own default is RS256.
  const usual = configured.clientDefaults?.id_token_signed_response_alg ?? 'RS256';
  return [...able].sort((a, b) => Number(b === usual) - Number(a === usual));
}

function algorithmsOf({ alg, use, kty, crv }: Key): readonly SigningAlgorithm[] {
  if (use !== undefined && use !== 'sig') return [];
  const able = BY_KEY[`${kty} ${kty === 'RSA' ? '' : String(crv)}`] ?? [];
  return alg === undefined ? able : able.filter((each) => each === alg);
}

/** @throws TypeError naming the resource server whose tokens nothing could sign */
export function assertSignable(resources: Resources, able: readonly SigningAlgorithm[]): void {
  for (const [indicator, { algorithm }] of Object.entries(resources)) {
    if (algorithm !== undefined && !able.includes(algorithm)) {
      throw new TypeError(`configure: resources[${JSON.stringify(indicator)}].algorithm: there is no key for ${algorithm}; there are keys for ${able.join(', ')}`);
    }
  }
}
