import type { Context as KoaContext } from 'koa';
import type { Provider } from 'oidc-provider';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { base64url, equal, fromBase64url, hmac, randomToken } from '../../lib/crypto.ts';
import { shapeOf } from '../../lib/http/answers.ts';
import type { Browsers } from '../../lib/http/browser.ts';
import { ACR, satisfies } from '../acr.ts';
import { BUILT_IN_CLIENT, returnUrl } from '../built-in-client.ts';
import type { Level } from '../configuration/levels.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { isBelowSite, owesFactor } from './second-factor.ts';
import type { SecondFactors, SignedIn, SignInGate } from './sign-in.ts';

/** The gate, and the end of the way back from it. */
export interface Gate extends SignInGate {
  /** The path of ours that a `state` stands for; throws when it was not made for this browser, lately. */
  returnPath(ctx: KoaContext, state: string | undefined): string;
}

/** Seconds that signing in may take. */
const STATE_TTL = 3600;

/**
 * Creates the gate of the self-service pages. It asks the provider itself for a sign-in, as the built-in client: the
 * same page, policy and session as for everybody, and with `response_type=none` there is no token to lose.
 *
 * @param options.home path of the page to go to where the way back leads nowhere
 */
export function createGate(
  provider: Provider,
  { issuer, clock, keyRing }: Pick<Context, 'issuer' | 'clock' | 'keyRing'>,
  { browsers, secondFactors, ledger, level, home }: {
    browsers: Browsers;
    secondFactors: SecondFactors;
    ledger: Pick<Ledger, 'isOver'>;
    level: Level;
    home: string;
  },
): Gate {
  const keys = keyRing.derive('sign-in state');
  const seconds = () => Math.floor(clock() / 1000);
  const macOf = (key: Uint8Array, browserId: string, payload: string) => base64url(hmac(key, `${browserId}|${payload}`));

  /** Bound to the browser, so that nobody signs another person in and sends them somewhere (RFC 6749 §10.12). */
  function seal(ctx: KoaContext, path: string): string {
    const payload = base64url(Buffer.from(JSON.stringify({ path, iat: seconds(), nonce: randomToken(12) })));
    return `${payload}.${macOf(keys[0], browsers.ensure(ctx), payload)}`;
  }

  /** Of whom the session is, be it half a sign-in or a whole one. */
  async function sessionOf(ctx: KoaContext): Promise<SignedIn | undefined> {
    const session = await provider.Session.get(ctx as never);
    if (!session.accountId || (await ledger.isOver(session))) return undefined;
    const { accountId, acr, amr = [], uid } = session;
    return { accountId, acr, amr, authTime: session.authTime() ?? 0, sessionUid: uid };
  }

  const isHalf = async (signedIn: SignedIn) => (await owesFactor(signedIn, secondFactors)) || (await isBelowSite(signedIn, level, secondFactors));

  function signInUrl(ctx: KoaContext, { maxAge, acr, stale }: { maxAge?: number; acr?: string; stale: boolean }): string {
    const url = new URL(provider.urlFor('authorization'));
    const parameters = {
      client_id: BUILT_IN_CLIENT,
      response_type: 'none',
      redirect_uri: returnUrl(issuer),
      scope: 'openid',
      state: seal(ctx, pathOf(ctx, issuer) ?? home),
      ...(maxAge !== undefined && { max_age: String(maxAge) }),
      // Said outright: the library tells the age by another clock than ours, and would send the person back and forth.
      ...(stale && { prompt: 'login' }),
      ...(acr !== undefined && { acr_values: acr }),
      ...(typeof ctx.query['ui_locales'] === 'string' && { ui_locales: ctx.query['ui_locales'] }),
    };
    url.search = new URLSearchParams(parameters).toString();
    return url.href;
  }

  return {
    async current(ctx) {
      const signedIn = await sessionOf(ctx);
      return signedIn && (await isHalf(signedIn)) ? undefined : signedIn;
    },

    async require(ctx, { maxAge, acr } = {}) {
      const signedIn = await sessionOf(ctx);
      // A sign-in from the future, by a clock put back, counts as fresh rather than being asked for again and again.
      const fresh = signedIn && (maxAge === undefined || seconds() - signedIn.authTime <= maxAge);
      const strong = fresh && (acr === undefined || satisfies(signedIn.acr, acr));
      if (strong && !(await isHalf(signedIn))) return signedIn;
      const stale = signedIn !== undefined && !fresh;
      const url = signInUrl(ctx, { ...(maxAge !== undefined && { maxAge }), ...(acr !== undefined && { acr }), stale });
      if (shapeOf(ctx) === 'json') throw new AppError('sign_in_required', 'sign in, then try again', { extra: { sign_in_url: url } });
      ctx.redirect(url);
      ctx.status = 303;
      return undefined;
    },

    async addFactor(ctx, { amr }) {
      const session = await provider.Session.get(ctx as never);
      if (!session.accountId || satisfies(session.acr, ACR.two)) return;
      session.acr = ACR.two;
      session.amr = [...new Set([...(session.amr ?? []), ...amr, 'mfa'])];
      await session.persist();
    },

    async signOut(ctx, xsrf) {
      const session = await provider.Session.get(ctx as never);
      // What the provider keeps once it has asked; the form then goes on to its confirmation, body and all (RFC 9110 §15.4.8).
      if (session.accountId) {
        session.state = { secret: xsrf };
        await session.persist();
      }
      ctx.redirect(provider.urlFor(session.accountId ? 'end_session_confirm' : 'end_session_success'));
      ctx.status = session.accountId ? 307 : 303;
    },

    returnPath(ctx, state) {
      const [payload = '', mac = ''] = state?.split('.') ?? [];
      const browserId = browsers.id(ctx);
      const genuine = browserId !== undefined && keys.some((key) => equal(mac, macOf(key, browserId, payload)));
      if (!genuine) throw new AppError('invalid_request', 'this way back was not made for this browser, or cookies are off');
      const { path, iat } = JSON.parse(fromBase64url(payload).toString('utf8')) as { path: string; iat: number };
      if (seconds() - iat > STATE_TTL) throw new AppError('expired', 'signing in took too long');
      return isOurPath(path, issuer) ? path : home;
    },
  };
}

/** Where to come back to: this page; after a form the page that it stood on, as a posted form cannot be sent again. */
function pathOf(ctx: KoaContext, issuer: string): string | undefined {
  const path = ctx.method === 'GET' || ctx.method === 'HEAD' ? ctx.path + ctx.search : refererPath(ctx.get('Referer'), issuer);
  return path !== undefined && isOurPath(path, issuer) ? path : undefined;
}

function refererPath(referer: string, issuer: string): string | undefined {
  if (!URL.canParse(referer)) return undefined;
  const { href } = new URL(referer);
  return href.startsWith(`${issuer}/`) ? href.slice(issuer.length) : undefined;
}

/** A plain path under the issuer, however it is spelt: neither another host, nor out of the mount path. */
function isOurPath(path: string, issuer: string): boolean {
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(path) || path.includes('\\')) return false;
  const url = new URL(issuer + path);
  return url.origin === new URL(issuer).origin && url.href.startsWith(`${issuer}/`);
}
