import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose';
import type { CryptoKey, JWK } from 'jose';
import * as z from 'zod';
import type { Clock } from '../context.ts';
import { AppError } from '../errors.ts';
import { base64url, equal, sha256 } from '../lib/crypto.ts';
import { publicDevice } from './device-store.ts';
import type { Device, DeviceAlgorithm, DeviceRecord, DeviceStore } from './device-store.ts';
import type { Nonces } from './nonce.ts';
import type { WebAuthn } from './webauthn.ts';

/** How long before its `exp` a call may have been signed, in seconds. */
const MAX_LIFETIME_SECONDS = 60;
/** How far the phone's clock may be off, in seconds; it corrects itself by the nonce's `server_time`. */
const SKEW_SECONDS = 10;
/** `last_used_at` is no log: once a minute is enough. */
const TOUCH_MS = 60_000;
const CACHED_KEYS = 2000;

/** A call that a device of ours signed, checked in every respect but its meaning. */
export interface SignedCall {
  readonly device: Device;
  readonly claims: Readonly<Record<string, unknown>>;
  /** True when the device's user-verifying key signed the call too. */
  readonly userVerified: boolean;
  /** The call as received, to be kept as a receipt. */
  readonly jws: string;
}

export interface VerifyOptions {
  /** The `typ` of this call; a signature made for another call is refused. */
  readonly typ: string;
  /**
   * What `nonce` must be: a fresh nonce of `POST /phone/nonce` (`'server'`, the default), this very string, or what the
   * function says once it has seen the claims, whose signature has been verified by then.
   */
  readonly nonce?: string | ((claims: Readonly<Record<string, unknown>>) => string | Promise<string>);
  /** The states a device may be in; `active` alone by default. */
  readonly states?: ReadonlyArray<Device['state']>;
}

/** A call signed by a presence key that is no device's yet: of a phone that enrols, or takes a new one. */
export interface NewKeyCall {
  readonly jwk: JWK;
  readonly kid: string;
  readonly algorithm: DeviceAlgorithm;
  readonly claims: SignedClaims;
  /** SHA-256 of the signing input, base64url: the challenge of an assertion that travels along. */
  readonly challenge: string;
  readonly webauthn: unknown;
}

const publicKeySchema = z.discriminatedUnion('kty', [
  z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string().length(43), y: z.string().length(43) }),
  z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().length(43) }),
]);
const headerSchema = z.strictObject({ alg: z.string(), kid: z.string(), typ: z.string(), jwk: z.unknown().optional() });
const flattenedSchema = z.strictObject({
  payload: z.string(),
  protected: z.string(),
  signature: z.string(),
  header: z.strictObject({ webauthn: z.unknown() }).optional(),
});
const claimsSchema = z.looseObject({
  iss: z.string(),
  aud: z.string(),
  iat: z.int(),
  exp: z.int(),
  jti: z.string().regex(/^[\w-]{22,128}$/, 'must be 22 to 128 characters of base64url'),
  nonce: z.string().max(512),
});

/** What every signed call claims, whatever else it does. */
export type SignedClaims = z.infer<typeof claimsSchema>;

interface Parsed {
  readonly header: z.infer<typeof headerSchema>;
  readonly compact: string;
  readonly signingInput: string;
  readonly webauthn: unknown;
}

export type Verification = ReturnType<typeof createVerification>;

