import { z } from 'zod';
import { operation, type Api } from '../../lib/http/operation.ts';
import { LIFE, LONGEST_LABEL, POLICY } from '../../registration/schema.ts';
import type { InitialAccessToken, RegistrationPolicy } from '../../registration/types.ts';
import type { AdminService } from '../types.ts';
import { instant, instantShape, nextCursor, pageQuery } from './shapes.ts';

const path = '/api/admin/registration-tokens';
const callers = 'administrators';
const tag = 'Registration tokens';

const words = z.array(z.string());

/** As it is sent. */
const policyBody = z.strictObject({
  grant_types: POLICY.grantTypes,
  auth_methods: POLICY.authMethods,
  redirect_hosts: POLICY.redirectHosts,
  scopes: POLICY.scopes,
  metadata: POLICY.metadata,
});

const policyShape = z.object({
  grant_types: words.optional(),
  auth_methods: words.optional(),
  redirect_hosts: words.optional(),
  scopes: words.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

const shape = z.object({
  id: z.string(),
  label: z.string(),
  policy: policyShape,
  state: z.enum(['open', 'used', 'revoked', 'expired']),
  created_at: instantShape,
  expires_at: instantShape,
  client_id: z.string().nullable().describe('The client that it registered'),
});

const policyOf = ({ grant_types: grantTypes, auth_methods: authMethods, redirect_hosts: redirectHosts, scopes, metadata }: z.output<typeof policyBody>): RegistrationPolicy => ({
  ...(grantTypes && { grantTypes }),
  ...(authMethods && { authMethods }),
  ...(redirectHosts && { redirectHosts }),
  ...(scopes && { scopes }),
  ...(metadata && { metadata }),
});

function tokenOf({ id, label, policy, state, createdAt, expiresAt, clientId }: InitialAccessToken): z.input<typeof shape> {
  const list = (given: readonly string[] | undefined) => given && [...given];
  return {
    id,
    label,
    policy: {
      grant_types: list(policy.grantTypes),
      auth_methods: list(policy.authMethods),
      redirect_hosts: list(policy.redirectHosts),
      scopes: list(policy.scopes),
      metadata: policy.metadata,
    },
    state,
    created_at: instant(createdAt),
    expires_at: instant(expiresAt),
    client_id: clientId ?? null,
  };
}

/** The operations on the tokens by which clients register themselves. */
export function registrationTokenOperations(api: Api, { registrationTokens }: AdminService): void {
  operation(api, {
    method: 'GET', path, operationId: 'listRegistrationTokens', tag, summary: 'List registration tokens, the newest first', callers, scope: 'admin:registration-tokens:list',
    query: pageQuery, answer: z.object({ registration_tokens: z.array(shape), ...nextCursor }),
  }, async (_ctx, { query }) => {
    const { tokens, cursor } = await registrationTokens.list(query);
    return { registration_tokens: tokens.map(tokenOf), ...(cursor !== undefined && { next_cursor: cursor }) };
  });

  operation(api, {
    method: 'POST', path, operationId: 'createRegistrationToken', tag, summary: 'Make a token by which one client registers itself', callers, scope: 'admin:registration-tokens:create',
    body: z.strictObject({
      label: z.string().max(LONGEST_LABEL).optional().describe('What administrators see'),
      expires_in: z.int().min(LIFE.shortest).max(LIFE.longest).optional().describe('Seconds; a day unless told otherwise'),
      policy: policyBody.optional().describe('What the client may ask for, and what it is given; a member that is absent forbids nothing, but gives nothing either'),
    }),
    answer: shape.extend({ initial_access_token: z.string().describe('Told this once (RFC 7591 §1.2)') }), status: 201, errors: ['insufficient_scope'],
  }, async (_ctx, { body: { label, expires_in: expiresIn, policy }, caller }) => {
    const { token, value } = await registrationTokens.create({ label, expiresIn, policy: policy && policyOf(policy) }, caller.actor);
    return { ...tokenOf(token), initial_access_token: value };
  });

  operation(api, {
    method: 'DELETE', path: `${path}/:id`, operationId: 'revokeRegistrationToken', tag, summary: 'Revoke a registration token', callers, scope: 'admin:registration-tokens:revoke',
    params: z.object({ id: z.string().min(1).max(255) }), errors: ['not_found', 'conflict'],
  }, async (_ctx, { params: { id }, caller }) => registrationTokens.revoke(id, caller.actor));
}
