import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { AccountItem } from '../../accounts/items.ts';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { Factors } from '../../factors/factors.ts';
import { route } from '../../lib/http/route.ts';
import type { Views } from '../../lib/views/views.ts';
import type { SignedIn, SignInGate } from '../../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from '../../recovery/recovery.ts';
import type { Authenticators } from '../authenticators/authenticators.ts';
import { enrolmentBody, problemOf, seedForm, type SeedProblem } from './seed-form.ts';

/** How old a sign-in may be to add or remove an authenticator, in seconds. */
const FRESH_SECONDS = 300;
const MOST = 5;
const LIST = '/account/authenticators';
const ADD = `${LIST}/add`;

export interface AuthenticatorPagesRooms {
  readonly authenticators: Authenticators;
  readonly factors: Factors;
  readonly gate: SignInGate;
  readonly views: Views;
  readonly home: string | undefined;
  readonly others: readonly AccountItem[];
  readonly showFirstCodes: ShowFirstCodes | undefined;
}

const listQuery = z.object({ done: z.enum(['added', 'renamed', 'removed']).optional() });
const addQuery = z.object({ id: z.string().max(64).optional(), proof: z.literal('ask').optional(), late: z.literal('yes').optional() });
const removeQuery = z.object({ proof: z.literal('ask').optional() });
const renameBody = z.strictObject({ name: z.string().max(400) });

