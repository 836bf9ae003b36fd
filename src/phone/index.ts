export { PhoneError, type LocalErrorCode, type PhoneErrorCode, type WireErrorCode } from './sdk/errors.ts';
export { memoryKeyStore, type KeyStore, type PhoneAccount } from './sdk/key-store.ts';
export { thumbprint, webCryptoKeys, type Algorithm, type DeviceKey, type Keys, type PublicJwk } from './sdk/keys.ts';
export { formatLink, parseCode, parseLink, type EnrolmentLink, type Link, type SignInLink, type TypedCode } from './sdk/links.ts';
export { signCall, type CallType, type SignedBody } from './sdk/jws.ts';
export {
  createPhone,
  type Claimed,
  type Decided,
  type DeviceStatus,
  type Enrolled,
  type EnrolmentOffer,
  type Phone,
  type PhoneOptions,
} from './sdk/phone.ts';
export type { Fetch, OpaqueKey, Platform, WebCrypto } from './sdk/platform.ts';
export { readRequest, requestHash, type SignInRequest } from './sdk/request.ts';
export { presenceOnly, type Assertion, type CredentialOptions, type Registration, type Verifier } from './sdk/verifier.ts';
export { webAuthnVerifier } from './sdk/web-authn.ts';
