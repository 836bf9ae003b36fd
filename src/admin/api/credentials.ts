import { z } from 'zod';
import { KEY_ALGORITHMS, LONGEST_OVERLAP } from '../../clients/schema.ts';
import { operation, type Api } from '../../lib/http/operation.ts';
import type { AdminService } from '../types.ts';
import { instant, instantShape, jwkShape, keyOf, keyShape } from './shapes.ts';

const path = '/api/admin/clients/:id';
const callers = 'administrators';
const id = z.string().min(1).max(255);
const params = z.object({ id });

/** The operations on the secrets and keys of clients. */
export function credentialOperations(api: Api, { clients }: AdminService): void {
  operation(api, {
    method: 'POST', path: `${path}/secrets`, operationId: 'addClientSecret', tag: 'Client secrets', summary: 'Make another secret for a client', callers, scope: 'admin:client-secrets:create',
    description: 'At most two count at a time: make one, have the client use it, remove the one before.',
    params, status: 201, errors: ['not_found', 'conflict', 'insufficient_scope'],
    body: z.strictObject({ end_others_in: z.int().min(0).max(LONGEST_OVERLAP).optional().describe('Seconds after which the ones before end; they last unless told otherwise') }),
    answer: z.object({ id: z.string(), client_secret: z.string().describe('Told this once'), expires_at: instantShape.nullable() }),
  }, async (_ctx, { params: { id: clientId }, body, caller }) => {
    const secret = await clients.addSecret(clientId, { endOthersIn: body.end_others_in }, caller.actor);
    return { id: secret.id, client_secret: secret.value, expires_at: secret.expiresAt === undefined ? null : instant(secret.expiresAt) };
  });

  operation(api, {
    method: 'DELETE', path: `${path}/secrets/:secret`, operationId: 'removeClientSecret', tag: 'Client secrets', summary: 'End a secret of a client', callers, scope: 'admin:client-secrets:delete',
    params: params.extend({ secret: id }), errors: ['not_found', 'insufficient_scope'],
  }, async (_ctx, { params: { id: clientId, secret }, caller }) => clients.removeSecret(clientId, secret, caller.actor));

  operation(api, {
    method: 'POST', path: `${path}/keys`, operationId: 'addClientKey', tag: 'Client keys', summary: 'Host a public key of a client', callers, scope: 'admin:client-keys:create',
    params, status: 201, errors: ['not_found', 'conflict', 'insufficient_scope'],
    body: z.strictObject({ key: jwkShape.describe('A public key (RFC 7517 §4)') }),
    answer: keyShape,
  }, async (_ctx, { params: { id: clientId }, body, caller }) => keyOf(await clients.addKey(clientId, body.key as never, caller.actor)));

  operation(api, {
    method: 'POST', path: `${path}/keys/generate`, operationId: 'generateClientKey', tag: 'Client keys', summary: 'Make a key pair for a client', callers, scope: 'admin:client-keys:generate',
    description: 'Its public part is hosted; the private one is answered, once, and kept nowhere.',
    params, status: 201, errors: ['not_found', 'conflict', 'insufficient_scope'],
    body: z.strictObject({ algorithm: z.enum(KEY_ALGORITHMS).optional().describe('ES256 unless told otherwise') }),
    answer: z.object({ key: keyShape, private_key: jwkShape }),
  }, async (_ctx, { params: { id: clientId }, body, caller }) => {
    const { key, privateKey } = await clients.generateKey(clientId, body.algorithm, caller.actor);
    return { key: keyOf(key), private_key: privateKey as z.input<typeof jwkShape> };
  });

  operation(api, {
    method: 'DELETE', path: `${path}/keys/:kid`, operationId: 'removeClientKey', tag: 'Client keys', summary: 'Remove a key of a client', callers, scope: 'admin:client-keys:delete',
    params: params.extend({ kid: id }), errors: ['not_found', 'conflict', 'insufficient_scope'],
  }, async (_ctx, { params: { id: clientId, kid }, caller }) => clients.removeKey(clientId, kid, caller.actor));
}
