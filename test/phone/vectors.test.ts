import assert from 'node:assert/strict';
import { createHash, createHmac, createPrivateKey, createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  formatLink,
  parseLink,
  readRequest,
  requestHash,
  signCall,
  thumbprint,
  webCryptoKeys,
  type CallType,
  type DeviceKey,
  type PublicJwk,
  type WebCrypto,
} from '../../src/phone/index.ts';

interface Call {
  claims: Record<string, unknown>;
  signing_input: string;
  webauthn_challenge: string;
  jws: string;
}

interface Vectors {
  issuer: string;
  keys: Record<'ES256' | 'EdDSA', { jwk: Record<string, string>; thumbprint: string }>;
  enrolment: { ticket: string; link: string };
  transaction: { tx: string; key: string; frames: Array<{ n: number | 's'; mac_input: string; mac: string; link: string }> };
  request: { json: string; encoded: string; hash: string };
  calls: Record<'enrolment' | 'claim' | 'claim_eddsa' | 'decision', Call>;
}

/** The vectors as readers of the README get them. */
function published(): Vectors {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const block = /#+ Test vectors\n[\s\S]*?```json\n([\s\S]*?)```/.exec(readme)?.[1];
  assert(block, 'README.md has a fenced json block under "Test vectors"');
  return JSON.parse(block) as Vectors;
}

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('base64url');
const webCrypto = globalThis.crypto as unknown as WebCrypto;

describe('the protocol reference', () => {
  let vectors: Vectors;
  before(() => {
    vectors = published();
  });

  /** The required members in lexicographic order, written out by hand (RFC 7638 §3.2). */
  function canonical({ crv, kty, x, y }: Record<string, string>) {
    return kty === 'EC' ? `{"crv":"${crv}","kty":"${kty}","x":"${x}","y":"${y}"}` : `{"crv":"${crv}","kty":"${kty}","x":"${x}"}`;
  }

  for (const algorithm of ['ES256', 'EdDSA'] as const) {
    it(`has the thumbprint of its ${algorithm} key, and the SDK finds the same`, async () => {
      const { jwk, thumbprint: expected } = vectors.keys[algorithm];
      assert.equal(sha256(canonical(jwk)), expected);
      assert.equal(await thumbprint(webCrypto, jwk as unknown as PublicJwk), expected);
    });
  }

  it('has frames whose MACs follow from their key', () => {
    const { issuer, transaction } = vectors;
    assert.equal(Buffer.from(transaction.tx, 'base64url').length, 16);
    for (const frame of transaction.frames) {
      const input = frame.n === 's' ? `qr1s|${issuer}|${transaction.tx}|s` : `qr1|${issuer}|${transaction.tx}|${frame.n}`;
      assert.equal(frame.mac_input, input);
      const mac = createHmac('sha256', Buffer.from(transaction.key, 'base64url')).update(input).digest().subarray(0, 16).toString('base64url');
      assert.equal(frame.mac, mac);
      const link = parseLink(frame.link);
      assert.deepEqual(link, { kind: 'sign-in', issuer, tx: transaction.tx, n: frame.n, mac });
      assert.equal(formatLink(link), frame.link);
    }
  });

  it('has an enrolment link that the SDK reads', () => {
    const { issuer, enrolment } = vectors;
    assert.deepEqual(parseLink(enrolment.link), { kind: 'enrolment', issuer, ticket: enrolment.ticket });
  });

  it('has a request whose hash is that of its bytes', async () => {
    const { json, encoded, hash } = vectors.request;
    assert.equal(Buffer.from(encoded, 'base64url').toString('utf8'), json);
    assert.equal(sha256(json), hash);
    const { bytes, request } = readRequest(encoded, { issuer: vectors.issuer, tx: vectors.transaction.tx });
    assert.deepEqual(request, JSON.parse(json));
    assert.equal(await requestHash(webCrypto, bytes), hash);
    assert.equal(vectors.calls.decision.claims['request_hash'], hash);
  });

  for (const name of ['enrolment', 'claim', 'claim_eddsa', 'decision'] as const) {
    it(`has a valid signature of the ${name.replace('_', ' by ')} call`, async () => {
      const call = vectors.calls[name];
      const algorithm = name === 'claim_eddsa' ? 'EdDSA' : 'ES256';
      const { jwk, thumbprint: kid } = vectors.keys[algorithm];
      const { d: _private, ...publicJwk } = jwk;
      const [header = '', payload = '', signature = ''] = call.jws.split('.');
      const protectedHeader = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, string>;
      const typ = { enrolment: 'enrol+jwt', claim: 'qr-claim+jwt', claim_eddsa: 'qr-claim+jwt', decision: 'qr-decision+jwt' }[name];

      assert.deepEqual(protectedHeader, { alg: algorithm, typ, kid, ...(name === 'enrolment' && { jwk: publicJwk }) });
      assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url').toString()), call.claims);
      assert.equal(call.signing_input, `${header}.${payload}`);
      assert.equal(call.webauthn_challenge, sha256(call.signing_input));
      const key = createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' });
      const bytes = Buffer.from(call.signing_input);
      const good =
        algorithm === 'ES256'
          ? verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
          : verify(null, bytes, key, Buffer.from(signature, 'base64url'));
      assert(good, 'the signature verifies');
    });

    it(`has the ${name.replace('_', ' by ')} call that the SDK makes`, async () => {
      const call = vectors.calls[name];
      const algorithm = name === 'claim_eddsa' ? 'EdDSA' : 'ES256';
      const { jwk, thumbprint: kid } = vectors.keys[algorithm];
      const { d: _private, ...publicJwk } = jwk;
      const parameters = algorithm === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' };
      const pkcs8 = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ format: 'der', type: 'pkcs8' });
      const handle = await globalThis.crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), parameters, false, ['sign']);
      const key: DeviceKey = { algorithm, kid, publicJwk: publicJwk as unknown as PublicJwk, handle };
      const type = (JSON.parse(Buffer.from(call.jws.split('.')[0] ?? '', 'base64url').toString()) as { typ: CallType }).typ;
      let challenge: string | undefined;
      const { body } = await signCall({ crypto: webCrypto, keys: webCryptoKeys(webCrypto) }, key, {
        type,
        claims: call.claims,
        ...(name === 'enrolment' && { jwk: key.publicJwk }),
        webauthn: (input) => Promise.resolve(void (challenge = input)),
      });
      assert.equal(body.slice(0, body.lastIndexOf('.')), call.signing_input);
      assert.equal(challenge, call.webauthn_challenge);
      // Ed25519 is deterministic (RFC 8032 §5.1.6); ECDSA in WebCrypto is not.
      if (algorithm === 'EdDSA') assert.equal(body, call.jws);
    });
  }
});
