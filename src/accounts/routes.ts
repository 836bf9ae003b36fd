import type Router from '@koa/router';
import { z } from 'zod';
import { AppError } from '../errors.ts';
import { seeOther, setRetryAfter } from '../lib/http/answers.ts';
import type { Http } from '../lib/http/http.ts';
import { route, type RouteContext } from '../lib/http/route.ts';
import type { SignedIn, SignInGate } from '../oidc/sign-in/sign-in.ts';
import type { AccountsService } from './types.ts';
import type { AccountItem } from './items.ts';
import { problemOf, register, registrationForm } from './registration.ts';
import { attemptOf, registrationBody } from './sign-in.ts';

/** Changing what proves the account needs a sign-in no older than this, in seconds. */
const FRESH = { maxAge: 5 * 60 };

const profileBody = z.strictObject({ name: z.string().max(400) });
const passwordBody = z.strictObject({ email: z.string().max(320).optional(), current: z.string().max(1024).optional(), password: z.string().max(1024) });
const signOutBody = z.strictObject({ xsrf: z.string().min(1).max(200), logout: z.literal('yes') });
const registerQuery = z.object({ uid: z.string().regex(/^[\w-]{1,64}$/).optional() });
const doneQuery = z.object({ done: z.enum(['name', 'password', 'password_set']).optional() });

/**
 * Registers the account's own pages.
 *
 * @param items what the other rooms have on the account's page
 */
export function accountRoutes(
  router: Router,
  { accounts, gate, http, items = [] }: { accounts: AccountsService; gate: SignInGate; http: Http; items?: readonly AccountItem[] },
): void {
  const { views } = http;

  async function profileOf({ accountId }: SignedIn) {
    const account = await accounts.profile(accountId);
    if (!account) throw new AppError('not_found', 'this account has been deleted');
    return account;
  }

  // The interaction's cookie is sent to its own path alone, so that is where registering leads back from.
  route(router, { method: 'GET', path: '/account/register', kind: 'page', query: registerQuery }, async (ctx, { query }) => {
    if (query.uid !== undefined) return seeOther(ctx, `/interaction/${query.uid}/register`);
    registrationForm(ctx, views, accounts, { action: '/account/register', back: '/account' });
  });

  route(router, { method: 'POST', path: '/account/register', kind: 'form', body: registrationBody }, async (ctx, { body }) => {
    const form = { action: '/account/register', back: '/account' };
    if (await register(ctx, views, accounts, form, body)) seeOther(ctx, '/account');
  });

  async function home(ctx: RouteContext, signedIn: SignedIn, options: { done?: string | undefined; name?: string; problem?: string; status?: number } = {}) {
    const account = await profileOf(signedIn);
    const { done = '', name = account.name ?? '', problem = '', status = 200 } = options;
    const since = new Intl.DateTimeFormat(views.language(ctx), { dateStyle: 'long' }).format(account.createdAt);
    const [all, hasPassword] = [await Promise.all(items.map((item) => item(ctx, account.id))), await accounts.hasPassword(account.id)];
    const shown = all.filter((item) => item !== undefined);
    views.render(ctx, 'accounts/home', { email: account.email, name, since, items: shown, hasPassword, done, problem }, {
      status,
      title: views.text(ctx, 'accounts.home_title'),
    });
  }

  route(router, { method: 'GET', path: '/account', kind: 'page', query: doneQuery }, async (ctx, { query }) => {
    const signedIn = await gate.require(ctx);
    if (signedIn) await home(ctx, signedIn, { done: query.done });
  });

  route(router, { method: 'POST', path: '/account/profile', kind: 'form', body: profileBody }, async (ctx, { body }) => {
    const signedIn = await gate.require(ctx);
    if (!signedIn) return;
    try {
      await accounts.rename(signedIn.accountId, body.name, { address: ctx.ip });
    } catch (error) {
      const problem = problemOf(error);
      if (!problem || !(error instanceof AppError)) throw error;
      return home(ctx, signedIn, { name: body.name, problem: problem.key, status: error.status });
    }
    seeOther(ctx, '/account?done=name');
  });

  async function passwordForm(ctx: RouteContext, signedIn: SignedIn, problem = { field: '', key: '' }, status = 200) {
    const [{ id, email }, { minLength }] = [await profileOf(signedIn), accounts.passwordRule];
    const words = (await accounts.hasPassword(id)) ? 'change' : 'set';
    views.render(ctx, 'accounts/change-password', { email, minLength, problem, words }, { status, title: views.text(ctx, `accounts.${words}_title`) });
  }

  route(router, { method: 'GET', path: '/account/password', kind: 'page' }, async (ctx) => {
    const signedIn = await gate.require(ctx, FRESH);
    if (signedIn) await passwordForm(ctx, signedIn);
  });

  route(router, { method: 'POST', path: '/account/password', kind: 'form', body: passwordBody }, async (ctx, { body }) => {
    const signedIn = await gate.require(ctx, FRESH);
    if (!signedIn) return;
    const { accountId, sessionUid } = signedIn;
    // One that a client made for its person: whoever has signed in to it just now did so by phone.
    const none = !(await accounts.hasPassword(accountId));
    try {
      const attempt = { ...attemptOf(ctx, http.browsers), sessionUid };
      if (none) await accounts.setPassword(accountId, body.password, attempt);
      else await accounts.changePassword(accountId, { current: body.current ?? '', next: body.password }, attempt);
    } catch (error) {
      const wrong = error instanceof AppError && error.code === 'invalid_credentials';
      const problem = wrong ? { field: 'current', key: 'current_wrong' } : problemOf(error);
      if (!problem || !(error instanceof AppError)) throw error;
      setRetryAfter(ctx, error);
      return passwordForm(ctx, signedIn, problem, error.status);
    }
    seeOther(ctx, none ? '/account?done=password_set' : '/account?done=password');
  });

  // The button has asked already, and its form bears our token.
  route(router, { method: 'POST', path: '/account/sign-out', kind: 'form', body: signOutBody }, async (ctx, { body }) => {
    await gate.signOut(ctx, body.xsrf);
  });
}
