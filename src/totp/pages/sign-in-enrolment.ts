import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { Context } from '../../context.ts';
import type { ChangeGate } from '../../factors/change-gate.ts';
import type { Factors } from '../../factors/factors.ts';
import { base64url, equal, hmac } from '../../lib/crypto.ts';
import { seeOther } from '../../lib/http/answers.ts';
import { route, type RouteContext } from '../../lib/http/route.ts';
import type { Views } from '../../lib/views/views.ts';
import { ACR, requestedAcr, satisfies, STEP_UP } from '../../oidc/acr.ts';
import type { InteractionDetails, Interactions } from '../../oidc/sign-in/interactions.ts';
import type { Panel, SignedIn } from '../../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from '../../recovery/recovery.ts';
import type { Authenticators } from '../authenticators/authenticators.ts';
import { seedBody, seedQuery, type SeedPage, type SeedPlace } from './seed-page.ts';

/** How long the first codes may be looked at before going on, in seconds. */
const PROOF_SECONDS = 900;

export interface EnrolmentRooms {
  readonly authenticators: Pick<Authenticators, 'required'>;
  readonly factors: Pick<Factors, 'missing'>;
  readonly changes: ChangeGate;
  readonly seedPage: SeedPage;
  readonly views: Views;
  readonly showFirstCodes: ShowFirstCodes | undefined;
}

export type SignInEnrolment = ReturnType<typeof createSignInEnrolment>;

const proofBody = z.strictObject({ proof: z.string().max(200) });

/** Creates the enrolment of an authenticator app in the middle of a sign-in, where two factors are demanded of an account that has one. */
export function createSignInEnrolment(
  { clock, keyRing }: Pick<Context, 'clock' | 'keyRing'>,
  { authenticators, factors, changes, seedPage, views, showFirstCodes }: EnrolmentRooms,
) {
  const keys = keyRing.derive('totp enrolment in a sign-in');
  const seconds = () => Math.floor(clock() / 1000);
  const base = ({ uid }: InteractionDetails) => `/interaction/${encodeURIComponent(uid)}`;

  /** Whether a code would end this step up. */
  function helps({ prompt, params }: InteractionDetails): boolean {
    if (prompt.name !== STEP_UP) return false;
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
  async function obstacle(signedIn: SignedIn): Promise<'stale' | 'phone' | 'code' | 'recovery' | undefined> {
    const missing = await changes.lacks(signedIn, 'authenticator');
    return missing?.by ?? (changes.isFresh(signedIn) ? undefined : 'stale');
  }

  /** Who may add an authenticator here; where nobody may, this has answered. */
  async function allowed(ctx: RouteContext, interactions: Interactions, details: InteractionDetails): Promise<SignedIn | undefined> {
    const signedIn = await interactions.steppingUp(ctx, details);
    // With an authenticator there is a code to ask for; otherwise something else is, and the page of the sign-in knows what.
    if (!helps(details) || (await authenticators.required(signedIn.accountId))) return void seeOther(ctx, base(details));
    const reason = await obstacle(signedIn);
    if (!reason) return signedIn;
    const data = { reason, back: base(details), account: '/account/authenticators/add' };
    views.render(ctx, 'totp/elsewhere', data, { status: 403, title: views.text(ctx, 'totp.add_title') });
    return undefined;
  }

  /** Whether any phone's approval would end this step up, as where a page of the account asks for one. */
  function phoneSuffices({ prompt, params }: InteractionDetails): boolean {
    return !prompt.reasons.includes('level_required') && (requestedAcr(params)?.values ?? []).some((value) => satisfies(ACR.oneQr, value));
  }

  /** The page of the seed, as it stands in this sign-in. */
  async function placeOf(interactions: Interactions, details: InteractionDetails): Promise<SeedPlace> {
    const { clientId, name } = await interactions.client(details);
    return { path: `${base(details)}/authenticator`, back: base(details), by: 'sign-in', client: { clientId, name } };
  }

  /** Shows the recovery codes of a first factor whose code was just taken, and leads on from there; false where the account has some. */
  async function firstCodes(ctx: RouteContext, interactions: Interactions, details: InteractionDetails, accountId: string): Promise<boolean> {
    const { path, client } = await placeOf(interactions, details);
    const next = { path: `${path}/continue`, label: views.text(ctx, 'totp.continue', { client: client!.name }), fields: { proof: prove(details, accountId) } };
    return (await showFirstCodes?.(ctx, accountId, next)) ?? false;
  }

  return {
    firstCodes,

    /** The panel of a step up for an account without an authenticator: it leads to {@link routes}. */
    async panel(_ctx: KoaContext, details: InteractionDetails): Promise<Panel | undefined> {
      if (!helps(details) || details.accountId === undefined) return undefined;
      // Whose phone proves what is asked signs in with that: adding an app would take no less.
      const proven = phoneSuffices(details) ? ACR.one : ACR.oneQr;
      if ((await factors.missing(proven, details.accountId, 'authenticator'))?.by === 'phone') return undefined;
      return { view: 'totp/enrol-panel', data: { next: `${base(details)}/authenticator` } };
    },

    routes(router: Router, interactions: Interactions): void {
      const path = '/interaction/:uid/authenticator';

      route(router, { method: 'GET', path, kind: 'page', query: seedQuery }, async (ctx, { query }) => {
        const details = await interactions.details(ctx);
        const signedIn = await allowed(ctx, interactions, details);
        if (signedIn) await seedPage.open(ctx, signedIn.accountId, query, await placeOf(interactions, details));
      });

      route(router, { method: 'POST', path, kind: 'form', body: seedBody }, async (ctx, { body }) => {
        const details = await interactions.details(ctx);
        const signedIn = await allowed(ctx, interactions, details);
        if (!signedIn) return;
        if (!(await seedPage.submit(ctx, signedIn, body, await placeOf(interactions, details)))) return;
        if (await firstCodes(ctx, interactions, details, signedIn.accountId)) return;
        await interactions.addFactor(ctx, details, { amr: ['otp'] });
      });

      // The page of the codes, loaded again: there is an authenticator now, and its next code will do.
      route(router, { method: 'GET', path: `${path}/continue`, kind: 'page' }, async (ctx) => {
        seeOther(ctx, base(await interactions.details(ctx)));
      });

      route(router, { method: 'POST', path: `${path}/continue`, kind: 'form', body: proofBody }, async (ctx, { body }) => {
        const details = await interactions.details(ctx);
        const { accountId } = await interactions.steppingUp(ctx, details);
        // Too late, or of another sign-in.
        if (!isProof(details, accountId, body.proof)) return seeOther(ctx, base(details));
        await interactions.addFactor(ctx, details, { amr: ['otp'] });
      });
    },
  };
}
