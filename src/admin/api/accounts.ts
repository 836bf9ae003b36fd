import { z } from 'zod';
import type { Device } from '../../devices/device-store.ts';
import { operation, type Api } from '../../lib/http/operation.ts';
import type { AdminAccount, AdminService } from '../types.ts';
import { instant, instantShape, nextCursor, pageQuery } from './shapes.ts';

const path = '/api/admin/accounts';
const callers = 'administrators';
const tag = 'Accounts';
const params = z.object({ id: z.string().min(1).max(255).describe('Its id, or its e-mail address') });

const shape = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  admin: z.boolean(),
  has_password: z.boolean(),
  phones: z.int(),
  authenticators: z.int(),
  created_at: instantShape.nullable(),
  updated_at: instantShape.nullable(),
  password_changed_at: instantShape.nullable(),
});

const deviceShape = z.object({
  id: z.string(),
  account_id: z.string(),
  name: z.string(),
  platform: z.string().describe('What the phone says it is'),
  user_verifying: z.boolean().describe('Whether a PIN or biometry gates a key of it'),
  level: z.union([z.literal(1), z.literal(2)]).describe('The strongest level that its approvals count as'),
  capped_until: instantShape.nullable(),
  created_at: instantShape,
  last_used_at: instantShape.nullable(),
});

/** Of the accounts of a program around this one nobody has told since when there are any. */
const since = (at: number | undefined) => (at ? instant(at) : null);

const accountOf = ({ id, email, name, admin, password, phones, authenticators, createdAt, updatedAt, passwordChangedAt }: AdminAccount): z.input<typeof shape> => ({
  id,
  email,
  name: name ?? null,
  admin,
  has_password: password,
  phones,
  authenticators,
  created_at: since(createdAt),
  updated_at: since(updatedAt),
  password_changed_at: password ? since(passwordChangedAt) : null,
});

const deviceOf = ({ id, accountId, name, platform, userVerifying, levelCap, cappedUntil, createdAt, lastUsedAt }: Device): z.input<typeof deviceShape> => ({
  id,
  account_id: accountId,
  name,
  platform,
  user_verifying: userVerifying,
  level: userVerifying ? levelCap : 1,
  capped_until: since(cappedUntil),
  created_at: instant(createdAt),
  last_used_at: since(lastUsedAt),
});

