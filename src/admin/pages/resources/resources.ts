import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { Actor } from '../../../lib/actor.ts';
import type { RouteContext } from '../../../lib/http/route.ts';
import { ALGORITHMS } from '../../../resources/schema.ts';
import type { NewResourceServer, ResourceServer } from '../../../resources/types.ts';
import { SECTIONS, type Desk } from '../desk.ts';
import { fieldsOf, type FieldSpec, type FormValues } from '../fields.ts';
import { wordsOf } from '../grants.ts';
import { problemOf, wrongField, type Problem } from '../problems.ts';
import { clientPath, nameOr } from '../references.ts';

const NEW = `${SECTIONS.resources}/new`;
const FORMATS = ['opaque', 'jwt'] as const;

const IDENTIFIER: FieldSpec = { name: 'identifier', kind: 'text', required: true, hint: true, mono: true };
const FIELDS: readonly FieldSpec[] = [
  { name: 'name', kind: 'text', hint: true },
  { name: 'format', kind: 'radios', options: FORMATS },
  { name: 'algorithm', kind: 'select', options: ALGORITHMS, hint: true },
  { name: 'ttl', kind: 'text', hint: true },
  { name: 'audience', kind: 'text', hint: true, mono: true },
];

const changesBody = z.strictObject({
  name: z.string().max(300),
  format: z.enum(FORMATS),
  algorithm: z.enum(ALGORITHMS),
  ttl: z.string().max(20),
  audience: z.string().max(2000),
});
const newBody = changesBody.extend({ identifier: z.string().max(2000) });

/** The path of a resource server's pages. */
export const resourcePath = (id: string, below = ''): string => `${SECTIONS.resources}/${encodeURIComponent(id)}${below}`;

