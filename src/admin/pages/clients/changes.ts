import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { RegisteredClient } from '../../../clients/types.ts';
import { AppError } from '../../../errors.ts';
import type { RouteContext } from '../../../lib/http/route.ts';
import { SECTIONS, type Desk } from '../desk.ts';
import { fieldsOf, type FormValues } from '../fields.ts';
import { grantBoxes, grantsOf, isGranted, isTickedIn, refuseUnknown, type Grants } from '../grants.ts';
import { problemOf, type Problem } from '../problems.ts';
import { clientPath, nameOr } from '../references.ts';
import { clientHead } from './client.ts';
import { clientOf } from './listing.ts';
import { changesOf, SETTING_FIELDS, SETTING_GROUPS, SETTINGS, settingValues } from './settings-form.ts';

/** The pages that change a client: its settings, and what it may ask for. */
export function clientChanges(desk: Desk): void {
  const { admin, issuer, views } = desk;
  const anyBody = z.record(z.string().max(300), z.string().max(20_000));
  const hostedJwks = (clientId: string) => `${issuer}/clients/${encodeURIComponent(clientId)}/jwks`;

  function showSettings(ctx: KoaContext, client: RegisteredClient, values: FormValues, problem?: Problem) {
    const { clientId, metadata } = client;
    const groups = SETTING_GROUPS.map((group) => {
      const fields = fieldsOf(desk, ctx, SETTINGS.filter((each) => each.group === group), values, problem).map((field) => ({ ...field, optional: false }));
      return { name: group, title: desk.say(ctx, `group_${group}`), text: desk.say(ctx, `group_${group}_text`), fields };
    });
    const data = { head: clientHead(desk, ctx, client, 'settings'), groups, action: clientPath(clientId, '/settings'), back: clientPath(clientId) };
    desk.show(ctx, 'admin/clients/settings', data, { section: 'clients', title: nameOr(metadata, clientId), problem });
  }

  const settings = `${SECTIONS.clients}/:id/settings`;
  desk.page({ path: settings }, async (ctx) => {
    const client = await clientOf(desk, ctx);
    showSettings(ctx, client, settingValues(client.metadata, hostedJwks(client.clientId)));
  });

  desk.form({ path: settings, body: anyBody, at: (ctx) => clientPath(ctx.params['id'] ?? '', '/settings') }, async (ctx, { actor, body }) => {
    const client = await clientOf(desk, ctx);
    const { clientId, metadata } = client;
    try {
      const unknown = Object.keys(body).find((name) => !SETTING_FIELDS.includes(name));
      if (unknown !== undefined) throw new AppError('invalid_request', `unknown field ${JSON.stringify(unknown.slice(0, 60))}`);
      const changes = changesOf(metadata, body, hostedJwks(clientId));
      if (Object.keys(changes).length > 0) await admin.clients.update(clientId, changes, actor);
    } catch (error) {
      const problem = problemOf(desk, ctx, error);
      // What has no field of its own was typed into that for all others.
      const field = problem.field === undefined || SETTINGS.some(({ name }) => name === problem.field) ? problem.field : 'other';
      return showSettings(ctx, client, body, { ...problem, field });
    }
    desk.goOn(ctx, clientPath(clientId), 'settings_saved');
  });

  async function showAccess(ctx: KoaContext, client: RegisteredClient, values?: FormValues, problem?: Problem) {
    const { clientId, metadata } = client;
    const resources = await admin.resources.list();
    const ticks = values ? isTickedIn(values) : isGranted((metadata['tandem_resources'] ?? {}) as Grants);
    const data = { head: clientHead(desk, ctx, client, 'access'), grants: grantBoxes(views, ctx, resources, ticks), action: clientPath(clientId, '/access'), back: clientPath(clientId), resources: SECTIONS.resources };
    desk.show(ctx, 'admin/clients/access', data, { section: 'clients', title: nameOr(metadata, clientId), problem });
  }

  const access = `${SECTIONS.clients}/:id/access`;
  const accessAt = (ctx: RouteContext) => clientPath(ctx.params['id'] ?? '', '/access');
  desk.page({ path: access }, async (ctx) => showAccess(ctx, await clientOf(desk, ctx)));

  desk.form({ path: access, body: anyBody, at: accessAt }, async (ctx, { actor, body }) => {
    const client = await clientOf(desk, ctx);
    try {
      refuseUnknown(body, []);
      const grants = grantsOf(await admin.resources.list(), body);
      await admin.clients.update(client.clientId, { tandem_resources: Object.keys(grants).length > 0 ? grants : null }, actor);
    } catch (error) {
      return showAccess(ctx, client, body, problemOf(desk, ctx, error));
    }
    desk.goOn(ctx, clientPath(client.clientId), 'access_saved');
  });
}