/** The operations on accounts, their role and their factors. */
export function accountOperations(api: Api, { accounts }: AdminService): void {
  operation(api, {
    method: 'GET', path, operationId: 'listAccounts', tag, summary: 'List accounts, the newest first', callers, scope: 'admin:accounts:list',
    query: pageQuery.extend({
      search: z.string().max(200).optional().describe('Part of an e-mail address or name'),
      admin: z.stringbool({ truthy: ['true'], falsy: ['false'] }).optional().describe('Administrators alone, or all but those'),
    }),
    answer: z.object({ accounts: z.array(shape), ...nextCursor }),
  }, async (_ctx, { query: { search, admin, ...page } }) => {
    const { accounts: found, cursor } = await accounts.list({ search, admin }, page);
    return { accounts: found.map(accountOf), ...(cursor !== undefined && { next_cursor: cursor }) };
  });

  operation(api, {
    method: 'POST', path, operationId: 'createAccountAsAdministrator', tag, summary: 'Make an account', callers, scope: 'admin:accounts:create',
    description: 'Without a password one is made up, and answered. Administrators are made by administrators alone, not by a client for itself, and take the scope admin:roles:grant, too.',
    body: z.strictObject({
      email: z.string().max(254),
      name: z.string().max(100).optional(),
      password: z.string().max(1000).optional(),
      locale: z.string().max(35).optional().describe('The language in which the person is written to (BCP 47)'),
      admin: z.boolean().optional(),
    }),
    answer: shape.extend({ password: z.string().optional().describe('The one that was made up, told this once') }), status: 201, errors: ['email_taken', 'weak_password', 'access_denied', 'insufficient_scope'],
    example: { body: { email: 'ada@example.com', name: 'Ada', locale: 'en' } },
  }, async (_ctx, { body, caller }) => {
    const { account, password } = await accounts.create(body, caller.actor);
    return { ...accountOf(account), ...(password !== undefined && { password }) };
  });

  operation(api, {
    method: 'GET', path: `${path}/:id`, operationId: 'getAccount', tag, summary: 'Read an account', callers, scope: 'admin:accounts:read',
    params, answer: shape, errors: ['not_found'],
  }, async (_ctx, { params: { id } }) => accountOf(await accounts.get(id)));

  operation(api, {
    method: 'PUT', path: `${path}/:id/roles/admin`, operationId: 'grantAdmin', tag: 'Roles', summary: 'Make a person an administrator', callers, scope: 'admin:roles:grant',
    params, answer: shape, errors: ['not_found', 'conflict', 'access_denied'],
  }, async (_ctx, { params: { id }, caller }) => accountOf(await accounts.setAdmin(id, true, caller.actor)));

  operation(api, {
    method: 'DELETE', path: `${path}/:id/roles/admin`, operationId: 'revokeAdmin', tag: 'Roles', summary: 'Take the role of administrator from a person', callers, scope: 'admin:roles:revoke',
    params, answer: shape, errors: ['not_found', 'conflict', 'access_denied'],
  }, async (_ctx, { params: { id }, caller }) => accountOf(await accounts.setAdmin(id, false, caller.actor)));

  operation(api, {
    method: 'POST', path: `${path}/:id/second-factor/reset`, operationId: 'resetSecondFactor', tag: 'Second factors', summary: 'Take away the second factor of a person who has lost it', callers, scope: 'admin:second-factors:reset',
    description: 'Authenticator apps, recovery codes and, unless told to keep them, phones go, and the account is signed out. The account is told.',
    params, body: z.strictObject({ keep_phones: z.boolean().optional() }), errors: ['not_found', 'access_denied'],
    answer: z.object({ account_id: z.string(), authenticators: z.int(), phones: z.int(), recovery_codes: z.int() }),
  }, async (_ctx, { params: { id }, body, caller }) => {
    const { accountId, authenticators, phones, codes } = await accounts.resetSecondFactor(id, { keepPhones: body.keep_phones }, caller.actor);
    return { account_id: accountId, authenticators, phones, recovery_codes: codes };
  });

  operation(api, {
    method: 'GET', path: `${path}/:id/devices`, operationId: 'listDevices', tag: 'Devices', summary: 'List the phones of a person', callers, scope: 'admin:devices:list',
    params, answer: z.object({ devices: z.array(deviceShape) }), errors: ['not_found'],
  }, async (_ctx, { params: { id } }) => ({ devices: (await accounts.devices(id)).map(deviceOf) }));

  operation(api, {
    method: 'POST', path: '/api/admin/devices/:id/revoke', operationId: 'revokeDevice', tag: 'Devices', summary: 'Lock out a phone', callers, scope: 'admin:devices:revoke',
    params: z.object({ id: z.string().min(1).max(255) }), errors: ['not_found', 'access_denied'],
    body: z.strictObject({ reason: z.enum(['lost', 'retired']).describe('`lost` also ends what the phone has approved, and tells its account') }),
    answer: deviceShape,
  }, async (_ctx, { params: { id }, body: { reason }, caller }) => deviceOf(await accounts.revokeDevice(id, reason, caller.actor)));
}

/** The operations on the accounts that clients look after. */
export function managedAccountOperations(api: Api, { accounts }: AdminService): void {
  const below = '/api/admin/clients/:id/accounts';
  const both = z.object({ id: z.string().min(1).max(255), account: z.string().min(1).max(255).describe('Its id, or its e-mail address') });

  operation(api, {
    method: 'GET', path: below, operationId: 'listManagedAccounts', tag: 'Managed accounts', summary: 'List the accounts that a client looks after', callers, scope: 'admin:managed-accounts:list',
    params: both.omit({ account: true }), query: pageQuery, errors: ['not_found'],
    answer: z.object({ accounts: z.array(z.object({ account_id: z.string(), subject: z.string().describe('By which the client knows it'), since: instantShape })), ...nextCursor }),
  }, async (_ctx, { params: { id }, query }) => {
    const { accounts: found, cursor } = await accounts.managedBy(id, query);
    return { accounts: found.map(({ accountId, subject, since: at }) => ({ account_id: accountId, subject, since: instant(at) })), ...(cursor !== undefined && { next_cursor: cursor }) };
  });

  operation(api, {
    method: 'PUT', path: `${below}/:account`, operationId: 'giveAccount', tag: 'Managed accounts', summary: 'Have a client look after an account', callers, scope: 'admin:managed-accounts:give',
    description: 'The client can then enrol its phone, while it has no second factor. Accounts of administrators are given to nobody.',
    params: both, answer: z.object({ subject: z.string().describe('By which the client knows it') }), errors: ['not_found', 'conflict'],
  }, async (_ctx, { params: { id, account }, caller }) => accounts.giveTo(id, account, caller.actor));

  operation(api, {
    method: 'DELETE', path: `${below}/:account`, operationId: 'takeAccount', tag: 'Managed accounts', summary: 'Take an account from a client', callers, scope: 'admin:managed-accounts:take',
    params: both, errors: ['not_found'],
  }, async (_ctx, { params: { id, account }, caller }) => accounts.takeFrom(id, account, caller.actor));
}
