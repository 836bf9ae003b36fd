import type { Resource } from '../../oidc/configuration/resources.ts';

/** A scope for each call. */
export const TWO_CALL_SCOPE = {
  enrol: 'credential:totp:enrol:post',
  validate: 'credential:totp:validate:post',
} as const;

export type TwoCallScope = (typeof TWO_CALL_SCOPE)[keyof typeof TWO_CALL_SCOPE];

/** The resource indicator (RFC 8707) of the provider's own API. */
export const apiOf = (issuer: string): string => `${issuer}/api`;

/** The provider's own API as a resource server: clients get its scopes by their metadata `tandem_resources`, nobody by default. */
export const twoCallResource: Resource = {
  scopes: {
    [TWO_CALL_SCOPE.enrol]: 'Check a password, and set up an authenticator app',
    [TWO_CALL_SCOPE.validate]: 'Check the code of an authenticator app',
  },
};
