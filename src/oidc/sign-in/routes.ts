import type Router from '@koa/router';
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import { seeOther } from '../../lib/http/answers.ts';
import { route, type RouteContext } from '../../lib/http/route.ts';
import { servicesOf } from '../../lib/http/services.ts';
import type { Gate } from './gate.ts';
import type { InteractionDetails, Interactions } from './interactions.ts';
import type { Panel, SignInMethod } from './sign-in.ts';
import { isDemanded, isStepUp, suffices, wordsOf } from './step-up.ts';

const ACCOUNT = '/account';

/** Pages that a sign-in method may have to show again. */
export interface OidcPages {
  /** The sign-in page with the panels of all methods; `status` 200 unless told otherwise. */
  signInPage(ctx: RouteContext, details: InteractionDetails, options?: { status?: number }): Promise<void>;
}

/** Registers the pages of an authorization request: sign-in, step up, consent, cancel, and the way back of the account pages. */
export function oidcRoutes(
  router: Router,
  { interactions, gate, methods, home }: { interactions: Interactions; gate: Gate; methods: readonly SignInMethod[]; home: string },
): OidcPages {
  // Under two paths: a host with a sign-in page of its own at the first links to the second.
  for (const path of ['/interaction/:uid', '/interaction/:uid/sign-in']) {
    route(router, { method: 'GET', path, kind: 'page' }, async (ctx) => {
      const details = await interactions.details(ctx);
      if (details.prompt.name === 'consent') return consentPage(ctx, details);
      return signInPage(ctx, details);
    });
  }

  route(router, { method: 'POST', path: '/interaction/:uid/consent', kind: 'form' }, async (ctx) => {
    await interactions.consent(ctx, await interactions.details(ctx));
  });

  route(router, { method: 'POST', path: '/interaction/:uid/continue', kind: 'form' }, async (ctx) => {
    await interactions.declineStepUp(ctx, await interactions.details(ctx));
  });

  route(router, { method: 'POST', path: '/interaction/:uid/abort', kind: 'form' }, async (ctx) => {
    const details = await interactions.details(ctx);
    const unmet = isStepUp(details) && isDemanded(details);
    await interactions.deny(ctx, details, 'the end-user ended the request', unmet ? 'unmet_authentication_requirements' : 'access_denied');
  });

  // Where the account is a host's own, its phones are all there is of it here.
  if (home !== ACCOUNT) {
    route(router, { method: 'GET', path: ACCOUNT, kind: 'page' }, async (ctx) => {
      seeOther(ctx, home);
    });
  }

  const returned = z.object({ state: z.string().max(4096).optional(), error: z.string().max(200).optional() });
  route(router, { method: 'GET', path: '/account/return', kind: 'page', query: returned }, async (ctx, { query }) => {
    const path = gate.returnPath(ctx, query.state);
    const { views, issuer } = servicesOf(ctx);
    if (query.error) {
      const unmet = query.error === 'unmet_authentication_requirements';
      const data = { unmet, retry: issuer + path, home };
      return views.render(ctx, 'oidc/returned', data, { status: unmet ? 403 : 200, title: views.text(ctx, 'oidc.returned_title') });
    }
    seeOther(ctx, path);
  });

  async function panelsFor(ctx: RouteContext, details: InteractionDetails): Promise<Panel[]> {
    const able = isStepUp(details) ? methods.filter(({ reach }) => suffices(reach, details)) : methods;
    const panels = (await Promise.all(able.map((method) => method.panel(ctx, details)))).filter((panel) => panel !== undefined);
    const useful = panels.filter(({ idle }) => !idle);
    return useful.length ? useful : panels;
  }

  async function signInPage(ctx: RouteContext, details: InteractionDetails, { status = 200 }: { status?: number } = {}) {
    const { views } = servicesOf(ctx);
    const panels = await panelsFor(ctx, details);
    const stepUp = isStepUp(details);
    const essential = details.prompt.details['essential'] === true;
    if (panels.length === 0) {
      // No way to a stronger sign-in: the client hears so at once, and decides.
      if (!stepUp) throw new AppError('temporarily_unavailable', 'there is no way to sign in here');
      return essential
        ? interactions.deny(ctx, details, 'none of the requested ACRs can be obtained', 'unmet_authentication_requirements')
        : interactions.declineStepUp(ctx, details);
    }
    const words = stepUp ? wordsOf(details) : 'sign_in';
    const data = { uid: details.uid, client: await interactions.client(details), panels, words, voluntary: stepUp && !essential };
    views.render(ctx, 'oidc/sign-in', data, {
      status,
      title: views.text(ctx, `oidc.${words}_title`),
      layout: panels.length > 1 ? 'wide' : 'narrow',
      scripts: [...new Set(panels.flatMap(({ scripts = [] }) => scripts))],
    });
  }

  async function consentPage(ctx: RouteContext, details: InteractionDetails) {
    const { views } = servicesOf(ctx);
    const [client, scopes] = [await interactions.client(details), await interactions.scopes(ctx, details)];
    const data = { uid: details.uid, client, scopes };
    views.render(ctx, 'oidc/consent', data, { title: views.text(ctx, 'oidc.consent_title', { client: client.name }) });
  }

  return { signInPage };
}
