import qrcode from 'qrcode';
import * as z from 'zod';
import type { Clock } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { Factors } from '../../factors/factors.ts';
import { seeOther, setRetryAfter } from '../../lib/http/answers.ts';
import { isFromAnotherSite } from '../../lib/http/fetch-metadata.ts';
import type { RouteContext } from '../../lib/http/route.ts';
import { describeBrowser } from '../../lib/http/user-agent.ts';
import { Html } from '../../lib/views/html.ts';
import type { Views } from '../../lib/views/views.ts';
import type { SignedIn } from '../../oidc/sign-in/sign-in.ts';
import type { ActivatedBy, Authenticators } from '../authenticators/authenticators.ts';

export const seedQuery = z.object({ id: z.string().max(64).optional(), late: z.literal('yes').optional() });
/** What the form sends. Its words are judged where they are used, so that the page can say what is wrong with them. */
export const seedBody = z.strictObject({
  id: z.string().min(1).max(64),
  code: z.string().max(40),
  name: z.string().max(400).default(''),
});

/** Where the page stands: on the account's pages, or in the middle of a sign-in. */
export interface SeedPlace {
  /** Its path under the issuer. */
  readonly path: string;
  /** The path of the page before it. */
  readonly back: string;
  readonly by: ActivatedBy;
  /** The client whose sign-in it stands in. */
  readonly client?: { readonly clientId: string; readonly name: string };
}

export interface SeedPage {
  /** Shows the seed of `query.id`; without an id makes one, and leads to it; led here by another site, to the page before. @throws AppError `not_found`; `conflict`, `rate_limited` where there can be no new one */
  open(ctx: RouteContext, accountId: string, query: z.infer<typeof seedQuery>, place: SeedPlace): Promise<void>;
  /** Takes the first code; false where this has answered, as that was not to be. */
  submit(ctx: RouteContext, signedIn: Pick<SignedIn, 'accountId' | 'acr'>, body: z.infer<typeof seedBody>, place: SeedPlace): Promise<boolean>;
}

/**
 * Creates the page on which an authenticator app takes up its seed, and shows by a code that it has.
 *
 * A seed is shown again only to who knows its id: another browser of the account, which may be a thief's, gets another seed. So a thief cannot have
 * somebody take over the seed that they have seen.
 */
export function createSeedPage(
  { clock }: { clock: Clock },
  { authenticators, factors, views }: { authenticators: Pick<Authenticators, 'begin' | 'pending' | 'activate'>; factors: Pick<Factors, 'check'>; views: Views },
): SeedPage {
  async function show(ctx: RouteContext, accountId: string, id: string, { path, back, client }: SeedPlace, { problem, name = '', late = false }: { problem?: Problem; name?: string; late?: boolean }) {
    const { secret, uri, expiresAt } = await authenticators.pending(accountId, id);
    const data = {
      id,
      otpauth: uri,
      qr: new Html(await qrcode.toString(uri, { type: 'svg', margin: 4, errorCorrectionLevel: 'M' })),
      key: secret.match(/.{1,4}/g)?.join(' ') ?? secret,
      minutes: Math.max(1, Math.ceil((expiresAt - clock()) / 60_000)),
      mobile: describeBrowser(ctx).mobile,
      problem,
      name,
      late,
      action: path,
      back,
      client: client?.name ?? '',
    };
    if (problem) setRetryAfter(ctx, problem);
    views.render(ctx, 'totp/add', data, { status: problem?.status ?? 200, scripts: ['authenticator'], title: views.text(ctx, 'totp.add_title') });
  }

  /** Leads to where an enrolment goes on that cannot go on here; false where it can. */
  function leave(ctx: RouteContext, { code }: AppError, { path, back }: SeedPlace): boolean {
    if (code === 'expired') seeOther(ctx, `${path}?late=yes`);
    // The page says what must vouch for it now.
    else if (code === 'access_denied') seeOther(ctx, path);
    // The form was sent twice, and the authenticator is in use.
    else if (code === 'conflict') seeOther(ctx, back);
    else return false;
    return true;
  }

  return {
    async open(ctx, accountId, { id, late }, place) {
      if (id === undefined) {
        // A new seed ends the one that is being set up: a page of another site, which can open this one, begins none.
        if (isFromAnotherSite(ctx)) return seeOther(ctx, place.back);
        const begun = await authenticators.begin(accountId, { clientId: place.client?.clientId, address: ctx.ip, anew: true });
        return seeOther(ctx, `${place.path}?id=${encodeURIComponent(begun.id)}${late ? '&late=yes' : ''}`);
      }
      try {
        await show(ctx, accountId, id, place, { late: late !== undefined });
      } catch (error) {
        if (!(error instanceof AppError) || !leave(ctx, error, place)) throw error;
      }
    },

    async submit(ctx, { accountId, acr }, { id, code, name }, place) {
      try {
        const origin = { clientId: place.client?.clientId, address: ctx.ip };
        await authenticators.activate(accountId, id, code, { name, by: place.by, ...origin, guard: (tx) => factors.check(acr, accountId, 'authenticator', tx) });
        return true;
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (leave(ctx, error, place)) return false;
        const problem = problemOf(error);
        if (!problem) throw error;
        await show(ctx, accountId, id, place, { problem, name });
        return false;
      }
    },
  };
}

/** What went wrong with what was typed: a key of `views/totp/messages.json` with its parameters, at the code or at the name. */
interface Problem {
  readonly field: 'code' | 'name';
  readonly key: string;
  readonly params: Readonly<Record<string, number>>;
  readonly status: number;
  readonly retryAfter: number | undefined;
}

/** What can be said on the page of the seed itself; undefined for everything else. */
function problemOf({ code, status, retryAfter, extra }: AppError): Problem | undefined {
  const at = (field: Problem['field'], key: string, params: Readonly<Record<string, number>> = {}) => ({ field, key, params, status, retryAfter });
  if (code === 'invalid_request' && extra['field'] === 'name') return at('name', 'name_problem');
  // What is no code at all was not counted.
  if (code === 'invalid_code' && extra['tries_left'] === undefined) return at('code', 'code_digits');
  if (code === 'invalid_code' && retryAfter === undefined) return at('code', 'code_wrong');
  if (code === 'invalid_code' || code === 'rate_limited') return at('code', 'code_wait', { seconds: Math.max(1, Math.ceil(retryAfter ?? 1)) });
  return undefined;
}
