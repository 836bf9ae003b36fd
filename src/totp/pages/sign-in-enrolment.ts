import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { Factors } from '../../factors/factors.ts';
import { base64url, equal, hmac } from '../../lib/crypto.ts';
import { route, type RouteContext } from '../../lib/http/route.ts';
import type { Views } from '../../lib/views/views.ts';
import { ACR, requestedAcr, satisfies } from '../../oidc/acr.ts';
import type { InteractionDetails, Interactions } from '../../oidc/sign-in/interactions.ts';
import type { Panel, SignedIn } from '../../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from '../../recovery/recovery.ts';
import type { Authenticators } from '../authenticators/authenticators.ts';
import { enrolmentBody, problemOf, seedForm, type SeedProblem } from './seed-form.ts';

/** How old the first factor may be to add a second one in the middle of a sign-in, in seconds. */
const FRESH_SECONDS = 300;
/** How long the first codes may be looked at before going on, in seconds. */
const PROOF_SECONDS = 900;

export interface EnrolmentRooms {
  readonly authenticators: Authenticators;
  readonly factors: Factors;
  readonly views: Views;
  readonly showFirstCodes: ShowFirstCodes | undefined;
}

const seedQuery = z.object({ id: z.string().max(64).optional(), late: z.literal('yes').optional() });
const proofBody = z.strictObject({ proof: z.string().max(200) });

