import Koa from 'koa';
import type { Context } from 'koa';
import { STYLE, greetingPage, problemPage, receiptPage, tillPage, welcomePage } from './pages.ts';
import type { Problem } from './pages.ts';
import { createProviderClient, refusal } from './provider.ts';
import type { ClientOptions, Demand, Pending, Proven } from './provider.ts';
import { createSessions } from './sessions.ts';

export type { ClientOptions as RelyingSiteOptions } from './provider.ts';

interface State {
  /** Who is signed in here. */
  readonly visitor?: Proven | undefined;
  /** Set while the browser is at the provider. */
  readonly pending?: Pending;
  /** The sign-in that paid. */
  readonly paidBy?: Proven;
}

interface Refused extends Problem {
  readonly status: number;
}

/** Paying takes two factors, and the person at the keyboard just now. */
const TILL: Demand = { acr: 'urn:tandem:acr:2', maxAge: 300 };

/**
 * A site that signs people in through OpenID Connect, as any site would: it knows the issuer's name, and a client id and
 * secret that it was given, and learns everything else by discovery.
 */
export function createRelyingSite(options: ClientOptions): Koa {
  const { issuer, url } = options;
  const app = new Koa();
  const sessions = createSessions<State>({ secure: url.startsWith('https:') });
  const provider = createProviderClient(options);

  async function signIn(ctx: Context) {
    const { href, pending } = await provider.leave();
    sessions.start(ctx, { pending });
    ctx.redirect(href);
  }

  /** Who is signed in here stays so, whatever comes of it. */
  async function pay(ctx: Context) {
    const visitor = sessions.get(ctx)?.visitor;
    const { href, pending } = await provider.leave({ demand: TILL, hint: visitor?.token });
    sessions.start(ctx, { visitor, pending });
    ctx.status = 303;
    ctx.redirect(href);
  }

  async function callback(ctx: Context) {
    const { pending, visitor } = sessions.get(ctx) ?? {};
    if (!pending) return ctx.redirect('/');
    sessions.start(ctx, { visitor });
    const paying = pending.demand !== undefined;
    let proven: Proven;
    try {
      proven = await provider.redeem(ctx.originalUrl, pending);
    } catch (error) {
      const refused = refusal(error);
      if (!refused) throw error;
      return refuse(ctx, paying ? unpaid(refused.code, refused.description) : notSignedIn(refused.code, refused.description));
    }
    // What was asked for is only asked: what counts is what the ID token says.
    if (paying && proven.claims.acr !== TILL.acr) return refuse(ctx, unpaid('unmet_authentication_requirements'));
    if (paying && visitor && visitor.claims.sub !== proven.claims.sub) return refuse(ctx, unpaid('wrong_account'));
    sessions.start(ctx, { visitor: proven, ...(paying && { paidBy: proven }) });
    ctx.redirect(paying ? '/paid' : '/');
  }

  function refuse(ctx: Context, { status, ...problem }: Refused) {
    ctx.status = status;
    ctx.body = problemPage(problem);
  }

  /** Why nothing was paid, and what to do about it. */
  function unpaid(code: string, description = code): Refused {
    const title = 'Nothing was paid';
    const ways = [{ label: 'Back to the till', href: '/pay' }];
    if (code === 'access_denied') return { status: 403, title, detail: 'You refused at the provider. Your balance is as it was.', ways };
    if (code === 'wrong_account') return { status: 403, title, detail: 'The provider named another account than the one that is signed in here.', ways };
    if (code !== 'unmet_authentication_requirements') return { status: 400, title, detail: `The provider answered: ${description}`, ways };
    const detail = 'Paying takes a second factor: a code of an authenticator app, or a phone that checks your finger, face or PIN. Add one to your account, and come back.';
    return { status: 403, title, detail, ways: [{ label: 'Go to your account', href: `${issuer}/account` }, ...ways] };
  }

  /** Ends the session here and at the provider. */
  async function signOut(ctx: Context) {
    const visitor = sessions.get(ctx)?.visitor;
    sessions.end(ctx);
    if (!visitor) return ctx.redirect('/');
    ctx.status = 303;
    ctx.redirect(await provider.leaveForGood(visitor.token));
  }

  function home(ctx: Context) {
    const visitor = sessions.get(ctx)?.visitor;
    ctx.body = visitor ? greetingPage({ visitor, issuer }) : welcomePage({ issuer });
  }

  function paid(ctx: Context) {
    const by = sessions.get(ctx)?.paidBy;
    if (!by) return ctx.redirect('/pay');
    ctx.body = receiptPage({ by, issuer });
  }

  function me(ctx: Context) {
    const visitor = sessions.get(ctx)?.visitor;
    ctx.status = visitor ? 200 : 401;
    ctx.body = visitor ? { idToken: visitor.claims, userInfo: visitor.userInfo } : { error: 'not_signed_in' };
  }

  const routes: Readonly<Record<string, (ctx: Context) => unknown>> = {
    'GET /': home,
    'GET /me': me,
    'GET /sign-in': signIn,
    'GET /callback': callback,
    'GET /pay': (ctx) => (ctx.body = tillPage({ visitor: sessions.get(ctx)?.visitor, issuer })),
    'POST /pay': pay,
    'GET /paid': paid,
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
    // A form of another site could sign people out, or take them to the till, otherwise.
    if (method === 'POST' && ctx.get('Origin') && ctx.get('Origin') !== url) return void (ctx.status = 403);
    if (route) await route(ctx);
  });
  return app;
}

function notSignedIn(code: string, description = code): Refused {
  if (code !== 'access_denied') return { status: 400, title: 'That did not work', detail: description };
  return { status: 400, title: 'You are not signed in', detail: 'The request was denied. Nothing about you was shared with this shop.' };
}
