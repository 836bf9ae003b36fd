import type Router from '@koa/router';
import type { Context as KoaContext } from 'koa';
import { z } from 'zod';
import type { AccountItem } from '../accounts/items.ts';
import type { Context } from '../context.ts';
import type { ChangeGate } from '../factors/change-gate.ts';
import type { Factors } from '../factors/factors.ts';
import { seeOther } from '../lib/http/answers.ts';
import { route, type RouteContext } from '../lib/http/route.ts';
import type { Views } from '../lib/views/views.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { SignInGate } from '../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from './recovery.ts';
import type { RecoveryService } from './service.ts';

/** So few codes left are worth a warning. */
const FEW = 3;
const PAGE = '/account/recovery-codes';
const NEW = `${PAGE}/new`;

const newQuery = z.object({ proof: z.literal('ask').optional() });
/** `made`: when the codes were made that the page spoke of, so that a form sent again does not void codes that somebody has just written down. */
const newBody = z.strictObject({ made: z.string().regex(/^\d{1,15}$|^$/) });

/** Creates the account's page about its codes, and the page that shows new ones, once. */
export function recoveryPages(
  { issuer }: Pick<Context, 'issuer'>,
  { service, accounts, factors, changes, gate, views, home }: {
    service: RecoveryService;
    accounts: AccountDirectory;
    factors: Pick<Factors, 'any'>;
    changes: ChangeGate;
    gate: SignInGate;
    views: Views;
    home: string;
  },
) {
  const page = { change: 'recovery_codes', path: NEW, back: PAGE, title: 'recovery.new_title' } as const;
  const day = (ctx: KoaContext, ms: number) => new Intl.DateTimeFormat(views.language(ctx), { dateStyle: 'long' }).format(ms);

  /** The answer to a POST alone, and kept nowhere: neither going back nor loading the page again shows them a second time. */
  async function showCodes(ctx: RouteContext, accountId: string, codes: readonly string[], next: Parameters<ShowFirstCodes>[2]) {
    const label = (await accounts.find(accountId))?.label ?? '';
    const data = { codes, label, file: `${new URL(issuer).hostname}-recovery-codes.txt`, next: next.path, words: next.label, fields: next.fields };
    views.render(ctx, 'recovery/codes', data, { title: views.text(ctx, 'recovery.codes_title'), scripts: ['recovery-codes'] });
  }

  function routes(router: Router) {
    route(router, { method: 'GET', path: PAGE, kind: 'page' }, async (ctx) => {
      const signedIn = await gate.require(ctx);
      if (!signedIn) return;
      const { accountId } = signedIn;
      const [left, madeAt, protects] = [await service.left(accountId), await service.madeAt(accountId), await factors.any(accountId)];
      const data = { left, few: left <= FEW, made: madeAt === undefined ? '' : day(ctx, madeAt), protects, add: NEW, home };
      views.render(ctx, 'recovery/home', data, { title: views.text(ctx, 'recovery.title') });
    });

    route(router, { method: 'GET', path: NEW, kind: 'page', query: newQuery }, async (ctx, { query }) => {
      const signedIn = await changes.admit(ctx, page, query.proof !== undefined);
      if (!signedIn) return;
      // Codes of an account that has nothing else would be one more key to it, and guard nothing.
      if (!(await factors.any(signedIn.accountId))) return seeOther(ctx, PAGE);
      const [left, made] = [await service.left(signedIn.accountId), await service.madeAt(signedIn.accountId)];
      views.render(ctx, 'recovery/new', { left, made: made ?? '', action: NEW, back: PAGE }, { scripts: ['send-once'], title: views.text(ctx, 'recovery.new_title') });
    });

    route(router, { method: 'POST', path: NEW, kind: 'form', body: newBody }, async (ctx, { body }) => {
      const signedIn = await changes.poster(ctx, page);
      if (!signedIn) return;
      const { accountId } = signedIn;
      if (!(await factors.any(accountId))) return seeOther(ctx, NEW);
      const codes = await service.makeAnew(accountId, body.made === '' ? undefined : Number(body.made), { address: ctx.ip });
      if (codes) await showCodes(ctx, accountId, codes, { path: PAGE });
      else seeOther(ctx, PAGE);
    });
  }

  const showFirstCodes: ShowFirstCodes = async (ctx, accountId, next) => {
    const codes = await service.makeFirst(accountId, { address: ctx.ip });
    if (codes) await showCodes(ctx, accountId, codes, next);
    return codes !== undefined;
  };

  /** The codes on the account's page. */
  const item: AccountItem = async (ctx, accountId) => {
    const [left, protects] = [await service.left(accountId), await factors.any(accountId)];
    const key = left === 1 ? 'recovery.left_one' : left > 0 ? 'recovery.left' : protects ? 'recovery.none' : 'accounts.codes_later';
    const warning = protects && left > 0 && left <= FEW ? ` ${views.text(ctx, 'recovery.few')}` : '';
    const text = views.text(ctx, key, { count: left }) + warning;
    return { title: views.text(ctx, 'recovery.title'), text, path: PAGE, link: views.text(ctx, 'accounts.codes_link') };
  };

  return { showFirstCodes, item, routes };
}
