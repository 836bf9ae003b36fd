import { z } from 'zod';
import { operation, type Api } from '../../lib/http/operation.ts';
import { newResourceServerSchema, resourceServerChangesSchema, scopeSchema } from '../../resources/schema.ts';
import type { ResourceServer } from '../../resources/types.ts';
import type { AdminService } from '../types.ts';
import { instant, instantShape } from './shapes.ts';

const path = '/api/admin/resource-servers';
const callers = 'administrators';
const tag = 'Resource servers';
const params = z.object({ id: z.string().min(1).max(255).describe('Its id, or its identifier') });
/** Bytes: a thousand scopes with words in several languages. */
const MAX_BODY = 1024 * 1024;

const scopeShape = z.object({ name: z.string(), description: z.record(z.string(), z.string()), level: z.union([z.literal(1), z.literal(2)]) });

const shape = z.object({
  id: z.string(),
  identifier: z.string().describe('The resource indicator (RFC 8707 §2)'),
  name: z.string(),
  origin: z.enum(['built-in', 'configuration', 'registry']).describe('Of Tandem, of the options of the program around it, or of the registry, which alone can be changed'),
  audience: z.string(),
  format: z.enum(['opaque', 'jwt']),
  algorithm: z.string(),
  ttl: z.int().describe('Seconds'),
  scopes: z.array(scopeShape),
  created_at: instantShape.nullable(),
  updated_at: instantShape.nullable(),
});

function serverOf({ createdAt, updatedAt, scopes, ...server }: ResourceServer): z.input<typeof shape> {
  return {
    ...server,
    scopes: scopes.map(({ name, description, level }) => ({ name, description, level })),
    created_at: createdAt === undefined ? null : instant(createdAt),
    updated_at: updatedAt === undefined ? null : instant(updatedAt),
  };
}

/** The operations on resource servers and their scopes. */
export function resourceServerOperations(api: Api, { resources }: AdminService): void {
  operation(api, {
    method: 'GET', path, operationId: 'listResourceServers', tag, summary: 'List resource servers', callers, scope: 'admin:resource-servers:list',
    description: 'All of them, on one page: those of Tandem, of the program around it, and of the registry.',
    answer: z.object({ resource_servers: z.array(shape) }),
  }, async () => ({ resource_servers: (await resources.list()).map(serverOf) }));

  operation(api, {
    method: 'POST', path, operationId: 'createResourceServer', tag, summary: 'Add a resource server', callers, scope: 'admin:resource-servers:create',
    body: newResourceServerSchema, maxBody: MAX_BODY, answer: shape, status: 201, errors: ['conflict'],
    example: { body: { identifier: 'https://api.example.com', scopes: [{ name: 'orders:read', description: { en: 'Read your orders' } }] } },
  }, async (_ctx, { body, caller }) => serverOf(await resources.create(body, caller.actor)));

  operation(api, {
    method: 'GET', path: `${path}/:id`, operationId: 'getResourceServer', tag, summary: 'Read a resource server', callers, scope: 'admin:resource-servers:read',
    params, answer: shape, errors: ['not_found'],
  }, async (_ctx, { params: { id } }) => serverOf(await resources.get(id)));

  operation(api, {
    method: 'PATCH', path: `${path}/:id`, operationId: 'updateResourceServer', tag, summary: 'Change a resource server', callers, scope: 'admin:resource-servers:update',
    params, body: resourceServerChangesSchema, answer: shape, errors: ['not_found', 'conflict'],
  }, async (_ctx, { params: { id }, body, caller }) => serverOf(await resources.update(id, body, caller.actor)));

  operation(api, {
    method: 'DELETE', path: `${path}/:id`, operationId: 'deleteResourceServer', tag, summary: 'Delete a resource server that no client uses', callers, scope: 'admin:resource-servers:delete',
    params, errors: ['not_found', 'conflict'],
  }, async (_ctx, { params: { id }, caller }) => resources.remove(id, caller.actor));

  operation(api, {
    method: 'GET', path: `${path}/:id/used-by`, operationId: 'getResourceServerUse', tag, summary: 'See which clients hold scopes of a resource server', callers, scope: 'admin:resource-servers:used-by',
    params, errors: ['not_found'],
    query: z.strictObject({ scope: z.string().max(100).optional().describe('This scope alone'), limit: z.coerce.number().int().min(1).max(200).optional().describe('Name at most so many; 20 unless told otherwise') }),
    answer: z.object({ clients: z.array(z.string()).describe('Client ids'), count: z.int().describe('How many there are in all') }),
  }, async (_ctx, { params: { id }, query: { scope, limit } }) => {
    const { identifier } = await resources.get(id);
    const { clients, count } = await resources.usedBy(identifier, scope, { ...(limit !== undefined && { limit }) });
    return { clients: [...clients], count };
  });

  operation(api, {
    method: 'PUT', path: `${path}/:id/scopes/:name`, operationId: 'putScope', tag: 'Scopes', summary: 'Add or change a scope', callers, scope: 'admin:scopes:put',
    params: params.extend({ name: z.string().min(1).max(100) }), body: scopeSchema.omit({ name: true }), answer: shape, errors: ['not_found', 'conflict'],
    example: { body: { description: { en: 'Read your orders', de: 'Ihre Bestellungen lesen' }, level: 1 } },
  }, async (_ctx, { params: { id, name }, body, caller }) => serverOf(await resources.putScope(id, { name, ...body }, caller.actor)));

  operation(api, {
    method: 'DELETE', path: `${path}/:id/scopes/:name`, operationId: 'deleteScope', tag: 'Scopes', summary: 'Remove a scope that no client holds', callers, scope: 'admin:scopes:delete',
    params: params.extend({ name: z.string().min(1).max(100) }), answer: shape, errors: ['not_found', 'conflict'],
  }, async (_ctx, { params: { id, name }, caller }) => serverOf(await resources.removeScope(id, name, caller.actor)));
}
