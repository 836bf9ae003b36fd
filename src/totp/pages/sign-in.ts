import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import { z } from 'zod';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { setRetryAfter } from '../../lib/http/answers.ts';
import type { Browsers } from '../../lib/http/browser.ts';
import { route, type RouteContext } from '../../lib/http/route.ts';
import { ACR, STEP_UP } from '../../oidc/acr.ts';
import type { InteractionDetails, Interactions } from '../../oidc/sign-in/interactions.ts';
import type { OidcPages } from '../../oidc/sign-in/routes.ts';
import type { SignInMethod } from '../../oidc/sign-in/sign-in.ts';
import type { Recovery } from '../../recovery/recovery.ts';
import type { ActivatedBy, Authenticators } from '../authenticators/authenticators.ts';
import type { SignInEnrolment } from './sign-in-enrolment.ts';

export interface TotpSignInRooms {
  readonly authenticators: Pick<Authenticators, 'required' | 'standing' | 'verify'>;
  readonly browsers: Pick<Browsers, 'remember'>;
  /** Shows the sign-in page again when the code was wrong. */
  readonly showSignIn: OidcPages['signInPage'];
  /** The codes to fall back on, where there are any: their page is `/interaction/:uid/recovery`. */
  readonly recovery?: Pick<Recovery, 'has'> | undefined;
  /** Adds one to an account that has none yet, and shows the recovery codes that come with a first one. */
  readonly enrolment: Pick<SignInEnrolment, 'panel' | 'firstCodes'>;
}

export interface TotpSignIn extends SignInMethod {
  /** Registers what the panel posts to. */
  routes(router: Router, interactions: Interactions): void;
}

/** What went wrong: a key of `views/totp/messages.json`, and what it needs. */
interface Problem {
  readonly key: string;
  readonly params: Readonly<Record<string, number>>;
}

const FAILURE = Symbol('tandem.totp-failure');

const typed = z.strictObject({ code: z.string().max(20) });

/** Creates the second step of a sign-in: the code of an authenticator app, beside what signed in first. */
export function createTotpSignIn({ clock }: Pick<Context, 'clock'>, { authenticators, browsers, showSignIn, recovery, enrolment }: TotpSignInRooms): TotpSignIn {
  /** What stands in the way of any code, before one is typed. */
  async function obstacle(accountId: string): Promise<Problem | undefined> {
    const { off, blockedUntil } = await authenticators.standing(accountId);
    if (off) return OFF;
    return blockedUntil === undefined ? undefined : wait((blockedUntil - clock()) / 1000);
  }

  /** Says on the sign-in page what went wrong, where that is said there; a script is told as of any other error. */
  async function showFailure(ctx: RouteContext, details: InteractionDetails, error: unknown) {
    const problem = problemOf(error);
    if (!problem || !(error instanceof AppError) || ctx.accepts('html', 'json') === 'json') throw error;
    (ctx.state as Record<symbol, unknown>)[FAILURE] = problem;
    setRetryAfter(ctx, error);
    await showSignIn(ctx, details, { status: error.status });
  }

  async function panel(ctx: KoaContext, details: InteractionDetails) {
    const { prompt, accountId, uid } = details;
    if (prompt.name !== STEP_UP || accountId === undefined) return undefined;
    if (!(await authenticators.required(accountId))) return enrolment.panel(ctx, details);
    const failure = (ctx.state as Record<symbol, unknown>)[FAILURE] as Problem | undefined;
    const problem = failure ?? (await obstacle(accountId));
    const data = {
      uid,
      problem: problem?.key ?? '',
      params: problem?.params ?? {},
      off: problem === OFF,
      recovery: (await recovery?.has(accountId)) ?? false,
    };
    return { view: 'totp/panel', data, scripts: ['send-once'] };
  }

  return {
    name: 'totp',
    reach: ACR.two,
    panel,

    routes(router, interactions) {
      route(router, { method: 'POST', path: '/interaction/:uid/totp', kind: 'form', body: typed }, async (ctx, { body }) => {
        const details = await interactions.details(ctx);
        const { accountId } = await interactions.steppingUp(ctx, details);
        let activatedBy: ActivatedBy;
        try {
          ({ activatedBy } = await authenticators.verify(accountId, body.code, { clientId: details.clientId, address: ctx.ip }));
        } catch (error) {
          return showFailure(ctx, details, error);
        }
        browsers.remember(ctx, accountId);
        // Who set the app up by the API has seen no page of ours since: here are the recovery codes that came with it.
        if (activatedBy === 'api' && (await enrolment.firstCodes(ctx, interactions, details, accountId))) return;
        await interactions.addFactor(ctx, details, { amr: ['otp'] });
      });
    },
  };
}

const OFF: Problem = { key: 'panel_off', params: {} };

/** Seconds as long as they can be counted, then minutes. */
function wait(seconds: number): Problem {
  if (seconds <= 90) return { key: 'panel_wait_seconds', params: { seconds: Math.max(1, Math.ceil(seconds)) } };
  return { key: 'panel_wait_minutes', params: { minutes: Math.ceil(seconds / 60) } };
}

function problemOf(error: unknown): Problem | undefined {
  if (!(error instanceof AppError)) return undefined;
  if (error.code === 'locked') return OFF;
  if (error.code !== 'invalid_code' && error.code !== 'rate_limited') return undefined;
  if (error.retryAfter !== undefined) return wait(error.retryAfter);
  const tries = error.extra['tries_left'];
  // What is no code at all is no try.
  return tries === undefined ? { key: 'panel_six_digits', params: {} } : { key: 'panel_wrong_code', params: { tries: Number(tries) } };
}
