import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import {
  createPhone,
  memoryKeyStore,
  parseCode,
  parseLink,
  type Algorithm,
  type CallType,
  type Claimed,
  type Decided,
  type DeviceKey,
  type DeviceStatus,
  type Enrolled,
  type Fetch,
  type Keys,
  type PhoneAccount,
  type PublicJwk,
} from '../../src/phone/index.ts';
import { createSoftwareAuthenticator, type SoftwareAuthenticator } from './software-authenticator.ts';

/** How a phone that does not play by the rules changes what it signs and sends. Unset members leave things alone. */
export interface Tamper {
  /** Touches only calls of this type; default: all. */
  only?: CallType;
  header?: (header: Record<string, unknown>) => Record<string, unknown>;
  claims?: (claims: Record<string, unknown>) => Record<string, unknown>;
  /** Signs with this key in place of the device's. */
  key?: DeviceKey;
  /** Changes the unprotected header's `webauthn`. */
  webauthn?: (webauthn: unknown) => unknown;
  /** Changes the finished body, signature and all. */
  body?: (body: string) => string;
}

/** One signed call as it went over the wire. */
export interface Sent {
  readonly path: string;
  readonly body: string;
  readonly contentType: string;
}

export interface VirtualPhone {
  /** The account that the last enrolment made. */
  readonly account: PhoneAccount;
  readonly accounts: () => Promise<PhoneAccount[]>;
  readonly authenticator: SoftwareAuthenticator;
  /** Set it, call, and set `{}` again. */
  tamper: Tamper;
  /** Milliseconds by which this phone's clock is wrong. */
  skew: number;
  /** Everything signed that was sent, oldest first. */
  readonly sent: Sent[];
  enrol(link: string, options?: { name?: string; platform?: string }): Promise<Enrolled>;
  /** Takes a transaction by its link or typed code. */
  claim(linkOrCode: string): Promise<Claimed>;
  decide(claimed: Claimed, decision: 'approve' | 'deny'): Promise<Decided>;
  approve(linkOrCode: string): Promise<Decided & { claimed: Claimed }>;
  deny(linkOrCode: string): Promise<Decided & { claimed: Claimed }>;
  /** Forgets every key as a cleared browser does, all but the passkey, and takes the device up again by that. */
  rekey(): Promise<PhoneAccount>;
  status(): Promise<DeviceStatus>;
  retire(): Promise<void>;
  /** Posts a body as it is, for replays and rubbish. */
  post(path: string, body: string, contentType?: string): Promise<{ status: number; headers: Headers; json: Record<string, unknown> }>;
  /** Keys of this phone's making, for `tamper.key`. */
  strangeKey(): DeviceKey;
}

/**
 * A phone without a screen. It speaks the protocol through the SDK with keys of its own in node:crypto, signs for real,
 * and can be told to cheat.
 *
 * @example
 * const phone = createVirtualPhone({ issuer });
 * const { confirmCode } = await phone.enrol(enrolmentLink);
 * // … confirm on the page, then:
 * await phone.approve(signInLink);
 * phone.tamper = { claims: (claims) => ({ ...claims, request_hash: 'other' }) };
 * await assert.rejects(phone.approve(nextLink), { code: 'invalid_signature' });
 */
