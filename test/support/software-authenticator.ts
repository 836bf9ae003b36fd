import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import type { Assertion, CredentialOptions, Registration, Verifier } from '../../src/phone/index.ts';

/** What a dishonest authenticator or page would do differently. */
export interface AuthenticatorTamper {
  origin?: string;
  rpId?: string;
  type?: string;
  challenge?: string;
  /** Runs inside a frame of another site. */
  crossOrigin?: boolean;
  userPresent?: boolean;
  userVerified?: boolean;
  signCount?: number;
  /** Signs with a key that was never registered. */
  otherKey?: boolean;
}

export interface SoftwareAuthenticator extends Verifier {
  tamper: AuthenticatorTamper;
}

/**
 * A WebAuthn platform authenticator in software: real CBOR, real authenticator data, real ES256 signatures
 * (WebAuthn L3 §6). Made for one page `origin`.
 */
export function createSoftwareAuthenticator(origin: string): SoftwareAuthenticator {
  const credentials = new Map<string, { privateKey: KeyObject; signCount: number }>();

  const authenticator: SoftwareAuthenticator = {
    tamper: {},
    available: () => Promise.resolve(true),

    create(options: CredentialOptions): Promise<Registration> {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const id = randomBytes(32);
      credentials.set(id.toString('base64url'), { privateKey, signCount: 0 });
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' }) as { x?: string; y?: string };
      const coseKey = cbor(
        new Map<number, unknown>([
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, Buffer.from(x, 'base64url')],
          [-3, Buffer.from(y, 'base64url')],
        ]),
      );
      const length = Buffer.alloc(2);
      length.writeUInt16BE(id.length);
      const attested = Buffer.concat([Buffer.alloc(16), length, id, coseKey]);
      const rpId = options.rp.id ?? new URL(origin).hostname;
      const attestationObject = cbor(
        new Map<string, unknown>([
          ['fmt', 'none'],
          ['attStmt', new Map()],
          ['authData', authenticatorData(rpId, 0, attested)],
        ]),
      );
      return Promise.resolve({
        ...named(id.toString('base64url')),
        response: {
          clientDataJSON: clientData('webauthn.create', options.challenge).toString('base64url'),
          attestationObject: attestationObject.toString('base64url'),
          transports: ['internal'],
        },
      });
    },

    get({ challenge, rpId, credentialId = [...credentials.keys()].at(-1) ?? '' }): Promise<Assertion> {
      const credential = credentials.get(credentialId);
      if (!credential) return Promise.reject(new Error('no such credential'));
      credential.signCount += 1;
      const data = authenticatorData(rpId, authenticator.tamper.signCount ?? credential.signCount);
      const client = clientData('webauthn.get', challenge);
      const key = authenticator.tamper.otherKey ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : credential.privateKey;
      // WebAuthn signatures are DER (§6.5.5), unlike those of JWS.
      const signature = sign('sha256', Buffer.concat([data, createHash('sha256').update(client).digest()]), key);
      return Promise.resolve({
        ...named(credentialId),
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: signature.toString('base64url'),
        },
      });
    },
  };

  function clientData(type: string, challenge: string): Buffer {
    const { tamper } = authenticator;
    return Buffer.from(
      JSON.stringify({
        type: tamper.type ?? type,
        challenge: tamper.challenge ?? challenge,
        origin: tamper.origin ?? origin,
        crossOrigin: tamper.crossOrigin ?? false,
      }),
    );
  }

  function authenticatorData(rpId: string, signCount: number, attested?: Buffer): Buffer {
    const { tamper } = authenticator;
    const flags = (tamper.userPresent === false ? 0 : 0x01) | (tamper.userVerified === false ? 0 : 0x04) | (attested ? 0x40 : 0);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(signCount);
    const rpIdHash = createHash('sha256').update(tamper.rpId ?? rpId).digest();
    return Buffer.concat([rpIdHash, Buffer.from([flags]), counter, ...(attested ? [attested] : [])]);
  }

  return authenticator;
}

function named(id: string) {
  return { id, rawId: id, type: 'public-key' as const, clientExtensionResults: {}, authenticatorAttachment: 'platform' };
}

/** CBOR (RFC 8949) of the few kinds that WebAuthn needs: integers, text, bytes and maps. */
function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
  if (typeof value === 'string') return Buffer.concat([cborHead(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([cborHead(2, value.length), value]);
  if (value instanceof Map) {
    return Buffer.concat([cborHead(5, value.size), ...[...value].flatMap(([k, v]) => [cbor(k), cbor(v)])]);
  }
  throw new TypeError(`no CBOR for ${typeof value}`);
}

function cborHead(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return Buffer.from([(major << 5) | 25, length >> 8, length & 0xff]);
}
