import { z } from 'zod';
import { clientChangesSchema, KEY_ALGORITHMS, newClientSchema } from '../../clients/schema.ts';
import { operation, type Api } from '../../lib/http/operation.ts';
import type { AdminService } from '../types.ts';
import { clientOf, clientShape, jwkShape, nextCursor, pageQuery } from './shapes.ts';

const path = '/api/admin/clients';
const tag = 'Clients';
const callers = 'administrators';
const params = z.object({ id: z.string().min(1).max(255) });

/** A key pair is asked for beside the metadata; a host may have members of its own, which the registry knows. */
const creation = newClientSchema.extend({
  generate_key: z.enum(KEY_ALGORITHMS).optional().describe('Makes a key pair, whose public part the provider hosts, and answers the private one'),
}).loose();

const made = clientShape.extend({
  client_secret: z.string().optional().describe('Told this once'),
  client_secret_expires_at: z.int().optional().describe('0 where it lasts (RFC 7591 §3.2.1)'),
  private_key: jwkShape.optional().describe('Told this once, and kept nowhere'),
});

/** The operations on clients. */
export function clientOperations(api: Api, { clients }: AdminService): void {
  operation(api, {
    method: 'GET', path, operationId: 'listClients', tag, summary: 'List clients, the newest first', callers, scope: 'admin:clients:list',
    query: pageQuery.extend({ search: z.string().max(200).optional().describe('Part of a client id or name') }),
    answer: z.object({ clients: z.array(clientShape), ...nextCursor }),
  }, async (_ctx, { query: { search, ...page } }) => {
    const { clients: found, cursor } = await clients.list({ search }, page);
    return { clients: found.map(clientOf), ...(cursor !== undefined && { next_cursor: cursor }) };
  });

  operation(api, {
    method: 'POST', path, operationId: 'createClient', tag, summary: 'Register a client', callers, scope: 'admin:clients:create',
    description: 'Takes metadata of RFC 7591 §2 and of Tandem. Where the method of authentication takes a secret, one is made.',
    body: creation, answer: made, status: 201, errors: ['conflict', 'insufficient_scope'],
    example: { body: { client_name: 'Till', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], tandem_resources: { 'https://api.example.com': ['orders:read'] } } },
  }, async (_ctx, { body: { generate_key: generateKey, ...metadata }, caller }) => {
    const { client, secret, privateKey } = await clients.create(metadata, caller.actor, { generateKey });
    return {
      ...clientOf(client),
      ...(secret && { client_secret: secret.value, client_secret_expires_at: secret.expiresAt === undefined ? 0 : Math.floor(secret.expiresAt / 1000) }),
      ...(privateKey && { private_key: privateKey as z.input<typeof jwkShape> }),
    };
  });

  operation(api, {
    method: 'GET', path: `${path}/:id`, operationId: 'getClient', tag, summary: 'Read a client', callers, scope: 'admin:clients:read',
    params, answer: clientShape, errors: ['not_found'],
  }, async (_ctx, { params: { id } }) => clientOf(await clients.get(id)));

  operation(api, {
    method: 'PATCH', path: `${path}/:id`, operationId: 'updateClient', tag, summary: 'Change the metadata of a client', callers, scope: 'admin:clients:update',
    description: 'Members that are sent replace those before; null takes one away (RFC 7396).',
    params, body: clientChangesSchema.loose(), answer: clientShape, errors: ['not_found', 'conflict', 'insufficient_scope'],
    example: { body: { client_name: 'Till at the door', logo_uri: null } },
  }, async (_ctx, { params: { id }, body, caller }) => clientOf(await clients.update(id, body, caller.actor)));

  operation(api, {
    method: 'DELETE', path: `${path}/:id`, operationId: 'deleteClient', tag, summary: 'Delete a client', callers, scope: 'admin:clients:delete',
    description: 'Its tokens count for nothing from then on, and its id is never given again.',
    params, errors: ['not_found', 'insufficient_scope'],
  }, async (_ctx, { params: { id }, caller }) => clients.remove(id, caller.actor));
}
