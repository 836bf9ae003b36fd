import { base64url, sha256 } from '../../lib/crypto.ts';
import type { Purpose } from '../transaction/states.ts';

/** What the browser's side knows of a request when it starts. */
export interface Facts {
  readonly client: { readonly id: string; readonly name: string; readonly logo_uri?: string; readonly redirect_host?: string };
  /** Scopes in plain words, in the language of the browser. */
  readonly scopes: ReadonlyArray<{ readonly scope: string; readonly description: string }>;
  readonly browser: { readonly family: string; readonly os: string; readonly place?: string };
  /** The languages that the request asked its pages for, most wanted first. */
  readonly locales?: string;
}

/** What the phone shows, and signs the hash of. */
export interface PhoneRequest extends Omit<Facts, 'locales'> {
  readonly v: 1;
  readonly purpose: Purpose;
  readonly issuer: string;
  readonly account: { readonly label: string };
  readonly level: '1' | '2';
  readonly browser: Facts['browser'] & { readonly known: boolean };
  /** True when an approval will need the confirm code. */
  readonly confirm: boolean;
  readonly tx: string;
  /** Epoch seconds. */
  readonly iat: number;
}

/** The bytes that travel, are shown, hashed and kept: they are written once, so that no canonical form is needed. */
export function encodeRequest(request: PhoneRequest): string {
  return base64url(Buffer.from(JSON.stringify(request), 'utf8'));
}

/** The hash by which a decision names the bytes it is about: SHA-256, base64url. */
export function requestHash(encoded: string): string {
  return base64url(sha256(Buffer.from(encoded, 'base64url')));
}
