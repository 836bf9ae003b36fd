import type { RegisteredClient } from '../../index.ts';
import { UsageError, command, type Command } from '../command-line/command.ts';
import { PAGE, more, pages } from '../command-line/pages.ts';
import { seconds } from '../command-line/read.ts';
import { fields, instant, iso, table } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';
import { METADATA, metadataOf, withoutBrowser } from './client-metadata.ts';
import { privateKeyText } from './client-keys.ts';
import { clientJson, newSecretJson } from './shapes.ts';

/** `tandem clients …`: the relying sites, apps and services of the registry. */
export const clients: readonly Command[] = [
  command({
    name: 'clients list',
    about: 'lists the clients of the registry',
    options: { search: { value: 'TEXT', about: 'part of a client id or name' }, ...PAGE },
    run: ({ given, json }) => withRegistry(json, async ({ admin }) => {
      const { items, cursor } = await pages(given, async (page) => {
        const found = await admin.clients.list({ search: given.search }, page);
        return { items: found.clients, ...(found.cursor !== undefined && { cursor: found.cursor }) };
      });
      const rows = items.map((client) => [client.clientId, nameOf(client), grantTypesOf(client).join(' '), iso(client.updatedAt).slice(0, 10)]);
      return {
        json: { clients: items.map(clientJson), ...(cursor !== undefined && { next_cursor: cursor }) },
        text: table(['client', 'name', 'grant types', 'changed'], rows, 'there are no clients in the registry') + more(cursor),
      };
    }),
  }),
  command({
    name: 'clients show',
    about: 'tells all about a client',
    operands: ['<client>'],
    run: ({ operands: [id], json }) => withRegistry(json, async ({ admin }) => answerWith(await admin.clients.get(id!))),
  }),
  command({
    name: 'clients create',
    about: 'registers a client; its secret is printed once',
    options: { id: { value: 'ID', about: 'its client id; a random one unless given' }, ...METADATA, 'generate-key': { value: 'ALG', about: 'makes a key pair for private_key_jwt: ES256, RS256, PS256 or EdDSA' } },
    run: ({ given, json }) => withRegistry(json, async (registry) => {
      const { admin, actor, issuer } = registry;
      const metadata = withoutBrowser(await metadataOf(given, registry));
      const asked = { ...metadata, ...(given.id !== undefined && { client_id: given.id }) };
      const { client, secret, privateKey } = await admin.clients.create(asked, actor, { generateKey: given['generate-key'] });
      return {
        json: {
          ...clientJson(client),
          ...(secret && { client_secret: secret.value, client_secret_expires_at: secret.expiresAt === undefined ? 0 : Math.floor(secret.expiresAt / 1000) }),
          ...(privateKey && { private_key: privateKey }),
        },
        text: [
          `registered ${nameOf(client)}`,
          '',
          fields([['ISSUER', issuer], ['CLIENT_ID', client.clientId], ['CLIENT_SECRET', secret?.value]]),
          ...(secret ? ['', 'The secret is not shown again.'] : []),
          ...(privateKey ? ['', privateKeyText(privateKey)] : []),
        ].join('\n'),
      };
    }),
  }),
  command({
    name: 'clients update',
    about: 'changes what is given, and leaves the rest',
    operands: ['<client>'],
    options: { ...METADATA, unset: { value: 'MEMBER', many: true, about: 'metadata to be taken away, such as logo_uri' } },
    run: ({ operands: [id], given, json }) => withRegistry(json, async (registry) => {
      const changes = await metadataOf(given, registry, id);
      for (const member of given.unset ?? []) changes[member] = null;
      if (Object.keys(changes).length === 0) throw new UsageError('nothing to change: give an option such as --name, or --metadata FILE');
      return answerWith(await registry.admin.clients.update(id!, changes, registry.actor));
    }),
  }),
  command({
    name: 'clients delete',
    about: 'ends a client and its tokens; its id is never given again',
    operands: ['<client>'],
    options: { yes: { about: 'does so' } },
    run: ({ operands: [id], given, json }) => withRegistry(json, async ({ admin, actor }) => {
      const client = await admin.clients.get(id!);
      if (!given.yes) throw new UsageError(`this ends ${nameOf(client)} and its tokens, for good; to do so: tandem clients delete ${id} --yes`);
      await admin.clients.remove(id!, actor);
      return { json: { client_id: id, deleted: true }, text: `${id} is deleted, and its tokens are worth nothing` };
    }),
  }),
  command({
    name: 'clients secrets add',
    about: 'makes another secret, printed once; two count at a time',
    operands: ['<client>'],
    options: { 'end-others-in': { value: 'TIME', about: 'when those before end, such as 24h or 0s; without it they last until they are removed' } },
    run: ({ operands: [id], given, json }) => withRegistry(json, async ({ admin, actor }) => {
      const secret = await admin.clients.addSecret(id!, { endOthersIn: seconds('--end-others-in', given['end-others-in']) }, actor);
      return { json: newSecretJson(secret), text: `${fields([['SECRET_ID', secret.id], ['CLIENT_SECRET', secret.value]])}\n\nThe secret is not shown again.` };
    }),
  }),
  command({
    name: 'clients secrets remove',
    about: 'ends a secret at once',
    operands: ['<client>', '<secret-id>'],
    run: ({ operands: [id, secret], json }) => withRegistry(json, async ({ admin, actor }) => {
      await admin.clients.removeSecret(id!, secret!, actor);
      return { json: { client_id: id, id: secret, removed: true }, text: `${secret} counts no more` };
    }),
  }),
];

function nameOf({ clientId, metadata }: RegisteredClient): string {
  return typeof metadata['client_name'] === 'string' ? metadata['client_name'] : clientId;
}

function grantTypesOf({ metadata }: RegisteredClient): readonly string[] {
  const types = metadata['grant_types'];
  return Array.isArray(types) ? types.map((type) => String(type).split(':').at(-1)!) : ['authorization_code'];
}

function answerWith(client: RegisteredClient) {
  const { clientId, metadata, origin, secrets, keys, createdAt, updatedAt } = client;
  const members = Object.entries(metadata).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const);
  const text = [
    fields([['client_id', clientId], ['registered by', origin === 'registration' ? 'itself' : 'an administrator'], ['registered', instant(createdAt)], ['changed', instant(updatedAt)], ...members]),
    ...secrets.map(({ id, createdAt: made, expiresAt }) => `secret ${id}  made ${instant(made)}${expiresAt === undefined ? '' : `  ends ${instant(expiresAt)}`}`),
    ...keys.map(({ kid, algorithm, generated, createdAt: made }) => `key ${kid}  ${algorithm}  ${generated ? 'made here' : 'uploaded'} ${instant(made)}`),
  ].join('\n');
  return { json: clientJson(client), text };
}