/** Creates the check that every call of a phone passes. */
export function createVerification({ issuer, clock, store, nonces, webauthn }: {
  issuer: string;
  clock: Clock;
  store: Pick<DeviceStore, 'findByKid' | 'rememberCall' | 'advanceCounter' | 'touch'>;
  nonces: Nonces;
  webauthn: WebAuthn;
}) {
  // A kid is the thumbprint of its key, so what is cached under it can never be another key.
  const keys = new Map<string, CryptoKey>();

  async function keyOf({ kid, publicKey, algorithm }: Pick<DeviceRecord, 'kid' | 'publicKey' | 'algorithm'>): Promise<CryptoKey> {
    const known = keys.get(kid);
    if (known) return known;
    const key = (await importJWK(publicKey, algorithm)) as CryptoKey;
    if (keys.size >= CACHED_KEYS) keys.delete(keys.keys().next().value as string);
    keys.set(kid, key);
    return key;
  }

  async function verifiedClaims(call: Parsed, key: CryptoKey, algorithm: DeviceAlgorithm) {
    let payload: Uint8Array;
    try {
      ({ payload } = await compactVerify(call.compact, key, { algorithms: [algorithm] }));
    } catch (cause) {
      throw new AppError('invalid_signature', 'the signature is not valid', { cause });
    }
    const result = claimsSchema.safeParse(json(Buffer.from(payload).toString('utf8'), 'payload'));
    if (!result.success) throw invalid('claim', result.error);
    return result.data;
  }

  function checkClaims(claims: SignedClaims, iss: string) {
    const now = clock() / 1000;
    if (claims.iss !== iss) throw new AppError('invalid_signature', 'iss is not the signer');
    if (claims.aud !== issuer) throw new AppError('invalid_signature', `aud must be ${issuer}`);
    if (claims.exp <= claims.iat || claims.exp - claims.iat > MAX_LIFETIME_SECONDS) {
      throw new AppError('invalid_signature', `exp must be at most ${MAX_LIFETIME_SECONDS} seconds after iat`);
    }
    // A code of its own: the phone's clock may have been put forward or back since it last asked for the server's.
    if (claims.exp <= now - SKEW_SECONDS) throw new AppError('clock_skew', 'exp has passed');
    if (claims.iat > now + SKEW_SECONDS) throw new AppError('clock_skew', 'iat is in the future');
  }

  async function checkNonce(claims: SignedClaims, expected: NonNullable<VerifyOptions['nonce']>) {
    if (expected === 'server') return nonces.check(claims.nonce);
    const value = typeof expected === 'string' ? expected : await expected(claims);
    if (!equal(value, claims.nonce)) throw new AppError('invalid_nonce', 'nonce is not the challenge of this call');
  }

  /** True when the device's user-verifying key signed the same bytes; an assertion that fails spoils the call. */
  async function checkAssertion(call: Parsed, device: DeviceRecord): Promise<{ counter: number } | undefined> {
    if (call.webauthn === undefined) return undefined;
    if (!device.credential) throw new AppError('invalid_signature', 'this device has no user-verifying key');
    return { counter: await webauthn.assert(call.webauthn, device.credential, challengeOf(call)) };
  }

  return {
    /**
     * Verifies a call of an enrolled device.
     *
     * @param body the request's body: a compact JWS, or a flattened one with a WebAuthn assertion in its unprotected header
     * @throws AppError `invalid_request` when it is malformed; `invalid_signature`, `clock_skew`, `invalid_nonce`, `replayed`,
     *   `device_pending` or `device_revoked`
     * @see RFC 7515, RFC 7638, and the protocol reference in the README
     */
    async verify(body: string, { typ, nonce = 'server', states = ['active'] }: VerifyOptions): Promise<SignedCall> {
      const call = parse(body);
      if (call.header.jwk !== undefined) throw new AppError('invalid_request', 'only a phone with a new key sends it along');
      const device = await store.findByKid(call.header.kid);
      if (!device) throw new AppError('invalid_signature', 'kid is not the key of a device');
      // The header names the algorithm, but only enrolment chose it: anything else would let the caller choose the check.
      if (call.header.alg !== device.algorithm) throw new AppError('invalid_signature', `this device signs by ${device.algorithm}`);
      if (call.header.typ !== typ) throw new AppError('invalid_signature', `typ must be ${typ}`);
      const claims = await verifiedClaims(call, await keyOf(device), device.algorithm);
      checkClaims(claims, device.id);
      if (!states.includes(device.state)) throw unusable(device);
      await checkNonce(claims, nonce);
      const assertion = await checkAssertion(call, device);
      const now = clock();
      const touch = now - (device.lastUsedAt ?? 0) > TOUCH_MS ? store.touch(device.id) : undefined;
      const [fresh] = await Promise.all([store.rememberCall(device.id, claims.jti, keptUntil(claims)), touch]);
      if (!fresh) throw new AppError('replayed', 'this call was made before');
      if (assertion && assertion.counter > 0 && !(await store.advanceCounter(device.id, assertion.counter))) {
        throw new AppError('replayed', 'this WebAuthn assertion was used before');
      }
      return { device: publicDevice(device), claims, userVerified: assertion !== undefined, jws: body };
    },

    /** Verifies a call signed by the very key that travels in its header. */
    async verifyNewKey(body: string, typ: string): Promise<NewKeyCall> {
      const call = parse(body);
      const parsed = publicKeySchema.safeParse(call.header.jwk);
      if (!parsed.success) throw new AppError('invalid_request', 'jwk must be a public P-256 or Ed25519 key and nothing else');
      const jwk: JWK = parsed.data;
      const algorithm = jwk.kty === 'EC' ? 'ES256' : 'EdDSA';
      if (call.header.alg !== algorithm) throw new AppError('invalid_signature', `a ${jwk.crv} key signs by ${algorithm}`);
      if (call.header.typ !== typ) throw new AppError('invalid_signature', `typ must be ${typ}`);
      const kid = await calculateJwkThumbprint(jwk, 'sha256');
      if (call.header.kid !== kid) throw new AppError('invalid_signature', 'kid must be the RFC 7638 thumbprint of jwk');
      let key: CryptoKey;
      try {
        key = (await importJWK(jwk, algorithm)) as CryptoKey;
      } catch (cause) {
        throw new AppError('invalid_request', 'jwk is not a point of its curve', { cause });
      }
      const claims = await verifiedClaims(call, key, algorithm);
      checkClaims(claims, kid);
      await checkNonce(claims, 'server');
      return { jwk, kid, algorithm, claims, challenge: challengeOf(call), webauthn: call.webauthn };
    },
  };
}

