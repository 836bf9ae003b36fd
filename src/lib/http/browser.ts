import type { Context as KoaContext } from 'koa';
import type { Context } from '../../context.ts';
import { base64url, equal, hmac, randomToken, sha256 } from '../crypto.ts';

/** The browser that sent a request, and the accounts that have signed in on it. */
export interface Browsers {
  /** The browser's secret identifier (256 random bits, base64url), if it sent one. Never store it: store its hash. */
  id(ctx: KoaContext): string | undefined;
  /** The browser's identifier; sets the cookie where there is none. */
  ensure(ctx: KoaContext): string;
  /** What is stored of a browser identifier: its SHA-256, base64url. */
  hash(id: string): string;
  /**
   * Names a browser on which accounts have signed in before. Anybody can send a new {@link Browsers.id} with each request;
   * this one only a sign-in makes.
   */
  familiar(ctx: KoaContext): string | undefined;
  /** Marks of the accounts that have signed in on this browser, newest first: opaque, but for when each last did. */
  knownAccounts(ctx: KoaContext): readonly string[];
  /** Remembers on this browser that the account has signed in here, for a year. */
  remember(ctx: KoaContext, accountId: string): void;
  /** Whether `accountId` is among the marks that {@link Browsers.knownAccounts} returned. */
  knows(marks: readonly string[], accountId: string): boolean;
  /** When `accountId` last signed in according to those marks, in milliseconds since the epoch; undefined where it is not among them. */
  lastSignIn(marks: readonly string[], accountId: string): number | undefined;
}

interface Known {
  readonly familiar: string;
  readonly marks: readonly string[];
}

const BROWSER_ID = /^[A-Za-z0-9_-]{43}$/;
const MAX_KNOWN = 10;
const YEAR = 365 * 24 * 60 * 60;
const FRESH = Symbol('tandem.browser');

/**
 * Creates the two cookies that tie a browser to what it started: one identifies it, one lists the accounts it knows.
 *
 * Over https they carry the `__Host-` prefix, which binds them to this exact origin. On an http loopback issuer they
 * go without prefix and `Secure`, which browsers would refuse there.
 */
export function createBrowsers({ issuer, keyRing, clock }: Pick<Context, 'issuer' | 'keyRing' | 'clock'>): Browsers {
  const secure = issuer.startsWith('https:');
  const name = secure ? '__Host-tandem' : 'tandem';
  const knownName = `${name}-known`;
  const markKeys = keyRing.derive('browser account marks');
  const signKeys = keyRing.derive('browser account list');

  // Koa's ctx.cookies.set() refuses Secure cookies behind a proxy it does not trust, and signs with the host's keys.
  function setCookie(ctx: KoaContext, cookie: string, value: string, maxAge?: number) {
    const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax'];
    if (secure) attributes.push('Secure');
    if (maxAge !== undefined) attributes.push(`Max-Age=${maxAge}`);
    ctx.append('Set-Cookie', `${cookie}=${value}; ${attributes.join('; ')}`);
  }

  function fresh(ctx: KoaContext): { id?: string; known?: Known } {
    const state = ctx.state as Record<symbol, { id?: string; known?: Known }>;
    return (state[FRESH] ??= {});
  }

  function id(ctx: KoaContext): string | undefined {
    const set = fresh(ctx).id;
    if (set) return set;
    const value = ctx.cookies.get(name, { signed: false });
    return value !== undefined && BROWSER_ID.test(value) ? value : undefined;
  }

  /** The list of a browser: a name that it keeps, then the marks. */
  function known(ctx: KoaContext): Known | undefined {
    const set = fresh(ctx).known;
    if (set) return set;
    const [list = '', signature] = (ctx.cookies.get(knownName, { signed: false }) ?? '').split('~');
    if (!signature || !signKeys.some((key) => equal(signature, base64url(hmac(key, list))))) return undefined;
    const [familiar = '', ...marks] = list.split('.');
    return { familiar, marks: marks.slice(0, MAX_KNOWN) };
  }

  const knownAccounts = (ctx: KoaContext) => known(ctx)?.marks ?? [];

  const mark = (key: Uint8Array, accountId: string) => base64url(hmac(key, accountId).subarray(0, 16));

  // The mark, a colon and the time in base 36; the signature of the list holds for the time too.
  function lastSignIn(marks: readonly string[], accountId: string): number | undefined {
    const own = markKeys.map((key) => mark(key, accountId));
    const found = marks.map((each) => each.split(':')).find(([opaque = '']) => own.includes(opaque));
    return found && (parseInt(found[1] ?? '', 36) || 0);
  }
  const knows = (marks: readonly string[], accountId: string) => lastSignIn(marks, accountId) !== undefined;

  return {
    id,
    ensure(ctx) {
      const present = id(ctx);
      if (present) return present;
      const made = randomToken();
      fresh(ctx).id = made;
      setCookie(ctx, name, made);
      return made;
    },
    hash: (browserId) => base64url(sha256(browserId)),
    familiar: (ctx) => known(ctx)?.familiar,
    knownAccounts,
    remember(ctx, accountId) {
      const others = knownAccounts(ctx).filter((each) => !knows([each], accountId));
      const marks = [`${mark(markKeys[0], accountId)}:${clock().toString(36)}`, ...others].slice(0, MAX_KNOWN);
      const familiar = known(ctx)?.familiar ?? randomToken(16);
      fresh(ctx).known = { familiar, marks };
      const list = [familiar, ...marks].join('.');
      setCookie(ctx, knownName, `${list}~${base64url(hmac(signKeys[0], list))}`, YEAR);
    },
    knows,
    lastSignIn,
  };
}
