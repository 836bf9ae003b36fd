import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { RouteContext } from '../../../lib/http/route.ts';
import { LANGUAGES } from '../../../lib/views/catalogue.ts';
import type { ResourceServer } from '../../../resources/types.ts';
import { SECTIONS, type Desk } from '../desk.ts';
import { fieldsOf, type FieldSpec, type FormValues } from '../fields.ts';
import { problemOf, wrongField, type Problem } from '../problems.ts';
import { resourcePath } from './resources.ts';

const FIELDS: readonly FieldSpec[] = [
  { name: 'scope_name', kind: 'text', required: true, hint: true, mono: true },
  ...LANGUAGES.map((language): FieldSpec => ({ name: `words_${language}`, kind: 'text', required: language === 'en', hint: language === 'en' })),
  { name: 'scope_level', kind: 'select', options: ['1', '2'], hint: true },
];

const words = z.string().max(1000);
const scopeBody = z.strictObject({
  scope_name: z.string().max(300),
  words_en: words,
  words_de: words,
  words_fr: words,
  words_nl: words,
  scope_level: z.enum(['1', '2']),
  /** The scope that is changed; empty for a new one. */
  before: z.string().max(300),
});

/** The page on which a scope is added, or its words and level are changed. */
export function scopePages(desk: Desk): void {
  const { admin, say } = desk;
  const path = `${SECTIONS.resources}/:id/scopes`;
  const at = (ctx: RouteContext) => resourcePath(ctx.params['id'] ?? '', '/scopes');

  function show(ctx: KoaContext, resource: ResourceServer, before: string, values: FormValues, problem?: Problem) {
    const title = say(ctx, before ? 'change_scope' : 'new_scope');
    const specs = before ? FIELDS.filter(({ name }) => name !== 'scope_name') : FIELDS;
    const data = { title, resource: resource.name, before, fields: fieldsOf(desk, ctx, specs, values, problem), action: resourcePath(resource.id, '/scopes'), back: resourcePath(resource.id) };
    desk.show(ctx, 'admin/resources/scope', data, { section: 'resources', title, problem });
  }

  desk.page({ path, query: z.object({ scope: z.string().max(300).optional() }) }, async (ctx, { query }) => {
    const resource = await admin.resources.get(ctx.params['id'] ?? '');
    const found = resource.scopes.find(({ name }) => name === query.scope);
    const told = Object.fromEntries(LANGUAGES.map((language) => [`words_${language}`, found?.description[language] ?? '']));
    show(ctx, resource, found?.name ?? '', { ...told, scope_level: String(found?.level ?? 1) });
  });

  desk.form({ path, body: scopeBody, at }, async (ctx, { actor, body }) => {
    const resource = await admin.resources.get(ctx.params['id'] ?? '');
    const { before } = body;
    const name = before || body.scope_name.trim();
    try {
      const old = resource.scopes.find((each) => each.name === name);
      // A name that is there already is changed on its own page, not by chance.
      if (old && !before) throw wrongField('scope_name', 'there is a scope of this name');
      const changed = Object.fromEntries(LANGUAGES.map((language) => [language, body[`words_${language}`].trim()]));
      // Words in other languages, which this page has no field for, stay.
      const description = Object.fromEntries(Object.entries({ ...old?.description, ...changed }).filter(([, text]) => text !== ''));
      await admin.resources.putScope(resource.id, { name, description, level: body.scope_level === '2' ? 2 : 1 }, actor);
    } catch (error) {
      return show(ctx, resource, before, body, problemOf(desk, ctx, error));
    }
    desk.goOn(ctx, resourcePath(resource.id), 'scope_saved');
  });
}
