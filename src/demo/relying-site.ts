import Koa from 'koa';
import type { Context } from 'koa';
import * as oidc from 'openid-client';
import { STYLE, greetingPage, problemPage, welcomePage } from './pages.ts';
import type { Visitor } from './pages.ts';
import { createSessions } from './sessions.ts';

export interface RelyingSiteOptions {
  /** Where the provider is. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where this site is: an origin. */
  readonly url: string;
}

type State = { step: 'leaving'; state: string; nonce: string; verifier: string } | { step: 'in'; visitor: Visitor; idToken: string };

const SCOPE = 'openid profile email';

/**
 * A site that signs people in through OpenID Connect, as any site would: it knows the issuer's name, and a client id and
 * secret that it was given, and learns everything else by discovery.
 */
export function createRelyingSite({ issuer, clientId, clientSecret, url }: RelyingSiteOptions): Koa {
  const app = new Koa();
  const sessions = createSessions<State>({ secure: url.startsWith('https:') });
  const redirectUri = `${url}/callback`;
  let discovered: Promise<oidc.Configuration> | undefined;

  /** Discovers the provider at the first visit, and again after a failure: it may start later than this site. */
  function provider(): Promise<oidc.Configuration> {
    // Verify the ID token's signature too, though it came straight from the token endpoint.
    const execute = [oidc.enableNonRepudiationChecks];
    if (issuer.startsWith('http:')) execute.push(oidc.allowInsecureRequests);
    const metadata = { client_secret: clientSecret, id_token_signed_response_alg: 'ES256' };
    discovered ??= oidc.discovery(new URL(issuer), clientId, metadata, undefined, { execute }).catch((error: unknown) => {
      discovered = undefined;
      throw error;
    });
    return discovered;
  }

  async function signIn(ctx: Context) {
    const config = await provider();
    const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    sessions.start(ctx, { step: 'leaving', state, nonce, verifier });
    ctx.redirect(oidc.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: SCOPE,
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).href);
  }

  async function callback(ctx: Context) {
    const session = sessions.get(ctx);
    if (session?.step !== 'leaving') return ctx.redirect('/');
    sessions.end(ctx);
    const config = await provider();
    try {
      const tokens = await oidc.authorizationCodeGrant(config, new URL(ctx.originalUrl, url), {
        pkceCodeVerifier: session.verifier,
        expectedState: session.state,
        expectedNonce: session.nonce,
        idTokenExpected: true,
      });
      const idToken = tokens.claims()!;
      const userInfo = await oidc.fetchUserInfo(config, tokens.access_token, idToken.sub);
      sessions.start(ctx, { step: 'in', visitor: { idToken, userInfo }, idToken: tokens.id_token! });
      ctx.redirect('/');
    } catch (error) {
      if (!(error instanceof oidc.AuthorizationResponseError)) throw error;
      ctx.status = 400;
      ctx.body = error.error === 'access_denied'
        ? problemPage({ title: 'You are not signed in', detail: 'The request was denied. Nothing about you was shared with this shop.' })
        : problemPage({ title: 'That did not work', detail: error.error_description ?? error.error });
    }
  }

  /** Ends the session here and at the provider (OpenID Connect RP-Initiated Logout). */
  async function signOut(ctx: Context) {
    const session = sessions.get(ctx);
    sessions.end(ctx);
    if (session?.step !== 'in') return ctx.redirect('/');
    const config = await provider();
    ctx.status = 303;
    ctx.redirect(oidc.buildEndSessionUrl(config, { id_token_hint: session.idToken, post_logout_redirect_uri: `${url}/signed-out` }).href);
  }

  function home(ctx: Context) {
    const session = sessions.get(ctx);
    ctx.body = session?.step === 'in' ? greetingPage({ visitor: session.visitor, issuer }) : welcomePage({ issuer });
  }

  function me(ctx: Context) {
    const session = sessions.get(ctx);
    ctx.status = session?.step === 'in' ? 200 : 401;
    ctx.body = session?.step === 'in' ? session.visitor : { error: 'not_signed_in' };
  }

  const routes: Readonly<Record<string, (ctx: Context) => unknown>> = {
    'GET /': home,
    'GET /me': me,
    'GET /sign-in': signIn,
    'GET /callback': callback,
    'POST /sign-out': signOut,
    'GET /signed-out': (ctx) => (ctx.body = welcomePage({ issuer, note: 'You are signed out.' })),
    'GET /style.css': (ctx) => Object.assign(ctx, { body: STYLE, type: 'css' }),
  };

  app.use(async (ctx, next) => {
    ctx.set({
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
      // With no-referrer, a browser would send `Origin: null` with our own forms.
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    });
    try {
      await next();
    } catch (error) {
      app.emit('error', error, ctx);
      ctx.status = 502;
      ctx.body = problemPage({ title: 'The provider cannot be used just now', detail: `It did not answer as it should at ${issuer}.` });
    }
  });
  app.use(async (ctx) => {
    const method = ctx.method === 'HEAD' ? 'GET' : ctx.method;
    const route = routes[`${method} ${ctx.path}`];
    // A form of another site could sign people out otherwise.
    if (method === 'POST' && ctx.get('Origin') && ctx.get('Origin') !== url) return void (ctx.status = 403);
    if (route) await route(ctx);
  });
  return app;
}