/** Registers the pages on which an account sees, adds, renames and removes its authenticator apps. */
export function authenticatorPages(
  router: Router,
  { issuer, clock }: Pick<Context, 'issuer' | 'clock'>,
  { authenticators, factors, gate, views, home, others, showFirstCodes }: AuthenticatorPagesRooms,
): void {
  const to = (ctx: KoaContext, path: string) => {
    ctx.redirect(issuer + path);
    ctx.status = 303;
  };
  const removePath = (id: string) => `${LIST}/${encodeURIComponent(id)}/remove`;
  const isFresh = ({ authTime }: SignedIn) => clock() / 1000 - authTime <= FRESH_SECONDS;
  const lacks = ({ accountId, acr }: SignedIn) => factors.missing(acr, accountId, 'authenticator');

  /** Who may change the authenticators on `page`; undefined where that page now asks to sign in, or says what must vouch for it. */
  async function mayChange(ctx: KoaContext, page: string, ask: boolean): Promise<SignedIn | undefined> {
    const signedIn = await gate.require(ctx, { maxAge: FRESH_SECONDS });
    const missing = signedIn && (await lacks(signedIn));
    if (!missing) return signedIn;
    // What is missing is said first: the sign-in page that follows cannot know why.
    if (ask) return gate.require(ctx, { maxAge: FRESH_SECONDS, acr: missing.acr.join(' ') });
    views.render(ctx, 'factors/proof', { by: missing.by, next: `${page}?proof=ask`, back: LIST }, { title: views.text(ctx, 'totp.title') });
    return undefined;
  }

  /** Who posts a form of `page`; a sign-in that no longer suffices leads back to it, and it says what is missing. */
  async function poster(ctx: KoaContext, page: string): Promise<SignedIn | undefined> {
    const signedIn = await gate.current(ctx);
    if (signedIn && isFresh(signedIn) && !(await lacks(signedIn))) return signedIn;
    to(ctx, page);
    return undefined;
  }

  async function showList(ctx: KoaContext, { accountId }: SignedIn, { done, problem, status = 200 }: { done?: string | undefined; problem?: string; status?: number } = {}) {
    const date = (ms: number) => new Date(ms).toLocaleDateString(views.language(ctx), { dateStyle: 'medium' });
    const list = (await authenticators.list(accountId)).map(({ id, name, createdAt, lastUsedAt }) => ({
      id,
      name,
      added: date(createdAt),
      used: lastUsedAt === undefined ? undefined : date(lastUsedAt),
      rename: `${LIST}/${id}/rename`,
      remove: removePath(id),
    }));
    const { off, blockedUntil } = await authenticators.standing(accountId);
    const blocked = blockedUntil === undefined ? 0 : Math.max(1, Math.ceil((blockedUntil - clock()) / 60_000));
    const beside = await Promise.all(others.map((item) => item(ctx, accountId)));
    const items = beside.filter(({ path }) => path !== LIST);
    const data = { list, off, blocked, done: done ?? '', problem: problem ?? '', full: list.length >= MOST, most: MOST, add: ADD, home, items };
    views.render(ctx, 'totp/list', data, { status, title: views.text(ctx, 'totp.title') });
  }

  async function showSeed(ctx: KoaContext, accountId: string, id: string, { problem, name = '', late = false }: { problem?: SeedProblem; name?: string; late?: boolean } = {}) {
    const form = await seedForm(ctx, await authenticators.pending(accountId, id), { clock, problem, name, late });
    if (problem?.retryAfter !== undefined) ctx.set('Retry-After', String(Math.ceil(problem.retryAfter)));
    const data = { ...form, action: ADD, back: LIST, client: '' };
    views.render(ctx, 'totp/add', data, { status: problem?.status ?? 200, scripts: ['authenticator'], title: views.text(ctx, 'totp.add_title') });
  }

  route(router, { method: 'GET', path: LIST, kind: 'page', query: listQuery }, async (ctx, { query }) => {
    const signedIn = await gate.require(ctx);
    if (signedIn) await showList(ctx, signedIn, query);
  });

  // A seed is shown again only to who knows its id: another browser of the account, which may be a thief's, gets another seed. So a
  // thief cannot have somebody take over the seed that they have seen.
  route(router, { method: 'GET', path: ADD, kind: 'page', query: addQuery }, async (ctx, { query }) => {
    const signedIn = await mayChange(ctx, ADD, query.proof !== undefined);
    if (!signedIn) return;
    const { accountId } = signedIn;
    const again = query.late ? '&late=yes' : '';
    try {
      if (query.id !== undefined) return await showSeed(ctx, accountId, query.id, { late: query.late !== undefined });
      const { id } = await authenticators.begin(accountId, { address: ctx.ip, anew: true });
      to(ctx, `${ADD}?id=${encodeURIComponent(id)}${again}`);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === 'expired') return to(ctx, `${ADD}?late=yes`);
      if (error.code !== 'conflict') throw error;
      await showList(ctx, signedIn, { problem: 'full', status: error.status });
    }
  });

  route(router, { method: 'POST', path: ADD, kind: 'form', body: enrolmentBody }, async (ctx, { body }) => {
    const signedIn = await poster(ctx, `${ADD}?id=${encodeURIComponent(body.id)}`);
    if (!signedIn) return;
    const { accountId, acr } = signedIn;
    try {
      const guard = (tx: Parameters<typeof factors.check>[3]) => factors.check(acr, accountId, 'authenticator', tx);
      await authenticators.activate(accountId, body.id, body.code, { name: body.name, by: 'account', address: ctx.ip, guard });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === 'expired') return to(ctx, `${ADD}?late=yes`);
      if (error.code === 'access_denied') return to(ctx, ADD);
      if (error.code === 'conflict') return to(ctx, LIST);
      const problem = problemOf(error);
      if (!problem) throw error;
      return await showSeed(ctx, accountId, body.id, { problem, name: body.name });
    }
    // The code was the second factor of this very sign-in: it is not asked for again on the next page.
    await gate.addFactor(ctx, { amr: ['otp'] });
    const next = { path: `${LIST}?done=added`, label: views.text(ctx, 'totp.codes_next') };
    if (await showFirstCodes?.(ctx, accountId, next)) return;
    to(ctx, next.path);
  });

  route(router, { method: 'POST', path: `${LIST}/:id/rename`, kind: 'form', body: renameBody }, async (ctx, { body }) => {
    const signedIn = await gate.current(ctx);
    if (!signedIn) return to(ctx, LIST);
    try {
      await authenticators.rename(signedIn.accountId, ctx.params['id'] ?? '', body.name, { address: ctx.ip });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error;
      return await showList(ctx, signedIn, { problem: 'name', status: error.status });
    }
    to(ctx, `${LIST}?done=renamed`);
  });

  route(router, { method: 'GET', path: `${LIST}/:id/remove`, kind: 'page', query: removeQuery }, async (ctx, { query }) => {
    const id = ctx.params['id'] ?? '';
    const signedIn = await mayChange(ctx, removePath(id), query.proof !== undefined);
    if (!signedIn) return;
    const list = await authenticators.list(signedIn.accountId);
    const found = list.find((each) => each.id === id);
    if (!found) throw new AppError('not_found', 'there is no such authenticator');
    const data = { name: found.name, action: removePath(id), last: list.length === 1, phones: await factors.phones(signedIn.accountId), list: LIST };
    views.render(ctx, 'totp/remove', data, { title: views.text(ctx, 'totp.remove_title') });
  });

  route(router, { method: 'POST', path: `${LIST}/:id/remove`, kind: 'form' }, async (ctx) => {
    const id = ctx.params['id'] ?? '';
    const signedIn = await poster(ctx, removePath(id));
    if (!signedIn) return;
    await authenticators.remove(signedIn.accountId, id, { address: ctx.ip });
    to(ctx, `${LIST}?done=removed`);
  });
}
