import type { ResourceServer } from '../../index.ts';
import { UsageError, command, type Command, type Option } from '../command-line/command.ts';
import { oneOf, seconds } from '../command-line/read.ts';
import { count, fields, instant, table } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';
import { identifierOf } from './client-metadata.ts';
import { resourceServerJson } from './shapes.ts';

const SETTINGS = {
  name: { value: 'TEXT', about: 'its name' },
  audience: { value: 'TEXT', about: 'the aud of its tokens; the identifier unless given' },
  format: { value: 'opaque|jwt', about: 'of its access tokens; opaque ones can be taken back, and are the default' },
  alg: { value: 'ALG', about: 'what signs its JWTs: ES256, RS256 or EdDSA' },
  ttl: { value: 'TIME', about: 'the life of its tokens, such as 10m' },
} as const satisfies Record<string, Option>;

/** `tandem resource-servers …`: what access tokens can be made for. */
export const resourceServers: readonly Command[] = [
  command({
    name: 'resource-servers list',
    about: 'lists the resource servers: built in, of the configuration, and of the registry',
    run: ({ json }) => withRegistry(json, async ({ admin }) => {
      const found = await admin.resources.list();
      const rows = found.map(({ identifier, name, origin, format, ttl, scopes }) => [identifier, name, origin, format, `${ttl} s`, count(scopes.length, 'scope')]);
      return { json: { resource_servers: found.map(resourceServerJson) }, text: table(['resource server', 'name', 'origin', 'tokens', 'life', 'scopes'], rows, 'there are no resource servers') };
    }),
  }),
  command({
    name: 'resource-servers show',
    about: 'tells all about a resource server, by identifier or id',
    operands: ['<resource>'],
    run: ({ operands: [name], json }) => withRegistry(json, async (registry) => {
      const { admin } = registry;
      const server = await admin.resources.get(await identifierOf(name!, registry));
      return answerWith(server, await admin.resources.usedBy(server.identifier));
    }),
  }),
  command({
    name: 'resource-servers create',
    about: 'registers a resource server by its identifier (RFC 8707), such as https://api.example.com',
    operands: ['<identifier>'],
    options: { ...SETTINGS, scope: { value: 'NAME=WORDS', many: true, about: 'a scope and, in plain words, what it lets a client do: read="Read your notes"' } },
    run: ({ operands: [identifier], given, json }) => withRegistry(json, async ({ admin, actor }) =>
      answerWith(await admin.resources.create({ identifier: identifier!, ...settingsOf(given), scopes: given.scope?.map(scopeOf) }, actor))),
  }),
  command({
    name: 'resource-servers update',
    about: 'changes what is given, and leaves the rest',
    operands: ['<resource>'],
    options: SETTINGS,
    run: ({ operands: [name], given, json }) => withRegistry(json, async (registry) => {
      const changes = settingsOf(given);
      if (Object.keys(changes).length === 0) throw new UsageError('nothing to change: give an option such as --ttl');
      return answerWith(await registry.admin.resources.update(await identifierOf(name!, registry), changes, registry.actor));
    }),
  }),
  command({
    name: 'resource-servers delete',
    about: 'removes a resource server that no client holds scopes of',
    operands: ['<resource>'],
    options: { yes: { about: 'does so' } },
    run: ({ operands: [name], given, json }) => withRegistry(json, async (registry) => {
      const { identifier } = await registry.admin.resources.get(await identifierOf(name!, registry));
      if (!given.yes) throw new UsageError(`this removes ${identifier} and its scopes; to do so: tandem resource-servers delete ${identifier} --yes`);
      await registry.admin.resources.remove(identifier, registry.actor);
      return { json: { identifier, deleted: true }, text: `${identifier} is deleted` };
    }),
  }),
];

function settingsOf({ name, audience, format, alg, ttl }: { readonly [Name in keyof typeof SETTINGS]: string | undefined }) {
  const settings = {
    name,
    audience,
    format: oneOf('--format', ['opaque', 'jwt'], format),
    algorithm: alg as ResourceServer['algorithm'] | undefined,
    ttl: seconds('--ttl', ttl),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Partial<typeof settings>;
}

function scopeOf(text: string) {
  const split = text.indexOf('=');
  if (split < 1) throw new UsageError(`--scope must be a name and words, such as read="Read your notes"; languages and levels come by tandem scopes put`);
  return { name: text.slice(0, split), description: { en: text.slice(split + 1) }, level: 1 as const };
}

function answerWith(server: ResourceServer, used?: { readonly clients: readonly string[]; readonly count: number }) {
  const { id, identifier, name, origin, audience, format, algorithm, ttl, scopes, updatedAt } = server;
  const text = [
    fields([
      ['identifier', identifier], ['id', id], ['name', name], ['origin', origin], ['audience', audience],
      ['tokens', format === 'jwt' ? `JWT, signed with ${algorithm}` : 'opaque'], ['life', `${ttl} s`], ['changed', updatedAt === undefined ? undefined : instant(updatedAt)],
      ['used by', used && (used.count === 0 ? 'no client' : `${count(used.count, 'client')}: ${used.clients.join(', ')}${used.count > used.clients.length ? ', …' : ''}`)],
    ]),
    '',
    scopeTable(server),
  ].join('\n');
  return { json: { ...resourceServerJson(server), ...(used && { used_by: used }) }, text: scopes.length > 0 ? text : `${text}\ntandem scopes put ${identifier} NAME --description WORDS adds one` };
}

/** The scopes of a resource server for people. */
export function scopeTable({ scopes }: ResourceServer): string {
  const rows = scopes.map(({ name, level, description }) => [name, String(level), description.en ?? '', Object.keys(description).filter((language) => language !== 'en').join(' ')]);
  return table(['scope', 'level', 'what it lets a client do', 'also in'], rows, 'it has no scopes');
}
