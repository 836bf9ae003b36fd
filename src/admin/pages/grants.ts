import type { Context as KoaContext } from 'koa';
import { AppError } from '../../errors.ts';
import type { Views } from '../../lib/views/views.ts';
import type { ResourceServer, Scope } from '../../resources/types.ts';
import type { FormValues } from './fields.ts';

/** Scopes by resource indicator: `tandem_resources` of a client. */
export type Grants = Readonly<Record<string, readonly string[]>>;

const PREFIX = 'grant:';
const fieldOf = ({ id }: ResourceServer, { name }: Scope) => `${PREFIX}${id}:${name}`;

/** What a scope lets a client do, in the reader's language where it is known. */
export function wordsOf({ description }: Pick<Scope, 'description'>, language: string): string {
  return description[language] ?? description['en'] ?? '';
}

/** The scopes of every resource server as boxes to tick. */
export function grantBoxes(views: Views, ctx: KoaContext, resources: readonly ResourceServer[], isTicked: (resource: ResourceServer, scope: Scope) => boolean) {
  const language = views.language(ctx);
  const known = resources.filter(({ scopes }) => scopes.length > 0);
  return known.map((resource) => {
    const scopes = resource.scopes.map((scope) => ({
      field: fieldOf(resource, scope),
      name: scope.name,
      words: wordsOf(scope, language),
      level: scope.level,
      ticked: isTicked(resource, scope),
    }));
    const count = scopes.filter(({ ticked }) => ticked).length;
    // The provider's own are many, and few clients administer anything.
    const open = count > 0 || (known.length === 1 && resource.origin !== 'built-in');
    return { name: resource.name, identifier: resource.identifier, scopes, count, open };
  });
}

export const isGranted = (grants: Grants) => (resource: ResourceServer, scope: Scope) => grants[resource.identifier]?.includes(scope.name) ?? false;
export const isTickedIn = (values: FormValues) => (resource: ResourceServer, scope: Scope) => values[fieldOf(resource, scope)] === 'on';

/** The grants that were ticked. @throws AppError `invalid_request` for a box that is no longer there */
export function grantsOf(resources: readonly ResourceServer[], values: FormValues): Grants {
  const left = new Set(Object.keys(values).filter((name) => name.startsWith(PREFIX) && values[name] === 'on'));
  const grants: Record<string, string[]> = {};
  for (const resource of resources) {
    const names = resource.scopes.filter((scope) => left.delete(fieldOf(resource, scope))).map(({ name }) => name);
    if (names.length > 0) grants[resource.identifier] = names;
  }
  const [gone] = left;
  if (gone !== undefined) throw new AppError('invalid_request', `there is no scope ${JSON.stringify(gone.slice(PREFIX.length, 160))} any more`);
  return grants;
}

/** What a form has beside its boxes: a field that its page has not is refused. */
export function refuseUnknown(values: FormValues, known: readonly string[]): void {
  const unknown = Object.keys(values).find((name) => !name.startsWith(PREFIX) && !known.includes(name));
  if (unknown !== undefined) throw new AppError('invalid_request', `unknown field ${JSON.stringify(unknown.slice(0, 60))}`);
}
