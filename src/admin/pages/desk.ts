import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import type { ZodType } from 'zod';
import * as z from 'zod';
import { AppError } from '../../errors.ts';
import type { Actor } from '../../lib/actor.ts';
import { seeOther } from '../../lib/http/answers.ts';
import { route, type RouteContext } from '../../lib/http/route.ts';
import type { Views } from '../../lib/views/views.ts';
import { ACR, satisfies } from '../../oidc/acr.ts';
import type { SecondFactors, SignedIn, SignInGate } from '../../oidc/sign-in/sign-in.ts';
import type { AdminService } from '../types.ts';
import type { Problem } from './problems.ts';

export const ADMIN = '/admin';

/** The parts of the administration, in the order of their links. */
export const SECTIONS = { overview: ADMIN, clients: `${ADMIN}/clients`, resources: `${ADMIN}/resource-servers`, tokens: `${ADMIN}/registration-tokens` } as const;
export type Section = keyof typeof SECTIONS;

/** What the last form has done, as the next page says it. */
const DONE = [
  'client_created', 'client_deleted', 'settings_saved', 'access_saved', 'secret_removed', 'key_added', 'key_removed', 'resource_created', 'resource_saved',
  'resource_deleted', 'scope_saved', 'scope_removed', 'token_revoked',
] as const;
export type Done = (typeof DONE)[number];

export interface AdminPagesRooms {
  readonly issuer: string;
  readonly admin: AdminService;
  readonly gate: SignInGate;
  readonly secondFactors: Pick<SecondFactors, 'attainable'>;
  readonly views: Views;
  /** Path of the account's pages. */
  readonly home: string;
  /** Whether clients may register themselves. */
  readonly registration: boolean;
}

interface Shown {
  readonly section: Section;
  readonly title: string;
  readonly problem?: Problem | undefined;
  readonly status?: number;
}

type Words = Readonly<Record<string, string | number>>;

/** What the admin pages are made with: their door, their frame, and words. */
export interface Desk {
  readonly issuer: string;
  readonly admin: AdminService;
  readonly views: Views;
  readonly registration: boolean;
  /** A page of administrators. */
  page<Query extends ZodType = ZodType<object>>(
    options: { readonly path: string; readonly query?: Query },
    handler: (ctx: RouteContext, input: { actor: Actor; query: z.output<Query> }) => Promise<void>,
  ): void;
  /** A form of administrators. Whose sign-in no longer suffices is led to its page, `at`. */
  form<Body extends ZodType = ZodType<object>>(
    options: { readonly path: string; readonly body?: Body; readonly at: (ctx: RouteContext) => string },
    handler: (ctx: RouteContext, input: { actor: Actor; body: z.output<Body> }) => Promise<void>,
  ): void;
  /** Answers with a view inside the frame of the admin pages. */
  show(ctx: KoaContext, view: string, data: Readonly<Record<string, unknown>>, shown: Shown): void;
  /** Leads to a page that says what was done. */
  goOn(ctx: KoaContext, path: string, done: Done): void;
  say(ctx: KoaContext, key: string, words?: Words): string;
  date(ctx: KoaContext, ms: number): string;
  time(ctx: KoaContext, ms: number): string;
}

/** Creates the desk that the admin pages are put on. */
export function createDesk(router: Router, { issuer, admin, gate, secondFactors, views, home, registration }: AdminPagesRooms): Desk {
  const say = (ctx: KoaContext, key: string, words?: Words) => views.text(ctx, `admin.${key}`, words);
  const { tokens, ...others } = SECTIONS;
  const sections = registration ? { ...others, tokens } : others;
  const actorOf = (ctx: KoaContext, { accountId }: SignedIn): Actor => ({ kind: 'account', id: accountId, address: ctx.ip, authority: 'all' });

  /** For everybody else there is nothing here: the answer is the one of an address that is none. */
  async function mustBeAdmin({ accountId }: SignedIn): Promise<void> {
    if (!(await admin.isAdmin(accountId))) throw new AppError('not_found', 'there is nothing under this address');
  }

  /** Who may see an admin page. What is missing is said first, as the sign-in that follows cannot know why it asks. */
  async function enter(ctx: KoaContext): Promise<Actor | undefined> {
    const signedIn = await gate.require(ctx);
    if (!signedIn) return undefined;
    await mustBeAdmin(signedIn);
    if (satisfies(signedIn.acr, ACR.two)) return actorOf(ctx, signedIn);
    const attainable = await secondFactors.attainable(signedIn.accountId);
    if (attainable && ctx.query['proof'] === 'ask') {
      await gate.require(ctx, { acr: ACR.two });
      return undefined;
    }
    const query = new URLSearchParams({ ...(ctx.query as Record<string, string>), proof: 'ask' });
    views.render(ctx, 'admin/proof', { attainable, next: `${ctx.path}?${query.toString()}`, home }, { title: say(ctx, 'title') });
    return undefined;
  }

  async function poster(ctx: KoaContext, at: string): Promise<Actor | undefined> {
    const signedIn = await gate.current(ctx);
    if (signedIn) await mustBeAdmin(signedIn);
    if (signedIn && satisfies(signedIn.acr, ACR.two)) return actorOf(ctx, signedIn);
    seeOther(ctx, at);
    return undefined;
  }

  return {
    issuer,
    admin,
    views,
    registration,
    page({ path, query }, handler) {
      route(router, { method: 'GET', path, kind: 'page', query: (query ?? z.object({})) as ZodType }, async (ctx, input) => {
        const actor = await enter(ctx);
        if (actor) await handler(ctx, { actor, query: input.query as never });
      });
    },
    form({ path, body, at }, handler) {
      route(router, { method: 'POST', path, kind: 'form', body: (body ?? z.strictObject({})) as ZodType }, async (ctx, input) => {
        const actor = await poster(ctx, at(ctx));
        if (actor) await handler(ctx, { actor, body: input.body as never });
      });
    },
    show(ctx, view, data, { section, title, problem, status = problem?.status ?? 200 }) {
      const done = ctx.method === 'POST' ? undefined : DONE.find((each) => each === ctx.query['done']);
      const body = views.partial(ctx, view, { ...data, problem });
      views.render(ctx, 'admin/frame', { section, sections, home, done, problem, body }, { status, title, layout: 'wide', scripts: ['admin'] });
    },
    goOn: (ctx, path, done) => seeOther(ctx, `${path}?done=${done}`),
    say,
    date: (ctx, ms) => new Date(ms).toLocaleDateString(views.language(ctx), { dateStyle: 'medium' }),
    time: (ctx, ms) => `${new Date(ms).toLocaleString(views.language(ctx), { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })} UTC`,
  };
}
