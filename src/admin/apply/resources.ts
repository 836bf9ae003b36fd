import type { Actor } from '../../lib/actor.ts';
import type { ResourceRegistry, ResourceServer, Scope } from '../../resources/types.ts';
import { scopeOf, type Document } from './document.ts';
import { differences, updateOf, type Planned } from './plan.ts';

type Wanted = NonNullable<Document['resource_servers']>[number];

/** What of a resource server a document can say, scopes aside. */
const MEMBERS = ['name', 'audience', 'format', 'algorithm', 'ttl'] as const;

/** Makes the resource servers and scopes that a document names; a member that it leaves out stays as it is. */
export async function planResources(wanted: readonly Wanted[], resources: ResourceRegistry, actor: Actor): Promise<Planned[]> {
  const known = new Map((await resources.list()).map((server) => [server.identifier, server]));
  return wanted.flatMap((each) => {
    const server = known.get(each.identifier);
    return server ? planChanges(server, each, resources, actor) : planCreation(each, resources, actor);
  });
}

function planCreation({ scopes = [], ...wanted }: Wanted, resources: ResourceRegistry, actor: Actor): Planned[] {
  const { identifier } = wanted;
  return [
    { step: { action: 'create', kind: 'resource_server', id: identifier }, carryOut: async () => void (await resources.create({ ...wanted, scopes: scopes.map(scopeOf) }, actor)), check: () => resources.check(wanted) },
    // They come with it.
    ...scopes.map(({ name }): Planned => ({ step: { action: 'create', kind: 'scope', id: scopeId(identifier, name) } })),
  ];
}

function planChanges(server: ResourceServer, wanted: Wanted, resources: ResourceRegistry, actor: Actor): Planned[] {
  const { identifier } = server;
  const named = MEMBERS.filter((member) => wanted[member] !== undefined);
  const [before, after] = [server, wanted].map((each) => Object.fromEntries(named.map((member) => [member, each[member]])));
  const known = new Map(server.scopes.map((scope) => [scope.name, scope]));
  return [
    updateOf('resource_server', identifier, differences(before!, after!), () => resources.update(identifier, after!, actor), () => resources.check({ identifier, ...after })),
    ...(wanted.scopes ?? []).map(scopeOf).map((scope) => planScope(identifier, known.get(scope.name), scope, resources, actor)),
  ];
}

function planScope(identifier: string, before: Scope | undefined, after: Scope, resources: ResourceRegistry, actor: Actor): Planned {
  const id = scopeId(identifier, after.name);
  const put = () => resources.putScope(identifier, after, actor);
  if (!before) return { step: { action: 'create', kind: 'scope', id }, carryOut: async () => void (await put()) };
  return updateOf('scope', id, differences({ description: before.description, level: before.level }, { description: after.description, level: after.level }), put);
}

/** Takes away what the registry has, and the document does not name. */
export async function planResourcePruning(wanted: readonly Wanted[], resources: ResourceRegistry, actor: Actor): Promise<Planned[]> {
  const named = new Map(wanted.map((each) => [each.identifier, each]));
  const ours = (await resources.list()).filter(({ origin }) => origin === 'registry');
  return ours.flatMap(({ identifier, scopes }): Planned[] => {
    const each = named.get(identifier);
    if (!each) return [{ step: { action: 'remove', kind: 'resource_server', id: identifier }, carryOut: () => resources.remove(identifier, actor) }];
    const kept = new Set((each.scopes ?? []).map(({ name }) => name));
    return scopes
      .filter(({ name }) => !kept.has(name))
      .map(({ name }) => ({ step: { action: 'remove', kind: 'scope', id: scopeId(identifier, name) }, carryOut: async () => void (await resources.removeScope(identifier, name, actor)) }));
  });
}

const scopeId = (identifier: string, name: string) => `${identifier} ${name}`;