/** What a WebAuthn assertion that travels with the call must be about. */
const challengeOf = ({ signingInput }: Parsed) => base64url(sha256(signingInput));

/** Until when a `jti` is kept, in milliseconds: a lifetime longer than anybody's clock could accept the call. */
export const keptUntil = ({ exp }: SignedClaims) => (exp + MAX_LIFETIME_SECONDS) * 1000;

/** Why a device that is not active is refused. */
export function unusable({ state }: Device): AppError {
  return state === 'pending'
    ? new AppError('device_pending', 'this device waits for its confirm code')
    : new AppError('device_revoked', 'this device was revoked');
}

/** Reads a compact JWS (RFC 7515 §7.1) or a flattened one (§7.2.2). */
function parse(body: string): Parsed {
  const { compact, webauthn } = body.startsWith('{') ? flattened(body) : { compact: body, webauthn: undefined };
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(compact)) throw new AppError('invalid_request', 'the body is not a signed JWS');
  const [protectedHeader = '', payload] = compact.split('.');
  const header = headerSchema.safeParse(json(Buffer.from(protectedHeader, 'base64url').toString('utf8'), 'protected header'));
  if (!header.success) throw invalid('header parameter', header.error);
  return { header: header.data, compact, signingInput: `${protectedHeader}.${payload}`, webauthn };
}

function flattened(body: string) {
  const result = flattenedSchema.safeParse(json(body, 'body'));
  if (!result.success) throw invalid('member', result.error);
  const { protected: protectedHeader, payload, signature, header } = result.data;
  return { compact: `${protectedHeader}.${payload}.${signature}`, webauthn: header?.webauthn };
}

function json(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AppError('invalid_request', `the ${what} is not JSON`, { cause });
  }
}

function invalid(what: string, error: z.ZodError): AppError {
  const [issue] = error.issues;
  const name = issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue?.path.join('.');
  return new AppError('invalid_request', `${what} ${name}: ${issue?.message}`);
}
