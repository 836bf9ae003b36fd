import type Router from '@koa/router';
import { z } from 'zod';
import { AppError } from '../errors.ts';
import { seeOther, setRetryAfter } from '../lib/http/answers.ts';
import type { Browsers } from '../lib/http/browser.ts';
import { route, type RouteContext } from '../lib/http/route.ts';
import type { Views } from '../lib/views/views.ts';
import { ACR, byPhone, STEP_UP } from '../oidc/acr.ts';
import type { InteractionDetails, Interactions } from '../oidc/sign-in/interactions.ts';
import type { SignInMethod } from '../oidc/sign-in/sign-in.ts';
import type { HeldFactors, RecoveryService } from './service.ts';

const codeBody = z.strictObject({ code: z.string().max(100), keep: z.literal('yes').optional() });

/** What went wrong with a try, as it is shown beside the field. */
interface Failure {
  readonly status: number;
  readonly keep: boolean;
  readonly problem: string;
}

export interface RecoverySignInRooms {
  readonly service: RecoveryService;
  readonly held: HeldFactors;
  readonly views: Views;
  readonly browsers: Pick<Browsers, 'remember'>;
  /** The path of the account's own page. */
  readonly home: string;
}

/** Creates the second step of a sign-in by recovery code. */
export function createRecoverySignIn({ service, held, views, browsers, home }: RecoverySignInRooms) {
  const accountOf = ({ prompt, accountId }: InteractionDetails) => (prompt.name === STEP_UP ? accountId : undefined);
  const path = ({ uid }: InteractionDetails) => `/interaction/${uid}/recovery`;

  const method: SignInMethod = {
    name: 'recovery',
    reach: ACR.two,
    async panel(_ctx, details) {
      // Beside a code of an app, its panel leads on to here.
      const accountId = accountOf(details);
      if (accountId === undefined || (await held.authenticators(accountId)) || !(await service.has(accountId))) return undefined;
      return { view: 'recovery/panel', data: { path: path(details) } };
    },
  };

  async function form(ctx: RouteContext, details: InteractionDetails, interactions: Interactions, failure?: Failure) {
    const { amr, accountId } = await interactions.steppingUp(ctx, details);
    // By their names, as somebody else may have added one.
    const names = await held.names(accountId);
    const [keepable, kept] = byPhone(amr) ? ['app', names.authenticators] : ['all', [...names.phones, ...names.authenticators]];
    const { status = 200, keep = false, problem = '' } = failure ?? {};
    const data = { client: (await interactions.client(details)).name, action: path(details), back: `/interaction/${details.uid}`, keepable, kept, keep, problem };
    views.render(ctx, 'recovery/sign-in', data, { status, scripts: ['send-once'], title: views.text(ctx, 'recovery.sign_in_title') });
  }

  /** What is said beside the field; throws what is not about the code. */
  function failureOf(ctx: RouteContext, error: unknown, keep: boolean): Failure {
    if (!(error instanceof AppError) || ctx.accepts('html', 'json') === 'json' || (error.code !== 'invalid_code' && error.code !== 'rate_limited')) throw error;
    setRetryAfter(ctx, error);
    const minutes = Math.max(1, Math.ceil((error.retryAfter ?? 60) / 60));
    const problem = error.code === 'invalid_code' ? views.text(ctx, 'recovery.wrong_code') : views.text(ctx, 'recovery.too_many', { minutes });
    return { status: error.status, keep, problem };
  }

  /** After the sign-in, says what is gone, and leads on to where it went. */
  async function showEnd(ctx: RouteContext, details: InteractionDetails, interactions: Interactions) {
    const next = ctx.response.get('Location');
    if (!next) return;
    ctx.remove('Location');
    const data = { client: (await interactions.client(details)).name, next, account: home };
    views.render(ctx, 'recovery/done', data, { title: views.text(ctx, 'recovery.done_title') });
  }

  function routes(router: Router, interactions: Interactions) {
    const here = '/interaction/:uid/recovery';

    route(router, { method: 'GET', path: here, kind: 'page' }, async (ctx) => {
      const details = await interactions.details(ctx);
      const accountId = accountOf(details);
      if (accountId !== undefined && (await service.has(accountId))) return form(ctx, details, interactions);
      seeOther(ctx, `/interaction/${details.uid}`);
    });

    route(router, { method: 'POST', path: here, kind: 'form', body: codeBody }, async (ctx, { body }) => {
      const details = await interactions.details(ctx);
      const { accountId, amr, sessionUid } = await interactions.steppingUp(ctx, details);
      const keep = body.keep === 'yes';
      const keepPhones = byPhone(amr);
      try {
        await service.use(accountId, body.code, { keep, keepPhones, sessionUid, address: ctx.ip, clientId: details.clientId });
      } catch (error) {
        return form(ctx, details, interactions, failureOf(ctx, error, keep));
      }
      browsers.remember(ctx, accountId);
      await interactions.addFactor(ctx, details, { amr: ['otp'] });
      if (!keep && !keepPhones) await showEnd(ctx, details, interactions);
    });
  }

  return { method, routes };
}
