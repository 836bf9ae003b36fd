/** The resource indicator (RFC 8707 §2) of the provider's own API: what its administrators, backends and the callers of two calls get tokens for. */
export const apiOf = (issuer: string): string => `${issuer}/api`;