export function createVirtualPhone({
  issuer,
  fetch = globalThis.fetch as unknown as Fetch,
  clock = Date.now,
  algorithm = 'ES256',
  userVerifying = false,
  origin = new URL(issuer).origin,
}: {
  issuer: string;
  fetch?: Fetch;
  clock?: () => number;
  algorithm?: Algorithm;
  /** Makes a WebAuthn credential at enrolment, and uses it where level 2 is asked. */
  userVerifying?: boolean;
  /** Origin of the page that a browser phone would run on. */
  origin?: string;
}): VirtualPhone {
  const store = memoryKeyStore();
  const authenticator = createSoftwareAuthenticator(origin);
  const sent: Sent[] = [];
  let current: PhoneAccount | undefined;
  let keyInUse: DeviceKey | undefined;

  const keys: Keys = {
    generate: () => Promise.resolve(generateKey(algorithm)),
    sign: (key, data) => {
      keyInUse = key;
      return Promise.resolve(signWith(key, data));
    },
  };

  const cheatingFetch: Fetch = (url, init) => {
    const contentType = init.headers['content-type'] ?? '';
    if (!contentType.startsWith('application/jose')) return fetch(url, init);
    const body = keyInUse ? cheat(phone.tamper, init.body, contentType, keyInUse) : init.body;
    sent.push({ path: url.slice(issuer.length), body, contentType });
    return fetch(url, { ...init, body });
  };

  /** A new SDK phone for each step: nothing is remembered of nonce and clock, however far a test turns the time. */
  function sdk() {
    return createPhone({
      store,
      keys,
      fetch: cheatingFetch,
      clock: () => clock() + phone.skew,
      ...(userVerifying && { verifier: authenticator }),
    });
  }

  const phone: VirtualPhone = {
    get account() {
      if (!current) throw new Error('this phone is not enrolled');
      return current;
    },
    accounts: () => store.list(),
    authenticator,
    tamper: {},
    skew: 0,
    sent,

    async enrol(text, { name = 'Virtual phone', platform = 'Node.js' } = {}) {
      const link = parseLink(text);
      if (link.kind !== 'enrolment') throw new Error(`not an enrolment link: ${text}`);
      const steps = sdk();
      const enrolled = await steps.enrol(await steps.offer(link), { name, platform });
      current = enrolled.account;
      return enrolled;
    },
    claim(text) {
      if (!text.includes('/')) return sdk().claim(phone.account, parseCode(text));
      const link = parseLink(text);
      if (link.kind !== 'sign-in') throw new Error(`not a sign-in link: ${text}`);
      return sdk().claim(phone.account, link);
    },
    decide: (claimed, decision) => sdk().decide(claimed, decision),
    async approve(text) {
      const claimed = await phone.claim(text);
      return { ...(await phone.decide(claimed, 'approve')), claimed };
    },
    async deny(text) {
      const claimed = await phone.claim(text);
      return { ...(await phone.decide(claimed, 'deny')), claimed };
    },
    async rekey() {
      for (const { deviceId } of await store.list()) await store.remove(deviceId);
      current = await sdk().rekey(issuer);
      return current;
    },
    status: () => sdk().status(phone.account),
    retire: () => sdk().retire(phone.account),

    async post(path, body, contentType = 'application/jose') {
      const response = await globalThis.fetch(issuer + path, { method: 'POST', headers: { 'content-type': contentType }, body });
      const text = await response.text();
      return { status: response.status, headers: response.headers, json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
    },
    strangeKey: () => generateKey(algorithm),
  };
  return phone;
}

function generateKey(algorithm: Algorithm): DeviceKey {
  const { privateKey, publicKey } = algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' }) as Record<string, string>;
  const publicJwk = { crv, kty, x, ...(y !== undefined && { y }) } as unknown as PublicJwk;
  const kid = createHash('sha256').update(JSON.stringify(publicJwk)).digest('base64url');
  return { algorithm, kid, publicJwk, handle: privateKey };
}

function signWith(key: DeviceKey, data: Uint8Array): Uint8Array {
  const privateKey = key.handle as KeyObject;
  return key.algorithm === 'ES256' ? sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }) : sign(null, data, privateKey);
}

/** Takes a signed body apart, changes it, and signs it again. */
function cheat(tamper: Tamper, body: string, contentType: string, ownKey: DeviceKey): string {
  const flattened = contentType === 'application/jose+json';
  const parts = flattened ? (JSON.parse(body) as FlattenedJws) : compact(body);
  const header = decode(parts.protected);
  if (tamper.only !== undefined && header['typ'] !== tamper.only) return body;
  if (Object.keys(tamper).every((key) => key === 'only')) return body;

  const protectedPart = encode(tamper.header?.(header) ?? header);
  const claims = decode(parts.payload);
  const payload = encode(tamper.claims?.(claims) ?? claims);
  const signature = Buffer.from(signWith(tamper.key ?? ownKey, Buffer.from(`${protectedPart}.${payload}`))).toString('base64url');
  const webauthn = tamper.webauthn ? tamper.webauthn(parts.header?.webauthn) : parts.header?.webauthn;
  const changed = flattened
    ? JSON.stringify({ payload, protected: protectedPart, header: { webauthn }, signature })
    : `${protectedPart}.${payload}.${signature}`;
  return tamper.body?.(changed) ?? changed;
}

interface FlattenedJws {
  readonly protected: string;
  readonly payload: string;
  readonly header?: { readonly webauthn?: unknown };
}

function compact(body: string): FlattenedJws {
  const [protectedPart = '', payload = ''] = body.split('.');
  return { protected: protectedPart, payload };
}

function decode(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
