/** Authentication context classes, from a password to a phone whose user was verified. */
export const ACR = {
  one: 'urn:tandem:acr:1',
  oneQr: 'urn:tandem:acr:1:qr',
  two: 'urn:tandem:acr:2',
  twoQr: 'urn:tandem:acr:2:qr',
} as const;

/** The prompt that asks for a stronger proof inside a session. */
export const STEP_UP = 'step_up';

/** Each class with all that it satisfies, strongest first. */
const SATISFIES: Readonly<Record<string, readonly string[]>> = {
  [ACR.twoQr]: [ACR.twoQr, ACR.two, ACR.oneQr, ACR.one],
  [ACR.two]: [ACR.two, ACR.one],
  [ACR.oneQr]: [ACR.oneQr, ACR.one],
  [ACR.one]: [ACR.one],
};

export const ACR_VALUES: readonly string[] = Object.keys(SATISFIES);

/** True when an authentication of class `have` is as good as `want`; a class that is not ours satisfies only itself. */
export function satisfies(have: string | undefined, want: string): boolean {
  return have !== undefined && (have === want || (SATISFIES[have]?.includes(want) ?? false));
}

const BY_PHONE: ReadonlySet<string> = new Set(['swk', 'hwk']);

/** True when a phone or passkey approved a sign-in with these methods (RFC 8176 §2). */
export function byPhone(amr: readonly string[] = []): boolean {
  return amr.some((method) => BY_PHONE.has(method));
}

/** What an authorization request asks of `acr`. */
export interface AcrRequest {
  readonly values: readonly string[];
  /** The request fails rather than proceed without (OpenID Connect Core §5.5.1.1). */
  readonly essential: boolean;
}

/**
 * Reads `acr_values` and the claims parameter's `id_token.acr`, in order of preference.
 * The essential claim wins over `acr_values`, which are voluntary (OpenID Connect Core §3.1.2.1).
 *
 * @returns undefined where the request asks for none, or in a form that the authorization endpoint refuses
 */
export function requestedAcr(params: Readonly<Record<string, unknown>>): AcrRequest | undefined {
  const claim = acrClaim(params.claims);
  const named = [claim?.value, ...((Array.isArray(claim?.values) ? claim.values : []) as unknown[])];
  const fromClaim = named.filter((value): value is string => typeof value === 'string');
  if (claim?.essential === true && fromClaim.length) return { values: fromClaim, essential: true };
  const voluntary = typeof params.acr_values === 'string' ? params.acr_values.split(' ').filter(Boolean) : [];
  const values = voluntary.length ? voluntary : fromClaim;
  return values.length ? { values, essential: false } : undefined;
}

function acrClaim(claims: unknown): { essential?: unknown; value?: unknown; values?: unknown } | undefined {
  if (typeof claims !== 'string') return undefined;
  try {
    return (JSON.parse(claims) as { id_token?: { acr?: object | null } | null } | null)?.id_token?.acr ?? undefined;
  } catch {
    return undefined;
  }
}

/** True when `have` satisfies one of the values, or nothing is asked. */
export function meets(have: string | undefined, request: AcrRequest | undefined): boolean {
  return !request || request.values.some((value) => satisfies(have, value));
}

/** The `acr` that a token carries: the first requested value that is satisfied, else the class itself. */
export function carriedAcr(have: string | undefined, request: AcrRequest | undefined): string | undefined {
  return request?.values.find((value) => satisfies(have, value)) ?? have;
}

/** The level that a request asks a phone for: 2 where nothing weaker will do. */
export function requestedLevel(params: Readonly<Record<string, unknown>>): 1 | 2 {
  const request = requestedAcr(params);
  return !request || request.values.some((value) => satisfies(ACR.oneQr, value)) ? 1 : 2;
}
