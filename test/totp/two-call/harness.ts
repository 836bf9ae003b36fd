import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { ClientMetadata } from 'oidc-provider';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import { accounts, qr, totp, type TotpOptions } from '../../../src/index.ts';
import type { TestDatabase } from '../../support/databases.ts';
import { codeOf } from '../../support/otp.ts';
import { startTandem, TEST_CLIENTS, type TestTandem, type TestTandemOptions } from '../../support/tandem.ts';

const require = createRequire(import.meta.url);
const wasm = readFileSync(require.resolve('zxing-wasm/reader').replace(/cjs.reader.*/, 'reader/zxing_reader.wasm'));
prepareZXingModule({ overrides: { wasmBinary: wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength) as ArrayBuffer } });

export const ENROL = 'credential:totp:enrol:post';
export const VALIDATE = 'credential:totp:validate:post';
const QR_PATH = '/api/users/google/2FAuth/qrCode';
const VALIDATE_PATH = '/api/users/google/2FAuth/validate';

/** Who calls: a client by HTTP Basic, a value of the Authorization header, or nobody. */
export type As = 'legacy' | 'other' | 'enrols' | 'validates' | 'mute' | 'nobody' | { authorization: string };
type Fields = Readonly<Record<string, string | undefined>> | string;

export interface TwoCallHarness extends TestTandem {
  qrCode(fields: Fields, as?: As, headers?: Record<string, string>): Promise<Response>;
  validate(fields: Fields, as?: As, headers?: Record<string, string>): Promise<Response>;
  /** A whole enrolment by both calls; returns the secret that the QR code showed. */
  enrol(person: { email: string; password: string }, as?: As): Promise<{ secret: string; token: string }>;
  /** A ticket of call one, for an account that has an authenticator. */
  ticket(person: { email: string; password: string }, as?: As): Promise<string>;
}

const secretOf = (name: string) => `${name}-secret `.repeat(5).replaceAll(' ', '-');

/** Clients of the API, each with what its name says; the issuer is known only once there is a port. */
export function clientsOf(issuer: string): ClientMetadata[] {
  const client = (id: string, scopes: string[], more: Partial<ClientMetadata> = {}): ClientMetadata => ({
    client_id: id,
    client_secret: secretOf(id),
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    ...(scopes.length && { tandem_resources: { [`${issuer}/api`]: scopes } }),
    ...more,
  });
  return [
    client('legacy', [ENROL, VALIDATE], { redirect_uris: ['http://localhost:1/cb'], response_types: ['code'], grant_types: ['authorization_code', 'client_credentials'], tandem_consent: 'implicit' }),
    client('other', [ENROL, VALIDATE]),
    client('enrols', [ENROL]),
    client('validates', [VALIDATE]),
    client('mute', []),
  ];
}

export const basic = (id: string, secret = secretOf(id)) => `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

/** Starts a provider with the two-call API, and what an old service would call it with. */
export async function startTwoCall(database: Pick<TestDatabase, 'open'>, options: TestTandemOptions & { totp?: TotpOptions; bare?: boolean; more?: (issuer: string) => ClientMetadata[] } = {}): Promise<TwoCallHarness> {
  const { totp: totpOptions, bare = false, more = () => [], ...rest } = options;
  const tandem = await startTandem(database, {
    features: [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp(totpOptions)],
    ...rest,
    // `bare`: none that wants keys, of a provider that has few.
    clients: (issuer) => (bare ? clientsOf(issuer).filter(({ client_id: id }) => id === 'other').map((client) => ({ ...client, client_id: 'legacy', client_secret: secretOf('legacy'), id_token_signed_response_alg: 'ES256' as const })) : [...Object.values(TEST_CLIENTS), ...clientsOf(issuer), ...more(issuer)]),
  });

  function send(path: string, fields: Fields, as: As, headers: Record<string, string> = {}) {
    const authorization = as === 'nobody' ? undefined : typeof as === 'string' ? basic(as) : as.authorization;
    const given = typeof fields === 'string' ? fields : new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)).toString();
    return fetch(tandem.url(path), {
      method: 'POST',
      body: given,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...(authorization && { authorization }), ...headers },
    });
  }

  const harness: TwoCallHarness = {
    ...tandem,
    qrCode: (fields, as = 'legacy', headers) => send(QR_PATH, fields, as, headers),
    validate: (fields, as = 'legacy', headers) => send(VALIDATE_PATH, fields, as, headers),
    async enrol({ email, password }, as = 'legacy') {
      const png = await harness.qrCode({ email, password }, as);
      assert.equal(png.status, 200, await png.clone().text().catch(() => ''));
      const ticket = ticketOf(png);
      const { secret } = otpauthOf(await textOf(png));
      const answer = await harness.validate({ email, code: codeOf(secret, tandem.clock), ticket }, as);
      assert.equal(answer.status, 200, await answer.clone().text());
      return { secret, token: await answer.text() };
    },
    async ticket({ email, password }, as = 'legacy') {
      const answer = await harness.qrCode({ email, password }, as);
      assert.equal(answer.status, 409);
      return ticketOf(answer);
    },
  };
  return harness;
}

/** What call one takes of a person. */
export const pick = ({ email, password }: { email: string; password: string }) => ({ email, password });

export function ticketOf(answer: Response): string {
  const ticket = answer.headers.get('tandem-ticket');
  assert.match(ticket ?? '', /^[\w-]{43}$/);
  return ticket!;
}

/** What the QR code of a PNG says, as a phone's camera reads it. */
export async function textOf(answer: Response): Promise<string> {
  const png = new Uint8Array(await answer.arrayBuffer());
  const [found] = await readBarcodes(png, { formats: ['QRCode'] });
  assert.ok(found?.isValid, 'no QR code in the PNG');
  return found.text;
}

export function otpauthOf(uri: string): { label: string; secret: string; issuer: string | null } {
  const url = new URL(uri);
  assert.equal(url.protocol, 'otpauth:');
  assert.equal(url.host, 'totp');
  return { label: decodeURIComponent(url.pathname.slice(1)), secret: url.searchParams.get('secret')!, issuer: url.searchParams.get('issuer') };
}
