const SIGNING = /_signed_response_alg$|_signing_alg$/;
const ENCRYPTING = /_encrypted_response_alg$|_encryption_alg$/;

/**
 * What of a client's metadata takes a key that is made of its secret (RFC 7518 §3.2, §4.4; OpenID Connect Core §10.2): it cannot be had where
 * no more than a hash of the secret is kept.
 */
export function sharedKeyIn(metadata: Readonly<Record<string, unknown>>): { readonly field: string; readonly message: string } | undefined {
  const because = 'secrets are kept as hashes, of which no key can be made';
  for (const [field, value] of Object.entries(metadata)) {
    if (field === 'token_endpoint_auth_method' && value === 'client_secret_jwt') return { field, message: `${field} cannot be ${value}: ${because}; use private_key_jwt` };
    const shared = (SIGNING.test(field) && /^HS/.test(String(value))) || (ENCRYPTING.test(field) && /^(A\d|dir$|PBES2)/.test(String(value)));
    if (shared) return { field, message: `${field} cannot be ${String(value)}: ${because}; use an algorithm with a key pair` };
  }
  return undefined;
}
