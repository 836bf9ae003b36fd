import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { AccountItem } from '../../accounts/items.ts';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { ChangeGate } from '../../factors/change-gate.ts';
import type { Factors } from '../../factors/factors.ts';
import { seeOther } from '../../lib/http/answers.ts';
import { route } from '../../lib/http/route.ts';
import type { Views } from '../../lib/views/views.ts';
import type { SignedIn, SignInGate } from '../../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from '../../recovery/recovery.ts';
import { MOST_AUTHENTICATORS } from '../authenticators/activation.ts';
import type { Authenticators } from '../authenticators/authenticators.ts';
import { seedBody, seedQuery, type SeedPage } from './seed-page.ts';

const LIST = '/account/authenticators';
const ADD = `${LIST}/add`;

export interface AuthenticatorPagesRooms {
  readonly authenticators: Authenticators;
  readonly factors: Pick<Factors, 'phones'>;
  readonly changes: ChangeGate;
  readonly seedPage: SeedPage;
  readonly gate: SignInGate;
  readonly views: Views;
  readonly home: string | undefined;
  readonly others: readonly AccountItem[];
  readonly showFirstCodes: ShowFirstCodes | undefined;
}

const listQuery = z.object({ done: z.enum(['added', 'renamed', 'removed']).optional() });
const asked = { proof: z.literal('ask').optional() };
const renameBody = z.strictObject({ name: z.string().max(400) });

/** Creates the pages on which an account sees, adds, renames and removes its authenticator apps, and what stands of them on the account's page. */
export function authenticatorPages(
  { clock }: Pick<Context, 'clock'>,
  { authenticators, factors, changes, seedPage, gate, views, home, others, showFirstCodes }: AuthenticatorPagesRooms,
) {
  const change = 'authenticator';
  const removePath = (id: string) => `${LIST}/${encodeURIComponent(id)}/remove`;
  const pageOf = (path: string) => ({ change, path, back: LIST, title: 'totp.title' }) as const;

  async function showList(ctx: KoaContext, { accountId }: SignedIn, { done, problem, status = 200 }: { done?: string | undefined; problem?: string; status?: number } = {}) {
    const date = (ms: number) => new Date(ms).toLocaleDateString(views.language(ctx), { dateStyle: 'medium' });
    const list = (await authenticators.list(accountId)).map(({ id, name, createdAt, lastUsedAt }) => ({
      id,
      name,
      meta: [`${views.text(ctx, 'totp.added', { date: date(createdAt) })} · ${lastUsedAt === undefined ? views.text(ctx, 'totp.unused') : views.text(ctx, 'totp.used', { date: date(lastUsedAt) })}`],
      rename: `${LIST}/${id}/rename`,
      remove: removePath(id),
    }));
    const { off, blockedUntil } = await authenticators.standing(accountId);
    const blocked = blockedUntil === undefined ? 0 : Math.max(1, Math.ceil((blockedUntil - clock()) / 60_000));
    const beside = await Promise.all(others.map((item) => item(ctx, accountId)));
    const items = beside.filter((item) => item !== undefined && item.path !== LIST);
    const data = { list, off, blocked, done: done ?? '', problem: problem ?? '', full: list.length >= MOST_AUTHENTICATORS, most: MOST_AUTHENTICATORS, add: ADD, home, items };
    views.render(ctx, 'totp/list', data, { status, title: views.text(ctx, 'totp.title') });
  }

  /** The authenticators on the account's page. */
  const item: AccountItem = async (ctx, accountId) => {
    const [{ length: count }, { off }] = [await authenticators.list(accountId), await authenticators.standing(accountId)];
    const key = off ? 'item_off' : count > 0 ? 'item_some' : 'item_none';
    return { title: views.text(ctx, 'totp.item_title'), text: views.text(ctx, `totp.${key}`, { count }), path: LIST, link: views.text(ctx, 'totp.item_link') };
  };

  function routes(router: Router): void {
    route(router, { method: 'GET', path: LIST, kind: 'page', query: listQuery }, async (ctx, { query }) => {
      const signedIn = await gate.require(ctx);
      if (signedIn) await showList(ctx, signedIn, query);
    });

    route(router, { method: 'GET', path: ADD, kind: 'page', query: seedQuery.extend(asked) }, async (ctx, { query }) => {
      const signedIn = await changes.admit(ctx, pageOf(ADD), query.proof !== undefined);
      if (!signedIn) return;
      try {
        await seedPage.open(ctx, signedIn.accountId, query, { path: ADD, back: LIST, by: 'account' });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'conflict') throw error;
        await showList(ctx, signedIn, { problem: 'full', status: error.status });
      }
    });

    route(router, { method: 'POST', path: ADD, kind: 'form', body: seedBody }, async (ctx, { body }) => {
      const signedIn = await changes.poster(ctx, { change, path: `${ADD}?id=${encodeURIComponent(body.id)}` });
      if (!signedIn || !(await seedPage.submit(ctx, signedIn, body, { path: ADD, back: LIST, by: 'account' }))) return;
      // The code was the second factor of this very sign-in: it is not asked for again on the next page.
      await gate.addFactor(ctx, { amr: ['otp'] });
      const next = { path: `${LIST}?done=added`, label: views.text(ctx, 'totp.codes_next') };
      if (await showFirstCodes?.(ctx, signedIn.accountId, next)) return;
      seeOther(ctx, next.path);
    });

    route(router, { method: 'POST', path: `${LIST}/:id/rename`, kind: 'form', body: renameBody }, async (ctx, { body }) => {
      const signedIn = await gate.current(ctx);
      if (!signedIn) return seeOther(ctx, LIST);
      try {
        await authenticators.rename(signedIn.accountId, ctx.params['id'] ?? '', body.name, { address: ctx.ip });
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error;
        return await showList(ctx, signedIn, { problem: 'name', status: error.status });
      }
      seeOther(ctx, `${LIST}?done=renamed`);
    });

    route(router, { method: 'GET', path: `${LIST}/:id/remove`, kind: 'page', query: z.object(asked) }, async (ctx, { query }) => {
      const id = ctx.params['id'] ?? '';
      const signedIn = await changes.admit(ctx, pageOf(removePath(id)), query.proof !== undefined);
      if (!signedIn) return;
      const list = await authenticators.list(signedIn.accountId);
      const found = list.find((each) => each.id === id);
      if (!found) throw new AppError('not_found', 'there is no such authenticator');
      const data = { name: found.name, action: removePath(id), last: list.length === 1, phones: await factors.phones(signedIn.accountId), list: LIST };
      views.render(ctx, 'totp/remove', data, { title: views.text(ctx, 'totp.remove_title') });
    });

    route(router, { method: 'POST', path: `${LIST}/:id/remove`, kind: 'form' }, async (ctx) => {
      const id = ctx.params['id'] ?? '';
      const signedIn = await changes.poster(ctx, { change, path: removePath(id) });
      if (!signedIn) return;
      await authenticators.remove(signedIn.accountId, id, { address: ctx.ip });
      seeOther(ctx, `${LIST}?done=removed`);
    });
  }

  return { item, routes };
}
