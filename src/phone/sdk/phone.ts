import { PhoneError } from './errors.ts';
import { signCall, type CallType } from './jws.ts';
import { memoryKeyStore, type PhoneAccount } from './key-store.ts';
import { webCryptoKeys, type DeviceKey, type PublicJwk } from './keys.ts';
import { base64url, platform } from './platform.ts';
import { readRequest, requestHash } from './request.ts';
import type { Claimed, Decided, DeviceStatus, Phone, PhoneOptions } from './types.ts';
import { presenceOnly, type Assertion, type CredentialOptions, type Registration } from './verifier.ts';
import { createWire, text, type Wire } from './wire.ts';

/**
 * Creates a phone.
 *
 * @example
 * const phone = createPhone();
 * const { confirmCode } = await phone.enrol(await phone.offer(parseLink(enrolmentUrl)), { name: 'My phone', platform: 'iOS 19' });
 * // … the person types the code where the enrolment QR is shown, and later scans a sign-in QR:
 * const [account] = await phone.accounts();
 * const claimed = await phone.claim(account, parseLink(signInUrl));
 * if (await ask(claimed.request)) show((await phone.decide(claimed, 'approve')).confirmCode);
 */
export function createPhone(options: PhoneOptions = {}): Phone {
  const system = platform(options);
  const { crypto, clock } = system;
  const store = options.store ?? memoryKeyStore();
  const keys = options.keys ?? webCryptoKeys(crypto);
  const verifier = options.verifier ?? presenceOnly;
  const wires = new Map<string, Wire>();

  function wire(issuer: string): Wire {
    const known = wires.get(issuer) ?? createWire(system, issuer);
    wires.set(issuer, known);
    return known;
  }

  /** Signs and sends one call of a device (or, at enrolment, of a key that is not one yet). */
  function call(
    issuer: string,
    path: string,
    { key, iss, type, claims, nonce, jwk, webauthn, cookies }: {
      key: DeviceKey;
      iss: string;
      type: CallType;
      claims: Record<string, unknown>;
      nonce?: string;
      jwk?: PublicJwk;
      webauthn?: (challenge: string) => Promise<object | undefined>;
      cookies?: boolean;
    },
  ): Promise<Record<string, unknown>> {
    return wire(issuer).signed(
      path,
      (fresh) =>
        signCall({ crypto, keys }, key, {
          type,
          ...(jwk && { jwk }),
          ...(webauthn && { webauthn }),
          claims: {
            iss,
            aud: issuer,
            iat: fresh.now,
            exp: fresh.now + 60,
            jti: base64url(random(16)),
            nonce: fresh.nonce,
            ...claims,
          },
        }),
      { ...(nonce !== undefined && { nonce }), ...(cookies !== undefined && { cookies }) },
    );
  }

  function random(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    crypto.getRandomValues(bytes);
    return bytes;
  }

  async function claim(account: PhoneAccount, claims: Record<string, unknown>, cookies: boolean): Promise<Claimed> {
    const { issuer, key, deviceId } = account;
    const answer = await call(issuer, '/phone/transactions/claim', { key, iss: deviceId, type: 'qr-claim+jwt', claims, cookies });
    const tx = text(answer, 'tx');
    const { bytes, request } = readRequest(text(answer, 'request'), { issuer, tx });
    return { account, tx, challenge: text(answer, 'challenge'), request, bytes, expiresIn: Number(answer['expires_in']) };
  }

  return {
    async accounts(issuer) {
      const all = await store.list();
      return issuer === undefined ? all : all.filter((account) => account.issuer === issuer);
    },

    async offer(link) {
      const answer = await wire(link.issuer).json('/phone/enrolment/offer', { ticket: link.ticket });
      if (answer['issuer'] !== link.issuer) throw new PhoneError('invalid_answer', 'the offer is of another issuer');
      return {
        link,
        account: answer['account'] as { label: string },
        expiresIn: Number(answer['expires_in']),
        webauthn: answer['webauthn'] as CredentialOptions | undefined,
      };
    },

    async enrol({ link, account, webauthn }, device) {
      const key = await keys.generate();
      let made: Registration | undefined;
      if (webauthn && device.verify !== false && (await verifier.available())) made = await verifier.create(webauthn);
      const answer = await call(link.issuer, '/phone/enrolment', {
        key,
        iss: key.kid,
        type: 'enrol+jwt',
        jwk: key.publicJwk,
        claims: { ticket: link.ticket, name: device.name, platform: device.platform },
        ...(made && { webauthn: () => Promise.resolve(made) }),
      });
      const enrolled: PhoneAccount = {
        deviceId: text(answer, 'device_id'),
        issuer: link.issuer,
        label: account.label,
        name: device.name,
        state: 'pending',
        key,
        credential: made && answer['user_verifying'] === true ? { id: made.id, rpId: rpId(webauthn, link.issuer) } : undefined,
        enrolledAt: clock(),
      };
      await store.save(enrolled);
      return { account: enrolled, confirmCode: text(answer, 'confirm_code'), expiresIn: Number(answer['expires_in']) };
    },

    async rekey(issuer) {
      const offer = await wire(issuer).json('/phone/rekey/offer', {});
      if (offer['issuer'] !== issuer) throw new PhoneError('invalid_answer', 'the offer is of another issuer');
      const { rpId = '' } = offer['webauthn'] as { rpId?: string };
      const key = await keys.generate();
      let assertion: Assertion | undefined;
      const answer = await call(issuer, '/phone/rekey', {
        key,
        iss: key.kid,
        type: 'rekey+jwt',
        jwk: key.publicJwk,
        claims: {},
        webauthn: async (challenge) => (assertion = await verifier.get({ challenge, rpId })),
      });
      const account: PhoneAccount = {
        deviceId: text(answer, 'device_id'),
        issuer,
        label: (answer['account'] as { label: string }).label,
        name: text(answer, 'name'),
        state: 'active',
        key,
        credential: assertion && { id: assertion.id, rpId },
        enrolledAt: clock(),
      };
      await store.save(account);
      return account;
    },

    async status(account) {
      const { issuer, key, deviceId, label, name } = account;
      try {
        const answer = await call(issuer, '/phone/device', { key, iss: deviceId, type: 'device+jwt', claims: {} });
        const status: DeviceStatus = {
          state: text(answer, 'state') as DeviceStatus['state'],
          label: (answer['account'] as { label: string } | undefined)?.label ?? label,
          name: text(answer, 'name'),
          userVerifying: answer['user_verifying'] === true,
        };
        if (status.state === 'revoked') await store.remove(deviceId);
        else await store.save({ ...account, state: status.state, label: status.label, name: status.name });
        return status;
      } catch (error) {
        if (!(error instanceof PhoneError && error.code === 'device_revoked')) throw error;
        await store.remove(deviceId);
        return { state: 'revoked', label, name, userVerifying: account.credential !== undefined };
      }
    },

    async retire(account) {
      try {
        await call(account.issuer, '/phone/device/retire', {
          key: account.key,
          iss: account.deviceId,
          type: 'device-retire+jwt',
          claims: {},
        });
      } catch (error) {
        // Already gone at the server: what was wanted has happened.
        const gone = error instanceof PhoneError && (error.code === 'device_revoked' || error.code === 'not_found');
        if (!gone) throw error;
      }
      await store.remove(account.deviceId);
    },

    forget: (account) => store.remove(account.deviceId),

    async claim(account, link, { ticket = false } = {}) {
      if (link.kind === 'code') return claim(account, { user_code: link.userCode }, false);
      if (link.issuer !== account.issuer) throw new PhoneError('unknown_issuer', `${link.issuer} does not know this device`);
      try {
        return await claim(account, { tx: link.tx, n: link.n, mac: link.mac }, false);
      } catch (error) {
        const stale = error instanceof PhoneError && error.code === 'frame_stale';
        if (!stale || !ticket) throw error;
        return claim(account, { tx: link.tx }, true);
      }
    },

    async decide({ account, tx, challenge, request, bytes }, decision) {
      const { credential } = account;
      const verify = decision === 'approve' && request.level === '2';
      if (verify && !credential) throw new PhoneError('uv_required', 'this sign-in needs a phone that verifies its user');
      const answer = await call(account.issuer, '/phone/transactions/decision', {
        key: account.key,
        iss: account.deviceId,
        type: 'qr-decision+jwt',
        nonce: challenge,
        claims: { tx, client_id: request.client.id, request_hash: await requestHash(crypto, bytes), decision },
        ...(verify &&
          credential && {
            webauthn: (input: string) => verifier.get({ challenge: input, rpId: credential.rpId, credentialId: credential.id }),
          }),
      });
      return {
        state: text(answer, 'state') as Decided['state'],
        confirmCode: typeof answer['confirm_code'] === 'string' ? answer['confirm_code'] : undefined,
        expiresIn: typeof answer['expires_in'] === 'number' ? answer['expires_in'] : undefined,
      };
    },
  };
}

/** WebAuthn's default for a missing `rp.id` is the host of the page (WebAuthn L3 §5.4.2). */
function rpId(options: CredentialOptions | undefined, issuer: string): string {
  return options?.rp.id ?? issuer.replace(/^https?:\/\//, '').replace(/[:/].*$/, '');
}
