import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { setRetryAfter } from '../lib/http/answers.ts';
import type { Browsers } from '../lib/http/browser.ts';
import type { Http } from '../lib/http/http.ts';
import { route, type RouteContext } from '../lib/http/route.ts';
import { ACR } from '../oidc/acr.ts';
import type { InteractionDetails, Interactions } from '../oidc/sign-in/interactions.ts';
import type { SecondFactors, SignInMethod } from '../oidc/sign-in/sign-in.ts';
import type { Account, AccountsService, Attempt } from './types.ts';
import { register, registrationForm } from './registration.ts';

/** Shows the sign-in page of an interaction, as an answer with `status`. */
export type ShowSignIn = (ctx: RouteContext, details: InteractionDetails, options: { status: number }) => Promise<void>;

export interface PasswordSignIn extends SignInMethod {
  /** Registers what the panel posts to, and registration from a sign-in page. */
  routes(router: Router): void;
}

interface Failure {
  readonly email: string;
  /** A key of `views/accounts/messages.json`. */
  readonly problem: string;
  readonly params: Readonly<Record<string, number>>;
}

const FAILURE = Symbol('tandem.password-failure');

const credentials = z.strictObject({ email: z.string().max(320), password: z.string().max(1024) });

/**
 * Creates the sign-in method with e-mail address and password.
 *
 * @param showSignIn shows the page again when the password was wrong
 */
export function createPasswordSignIn({
  context: { clock },
  accounts,
  interactions,
  secondFactors,
  http,
  showSignIn,
}: {
  context: Pick<Context, 'clock'>;
  accounts: AccountsService;
  interactions: Interactions;
  secondFactors: SecondFactors;
  http: Http;
  showSignIn: ShowSignIn;
}): PasswordSignIn {
  const { browsers, views } = http;

  async function finish(ctx: RouteContext, details: InteractionDetails, { id }: Account) {
    const authentication = { accountId: id, acr: ACR.one, amr: ['pwd'], authTime: Math.floor(clock() / 1000) };
    // Who has only the password is not known here yet.
    if (!(await secondFactors.required(id))) browsers.remember(ctx, id);
    await interactions.signIn(ctx, details, authentication, { consent: false });
  }

  async function signIn(ctx: RouteContext, details: InteractionDetails, email: string, password: string) {
    const account = await accounts.verifyPassword(email, password, attemptOf(ctx, browsers));
    const expected = await interactions.expectedAccount(details);
    if (expected !== undefined && expected !== account.id) throw wrongAccount();
    await finish(ctx, details, account);
  }

  /** Shows the sign-in page with what went wrong, where that is said there. */
  async function showFailure(ctx: RouteContext, details: InteractionDetails, error: unknown, email: string) {
    const failure = failureOf(error, email);
    if (!failure || !(error instanceof AppError)) throw error;
    (ctx.state as Record<symbol, unknown>)[FAILURE] = failure;
    setRetryAfter(ctx, error);
    await showSignIn(ctx, details, { status: error.status });
  }

  /** False where the request is for one account, which no new one can be; the sign-in page then says so. */
  async function mayRegister(ctx: RouteContext, details: InteractionDetails): Promise<boolean> {
    if ((await interactions.expectedAccount(details)) === undefined) return true;
    await showFailure(ctx, details, wrongAccount(), '');
    return false;
  }

  function routes(router: Router) {
    route(router, { method: 'POST', path: '/interaction/:uid/password', kind: 'form', body: credentials }, async (ctx, { body }) => {
      const details = await interactions.details(ctx);
      try {
        await signIn(ctx, details, body.email, body.password);
      } catch (error) {
        await showFailure(ctx, details, error, body.email);
      }
    });

    route(router, { method: 'GET', path: '/interaction/:uid/register', kind: 'page' }, async (ctx) => {
      const details = await interactions.details(ctx);
      if (!(await mayRegister(ctx, details))) return;
      const { name: client } = await interactions.client(details);
      registrationForm(ctx, views, accounts, { action: here(details), back: `/interaction/${details.uid}`, client, email: hint(details) });
    });

    // The account is made and signed in with in one step: who has just chosen a password need not type it again.
    route(router, { method: 'POST', path: '/interaction/:uid/register', kind: 'form', body: registrationBody }, async (ctx, { body }) => {
      const details = await interactions.details(ctx);
      if (!(await mayRegister(ctx, details))) return;
      const { name: client } = await interactions.client(details);
      const form = { action: here(details), back: `/interaction/${details.uid}`, client };
      const account = await register(ctx, views, accounts, form, body);
      if (account) await finish(ctx, details, account);
    });
  }

  return {
    name: 'password',
    reach: ACR.one,
    async panel(ctx, details) {
      const failure = (ctx.state as Record<symbol, unknown>)[FAILURE] as Failure | undefined;
      const email = failure?.email ?? hint(details);
      const data = { uid: details.uid, email, problem: failure?.problem ?? '', params: failure?.params ?? {} };
      return { view: 'accounts/password', data };
    },
    routes,
  };
}

const wrongAccount = () => new AppError('wrong_account', 'this request is for another account');

/** Where a try at a password comes from. */
export function attemptOf(ctx: KoaContext, browsers: Browsers): Attempt {
  const name = browsers.familiar(ctx);
  const marks = browsers.knownAccounts(ctx);
  return { address: ctx.ip, browser: name === undefined ? undefined : { name, knows: (accountId) => browsers.knows(marks, accountId) } };
}

export const registrationBody = z.strictObject({
  email: z.string().max(320),
  name: z.string().max(400).optional(),
  password: z.string().max(1024),
});

const here = ({ uid }: InteractionDetails) => `/interaction/${uid}/register`;

const hint = ({ params }: InteractionDetails) => {
  const given = params['login_hint'];
  return typeof given === 'string' ? given.slice(0, 254) : '';
};

function failureOf(error: unknown, email: string): Failure | undefined {
  if (!(error instanceof AppError)) return undefined;
  if (error.code === 'invalid_credentials') return { email, problem: 'wrong_password', params: {} };
  if (error.code === 'wrong_account') return { email: '', problem: 'wrong_account', params: {} };
  if (error.code !== 'rate_limited') return undefined;
  return { email, problem: 'too_many', params: { minutes: Math.max(1, Math.ceil((error.retryAfter ?? 60) / 60)) } };
}