/** The pages on which resource servers are seen, made, changed and deleted. */
export function resourcePages(desk: Desk): void {
  const { admin, views, say, date } = desk;
  const origins = (ctx: KoaContext, { origin }: ResourceServer) => say(ctx, `origin_${origin.replace('-', '_')}`);

  desk.page({ path: SECTIONS.resources }, async (ctx) => {
    const resources = (await admin.resources.list()).map((each) => ({
      name: each.name,
      identifier: each.identifier,
      meta: [say(ctx, `option_${each.format}`), each.scopes.length === 1 ? say(ctx, 'scope_one') : say(ctx, 'scope_count', { count: each.scopes.length }), ...(each.origin === 'registry' ? [] : [origins(ctx, each)])].join(' · '),
      path: resourcePath(each.id),
    }));
    desk.show(ctx, 'admin/resources/list', { resources, add: NEW }, { section: 'resources', title: say(ctx, 'resources_title') });
  });

  function showForm(ctx: KoaContext, resource: ResourceServer | undefined, values: FormValues, problem?: Problem) {
    const title = resource ? say(ctx, 'change_resource') : say(ctx, 'new_resource');
    const data = {
      title,
      identifier: resource?.identifier ?? '',
      fields: fieldsOf(desk, ctx, resource ? FIELDS : [IDENTIFIER, ...FIELDS], values, problem),
      action: resource ? resourcePath(resource.id, '/settings') : NEW,
      back: resource ? resourcePath(resource.id) : SECTIONS.resources,
      isNew: resource === undefined,
    };
    desk.show(ctx, 'admin/resources/form', data, { section: 'resources', title, problem });
  }

  desk.page({ path: NEW }, async (ctx) => showForm(ctx, undefined, { format: 'opaque', algorithm: 'ES256' }));

  desk.form({ path: NEW, body: newBody, at: () => NEW }, async (ctx, { actor, body }) => {
    try {
      const { id } = await admin.resources.create({ ...settingsOf(body), identifier: body.identifier.trim() }, actor);
      desk.goOn(ctx, resourcePath(id), 'resource_created');
    } catch (error) {
      showForm(ctx, undefined, body, problemOf(desk, ctx, error));
    }
  });

  desk.page({ path: `${SECTIONS.resources}/:id` }, async (ctx) => showResource(ctx, await admin.resources.get(ctx.params['id'] ?? '')));

  const settingsAt = (ctx: RouteContext) => resourcePath(ctx.params['id'] ?? '', '/settings');
  desk.page({ path: `${SECTIONS.resources}/:id/settings` }, async (ctx) => {
    const resource = await admin.resources.get(ctx.params['id'] ?? '');
    const { name, format, algorithm, ttl, audience } = resource;
    showForm(ctx, resource, { name, format, algorithm, ttl: String(ttl), audience: audience === resource.identifier ? '' : audience });
  });

  desk.form({ path: `${SECTIONS.resources}/:id/settings`, body: changesBody, at: settingsAt }, async (ctx, { actor, body }) => {
    const resource = await admin.resources.get(ctx.params['id'] ?? '');
    try {
      // Changed are only the members that differ: what was left to its default stays so.
      const now = settingsOf({ ...body, audience: body.audience.trim() || resource.identifier });
      const changed = Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== resource[name as keyof ResourceServer]));
      if (Object.keys(changed).length > 0) await admin.resources.update(resource.id, changed, actor);
      desk.goOn(ctx, resourcePath(resource.id), 'resource_saved');
    } catch (error) {
      showForm(ctx, resource, body, problemOf(desk, ctx, error));
    }
  });

  const back = (ctx: RouteContext) => resourcePath(ctx.params['id'] ?? '');
  const remove = (work: (resource: ResourceServer, actor: Actor, body: { name?: string }) => Promise<unknown>) => async (ctx: RouteContext, actor: Actor, body: { name?: string }) => {
    const resource = await admin.resources.get(ctx.params['id'] ?? '');
    try {
      await work(resource, actor, body);
      return true;
    } catch (error) {
      await showResource(ctx, resource, problemOf(desk, ctx, error));
      return false;
    }
  };
  const removeResource = remove(({ id }, actor) => admin.resources.remove(id, actor));
  const removeScope = remove(({ id }, actor, { name = '' }) => admin.resources.removeScope(id, name, actor));

  desk.form({ path: `${SECTIONS.resources}/:id/delete`, at: back }, async (ctx, { actor }) => {
    if (await removeResource(ctx, actor, {})) desk.goOn(ctx, SECTIONS.resources, 'resource_deleted');
  });

  desk.form({ path: `${SECTIONS.resources}/:id/scopes/remove`, body: z.strictObject({ name: z.string().max(200) }), at: back }, async (ctx, { actor, body }) => {
    if (await removeScope(ctx, actor, body)) desk.goOn(ctx, back(ctx), 'scope_removed');
  });

  /** Clients by their names, each of which is asked for once; one that was deleted in between is none. */
  function createNames() {
    const known = new Map<string, { name: string; path: string } | undefined>();
    return async (ids: readonly string[]) => {
      for (const id of ids) {
        if (known.has(id)) continue;
        const client = await admin.clients.get(id).catch(() => undefined);
        known.set(id, client && { name: nameOr(client.metadata, id), path: clientPath(id) });
      }
      return ids.flatMap((id) => known.get(id) ?? []);
    };
  }

  async function showResource(ctx: KoaContext, resource: ResourceServer, problem?: Problem) {
    const { id, identifier, name, origin, audience, format, algorithm, ttl, createdAt } = resource;
    const language = views.language(ctx);
    const used = await admin.resources.usedBy(identifier, undefined, { limit: 1 });
    const [scopes, named] = [[], createNames()] as [object[], ReturnType<typeof createNames>];
    for (const scope of resource.scopes) {
      const { clients, count } = await admin.resources.usedBy(identifier, scope.name, { limit: 5 });
      const query = new URLSearchParams({ scope: scope.name }).toString();
      scopes.push({ name: scope.name, words: wordsOf(scope, language), level: scope.level, clients: await named(clients), count, edit: resourcePath(id, `/scopes?${query}`) });
    }
    const facts = [
      { label: say(ctx, 'field_format'), value: say(ctx, `option_${format}`), mono: false },
      ...(format === 'jwt' ? [{ label: say(ctx, 'field_algorithm'), value: algorithm, mono: false }] : []),
      { label: say(ctx, 'life_of_tokens'), value: say(ctx, 'seconds', { count: ttl }), mono: false },
      ...(audience === identifier ? [] : [{ label: say(ctx, 'field_audience'), value: audience, mono: true }]),
    ];
    const data = {
      name, identifier, facts, scopes,
      origin: origins(ctx, resource),
      since: createdAt === undefined ? '' : date(ctx, createdAt),
      editable: origin === 'registry',
      used,
      settings: resourcePath(id, '/settings'),
      newScope: resourcePath(id, '/scopes'),
      removeScope: resourcePath(id, '/scopes/remove'),
      removeResource: resourcePath(id, '/delete'),
    };
    desk.show(ctx, 'admin/resources/resource', data, { section: 'resources', title: name, problem });
  }
}

/** What a form sends, as the service takes it: a field without anything in it is left to the default. */
function settingsOf({ name, format, algorithm, ttl, audience }: z.output<typeof changesBody>): Omit<NewResourceServer, 'identifier' | 'scopes'> {
  const seconds = ttl.trim();
  if (seconds !== '' && !/^\d{1,9}$/.test(seconds)) throw wrongField('ttl', 'this must be a whole number of seconds');
  return {
    ...(name.trim() && { name: name.trim() }),
    format,
    ...(format === 'jwt' && { algorithm }),
    ...(seconds && { ttl: Number(seconds) }),
    ...(audience.trim() && { audience: audience.trim() }),
  };
}
