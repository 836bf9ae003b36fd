import { PhoneError } from './errors.ts';

/** One frame of a sign-in QR: `{issuer}/q/1.{tx}.{n}.{mac}`. `n` is `s` in a frame that does not rotate. */
export interface SignInLink {
  readonly kind: 'sign-in';
  readonly issuer: string;
  readonly tx: string;
  readonly n: number | 's';
  readonly mac: string;
}

/** An enrolment QR: `{issuer}/e/1.{ticket}`. */
export interface EnrolmentLink {
  readonly kind: 'enrolment';
  readonly issuer: string;
  readonly ticket: string;
}

/** A code that a person typed in place of scanning. It names no issuer: the account that it is claimed with does. */
export interface TypedCode {
  readonly kind: 'code';
  readonly userCode: string;
}

export type Link = SignInLink | EnrolmentLink;

// A tx and a mac are 128 bits, a ticket 256: 22 and 43 characters of base64url.
const SIGN_IN = /^(https?:\/\/[^\s?#]+)\/q\/1\.([\w-]{22})\.(0|[1-9]\d{0,9}|s)\.([\w-]{22})$/;
const ENROLMENT = /^(https?:\/\/[^\s?#]+)\/e\/1\.([\w-]{43})$/;
const LOOPBACK = /^http:\/\/(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d+)?(\/|$)/;
// The letters of RFC 8628 §6.1: no vowels, so that no code spells a word, and none that is taken for a digit.
const CODE = /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/;

/**
 * Reads what a QR held or a person pasted.
 *
 * @throws {PhoneError} `invalid_link`: not a link of Tandem, of a newer version, or plain http beyond loopback
 * @example
 * parseLink('https://id.example.com/q/1.Fh9…w.3.mQ7…A');
 * // { kind: 'sign-in', issuer: 'https://id.example.com', tx: 'Fh9…w', n: 3, mac: 'mQ7…A' }
 */
export function parseLink(text: string): Link {
  const trimmed = text.trim();
  const signIn = SIGN_IN.exec(trimmed);
  if (signIn) {
    const [, issuer = '', tx = '', n = '', mac = ''] = signIn;
    return { kind: 'sign-in', issuer: secure(issuer), tx, n: n === 's' ? 's' : Number(n), mac };
  }
  const enrolment = ENROLMENT.exec(trimmed);
  if (enrolment) {
    const [, issuer = '', ticket = ''] = enrolment;
    return { kind: 'enrolment', issuer: secure(issuer), ticket };
  }
  throw new PhoneError('invalid_link', 'this is not a sign-in or enrolment link');
}

/**
 * Reads a code as people type it: any case, with spaces or hyphens.
 *
 * @throws {PhoneError} `invalid_link`: not eight letters of the alphabet
 * @example
 * parseCode('bcdf-ghjk'); // { kind: 'code', userCode: 'BCDFGHJK' }
 */
export function parseCode(text: string): TypedCode {
  const userCode = text.toUpperCase().replaceAll(/[\s\p{Pd}.]/gu, '');
  if (!CODE.test(userCode)) throw new PhoneError('invalid_link', 'a code has eight letters');
  return { kind: 'code', userCode };
}

/** The text of a link, as its QR holds it. */
export function formatLink(link: Link): string {
  return link.kind === 'sign-in'
    ? `${link.issuer}/q/1.${link.tx}.${link.n}.${link.mac}`
    : `${link.issuer}/e/1.${link.ticket}`;
}

function secure(issuer: string): string {
  if (issuer.startsWith('https://') || LOOPBACK.test(issuer)) return issuer;
  throw new PhoneError('invalid_link', 'a link must be https, or http on this very machine');
}
