import type { Scope } from '../../index.ts';
import { UsageError, command, type Command } from '../command-line/command.ts';
import { level } from '../command-line/read.ts';
import { count } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';
import { identifierOf } from './client-metadata.ts';
import { scopeTable } from './resource-servers.ts';
import { resourceServerJson } from './shapes.ts';

/** `tandem scopes …`: what the scopes of a resource server are called, and which level they take. */
export const scopes: readonly Command[] = [
  command({
    name: 'scopes list',
    about: 'lists the scopes of a resource server; `api` stands for the provider’s own',
    operands: ['<resource>'],
    run: ({ operands: [resource], json }) => withRegistry(json, async (registry) => {
      const server = await registry.admin.resources.get(await identifierOf(resource!, registry));
      return { json: { identifier: server.identifier, scopes: server.scopes }, text: scopeTable(server) };
    }),
  }),
  command({
    name: 'scopes put',
    about: 'adds a scope, or changes it',
    operands: ['<resource>', '<scope>'],
    options: {
      description: { value: '[LANGUAGE=]WORDS', many: true, about: 'in plain words what it lets a client do; English unless de=…, fr=…, nl=…' },
      level: { value: '1|2', about: '2 where only who signed in with two factors gets it' },
    },
    run: ({ operands: [resource, name], given, json }) => withRegistry(json, async (registry) => {
      const { admin, actor } = registry;
      const identifier = await identifierOf(resource!, registry);
      const before = (await admin.resources.get(identifier)).scopes.find((scope) => scope.name === name);
      const description = { ...before?.description, ...wordsOf(given.description ?? []) };
      if (description.en === undefined) throw new UsageError('--description must say in English what the scope lets a client do');
      const scope: Scope = { name: name!, description: { ...description, en: description.en }, level: level(given.level) ?? before?.level ?? 1 };
      const server = await admin.resources.putScope(identifier, scope, actor);
      return { json: resourceServerJson(server), text: scopeTable(server) };
    }),
  }),
  command({
    name: 'scopes delete',
    about: 'removes a scope that no client holds',
    operands: ['<resource>', '<scope>'],
    run: ({ operands: [resource, name], json }) => withRegistry(json, async (registry) => {
      const server = await registry.admin.resources.removeScope(await identifierOf(resource!, registry), name!, registry.actor);
      return { json: resourceServerJson(server), text: `${name} is deleted` };
    }),
  }),
  command({
    name: 'scopes used-by',
    about: 'tells which clients hold a scope, or any scope of a resource server',
    operands: ['<resource>', '[scope]'],
    run: ({ operands: [resource, name], json }) => withRegistry(json, async (registry) => {
      const { clients, count: all } = await registry.admin.resources.usedBy(await identifierOf(resource!, registry), name, { limit: 200 });
      return { json: { clients, count: all }, text: [count(all, 'client'), ...clients].join('\n') };
    }),
  }),
];

function wordsOf(given: readonly string[]): Partial<Scope['description']> {
  return Object.fromEntries(given.map((text) => {
    const [, language = 'en', words = ''] = /^(?:([A-Za-z]{2,3}(?:-[A-Za-z\d]{2,8})*)=)?(.*)$/s.exec(text) ?? [];
    return [language, words];
  }));
}