/** Creates the enrolment of an authenticator app in the middle of a sign-in, where two factors are demanded of an account that has one. */
export function createSignInEnrolment({ issuer, clock, keyRing }: Pick<Context, 'issuer' | 'clock' | 'keyRing'>, { authenticators, factors, views, showFirstCodes }: EnrolmentRooms) {
  const keys = keyRing.derive('totp enrolment in a sign-in');
  const seconds = () => Math.floor(clock() / 1000);
  const base = ({ uid }: InteractionDetails) => `/interaction/${encodeURIComponent(uid)}`;
  const to = (ctx: KoaContext, path: string) => {
    ctx.redirect(issuer + path);
    ctx.status = 303;
  };

  /** Whether a code would end this step up. */
  function helps({ prompt, params }: InteractionDetails): boolean {
    if (prompt.name !== 'step_up') return false;
    const values = requestedAcr(params)?.values;
    return prompt.reasons.includes('level_required') || (values?.some((value) => satisfies(ACR.two, value)) ?? false);
  }

  /** That the code of a new authenticator was just taken, in this interaction: the code itself is used up. */
  const macOf = (key: Uint8Array, { uid }: InteractionDetails, accountId: string, until: string) => base64url(hmac(key, `${uid}|${accountId}|${until}`));

  function prove(details: InteractionDetails, accountId: string): string {
    const until = String(seconds() + PROOF_SECONDS);
    return `${until}.${macOf(keys[0], details, accountId, until)}`;
  }

  function isProof(details: InteractionDetails, accountId: string, proof: string): boolean {
    const [until = '', mac = ''] = proof.split('.');
    return keys.some((key) => equal(mac, macOf(key, details, accountId, until))) && Number(until) > seconds();
  }

  /** What stands in the way of adding an authenticator here: a sign-in too long ago, or one that proves too little. */
  async function obstacle({ accountId, acr, authTime }: SignedIn): Promise<'stale' | 'phone' | 'code' | 'recovery' | undefined> {
    const missing = await factors.missing(acr, accountId, 'authenticator');
    return missing?.by ?? (seconds() - authTime > FRESH_SECONDS ? 'stale' : undefined);
  }

  /** Who may add an authenticator here; where nobody may, this has answered. */
  async function allowed(ctx: RouteContext, interactions: Interactions, details: InteractionDetails): Promise<SignedIn | undefined> {
    const signedIn = await interactions.steppingUp(ctx, details);
    // With an authenticator there is a code to ask for; otherwise something else is, and the page of the sign-in knows what.
    if (!helps(details) || (await authenticators.required(signedIn.accountId))) return void to(ctx, base(details));
    const reason = await obstacle(signedIn);
    if (!reason) return signedIn;
    const data = { reason, back: base(details), account: '/account/authenticators/add' };
    views.render(ctx, 'totp/elsewhere', data, { status: 403, title: views.text(ctx, 'totp.add_title') });
    return undefined;
  }

  async function showSeed(ctx: RouteContext, details: InteractionDetails, client: string, accountId: string, id: string, { problem, name, late = false }: { problem?: SeedProblem; name?: string; late?: boolean } = {}) {
    const form = await seedForm(ctx, await authenticators.pending(accountId, id), { clock, problem, name, late });
    if (problem?.retryAfter !== undefined) ctx.set('Retry-After', String(Math.ceil(problem.retryAfter)));
    const data = { ...form, action: `${base(details)}/authenticator`, back: base(details), client };
    views.render(ctx, 'totp/add', data, { status: problem?.status ?? 200, scripts: ['authenticator'], title: views.text(ctx, 'totp.add_title') });
  }

  return {
    /** The panel of a step up for an account without an authenticator: it leads to {@link routes}. */
    async panel(_ctx: KoaContext, details: InteractionDetails): Promise<Panel | undefined> {
      if (!helps(details) || details.accountId === undefined) return undefined;
      // Whose phone proves level 2 signs in with that: adding an app would take no less.
      if ((await factors.missing(ACR.oneQr, details.accountId, 'authenticator'))?.by === 'phone') return undefined;
      return { view: 'totp/enrol-panel', data: { next: `${base(details)}/authenticator` } };
    },

    routes(router: Router, interactions: Interactions): void {
      const path = '/interaction/:uid/authenticator';

      // A seed is shown again only to who knows its id, as on the account's pages.
      route(router, { method: 'GET', path, kind: 'page', query: seedQuery }, async (ctx, { query }) => {
        const details = await interactions.details(ctx);
        const signedIn = await allowed(ctx, interactions, details);
        if (!signedIn) return;
        const { name: client } = await interactions.client(details);
        try {
          if (query.id !== undefined) return await showSeed(ctx, details, client, signedIn.accountId, query.id, { late: query.late !== undefined });
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== 'expired') throw error;
          return to(ctx, `${base(details)}/authenticator?late=yes`);
        }
        const { id } = await authenticators.begin(signedIn.accountId, { clientId: details.clientId, address: ctx.ip, anew: true });
        to(ctx, `${base(details)}/authenticator?id=${encodeURIComponent(id)}${query.late ? '&late=yes' : ''}`);
      });

      route(router, { method: 'POST', path, kind: 'form', body: enrolmentBody }, async (ctx, { body }) => {
        const details = await interactions.details(ctx);
        const signedIn = await allowed(ctx, interactions, details);
        if (!signedIn) return;
        const { accountId, acr } = signedIn;
        const { name: client } = await interactions.client(details);
        try {
          const guard = (tx: Parameters<typeof factors.check>[3]) => factors.check(acr, accountId, 'authenticator', tx);
          await authenticators.activate(accountId, body.id, body.code, { name: body.name, by: 'sign-in', clientId: details.clientId, address: ctx.ip, guard });
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          if (error.code === 'expired') return to(ctx, `${base(details)}/authenticator?late=yes`);
          // The form was sent twice: the next code goes on, or the page says what else may.
          if (error.code === 'conflict' || error.code === 'access_denied') return to(ctx, base(details));
          const problem = problemOf(error);
          if (!problem) throw error;
          return await showSeed(ctx, details, client, accountId, body.id, { problem, name: body.name });
        }
        const next = { path: `${base(details)}/authenticator/continue`, label: views.text(ctx, 'totp.continue', { client }), fields: { proof: prove(details, accountId) } };
        if (await showFirstCodes?.(ctx, accountId, next)) return;
        await interactions.addFactor(ctx, details, { amr: ['otp'] });
      });

      // The page of the codes, loaded again: there is an authenticator now, and its next code will do.
      route(router, { method: 'GET', path: `${path}/continue`, kind: 'page' }, async (ctx) => {
        to(ctx, base(await interactions.details(ctx)));
      });

      route(router, { method: 'POST', path: `${path}/continue`, kind: 'form', body: proofBody }, async (ctx, { body }) => {
        const details = await interactions.details(ctx);
        const { accountId } = await interactions.steppingUp(ctx, details);
        // Too late, or of another sign-in.
        if (!isProof(details, accountId, body.proof)) return to(ctx, base(details));
        await interactions.addFactor(ctx, details, { amr: ['otp'] });
      });
    },
  };
}
