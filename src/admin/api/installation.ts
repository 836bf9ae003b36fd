import { z } from 'zod';
import type { AuditEvent } from '../../audit/store.ts';
import type { KeyDescription } from '../../keys/service.ts';
import { operation, type Api } from '../../lib/http/operation.ts';
import { documentSchema } from '../apply/document.ts';
import type { ApplyDocument } from '../apply/types.ts';
import type { AdminService } from '../types.ts';
import { instant, instantShape, nextCursor, pageQuery } from './shapes.ts';

const callers = 'administrators';
const flag = z.stringbool({ truthy: ['true'], falsy: ['false'] }).optional();
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)).optional();

const keyShape = z.object({
  kid: z.string(),
  purpose: z.string(),
  state: z.enum(['active', 'next', 'retired']),
  created_at: instantShape,
  activates_at: instantShape.nullable().describe('When it begins to sign, where a rotation was ordered'),
  activated_at: instantShape.nullable(),
  retired_at: instantShape.nullable(),
  ends_at: instantShape.nullable().describe('When it will be deleted'),
});

const eventShape = z.object({
  id: z.int(),
  at: instantShape,
  name: z.string(),
  account_id: z.string().optional(),
  client_id: z.string().optional(),
  device_id: z.string().optional(),
  transaction_id: z.string().optional(),
  address: z.string().optional(),
  data: z.record(z.string(), z.unknown()).describe('What else is known: `actor`, who did it, and `before` and `after` where something changed'),
});

const stepShape = z.object({
  action: z.enum(['create', 'update', 'remove', 'unchanged']),
  kind: z.enum(['resource_server', 'scope', 'client']),
  id: z.string(),
  changes: z.record(z.string(), z.object({ before: z.unknown(), after: z.unknown() })).optional(),
  secret: z.string().optional().describe('Of a client that was made; told this once'),
});

const at = (instantOf: number | undefined) => (instantOf === undefined ? null : instant(instantOf));

const keyOf = ({ kid, purpose, state, createdAt, activatesAt, activatedAt, retiredAt, endsAt }: KeyDescription): z.input<typeof keyShape> => ({
  kid,
  purpose,
  state,
  created_at: instant(createdAt),
  activates_at: at(activatesAt),
  activated_at: at(activatedAt),
  retired_at: at(retiredAt),
  ends_at: at(endsAt),
});

const eventOf = ({ id, at: when, name, accountId, clientId, deviceId, transactionId, address, data }: AuditEvent): z.input<typeof eventShape> => ({
  id,
  at: instant(when),
  name,
  account_id: accountId,
  client_id: clientId,
  device_id: deviceId,
  transaction_id: transactionId,
  address,
  data: { ...data },
});

/** The operations on the installation as a whole: its keys, what happened, and what it should be. */
export function installationOperations(api: Api, { keys, audit, apply }: AdminService): void {
  operation(api, {
    method: 'GET', path: '/api/admin/keys', operationId: 'listKeys', tag: 'Keys', summary: 'List the keys of the provider', callers, scope: 'admin:keys:list',
    answer: z.object({ keys: z.array(keyShape) }),
  }, async () => ({ keys: (await keys.list()).map(keyOf) }));

  operation(api, {
    method: 'POST', path: '/api/admin/keys/rotate', operationId: 'rotateKeys', tag: 'Keys', summary: 'Replace the keys of the provider by the next ones', callers, scope: 'admin:keys:rotate',
    body: z.strictObject({ now: z.boolean().optional().describe('Before the next ones have been published for long enough, too') }),
    answer: z.object({ activates_at: instantShape }),
  }, async (_ctx, { body: { now }, caller }) => ({ activates_at: instant((await keys.rotate({ now, actor: caller.actor })).activatesAt) }));

  operation(api, {
    method: 'GET', path: '/api/admin/audit', operationId: 'listAuditEvents', tag: 'Audit', summary: 'Read the audit log, the newest first', callers, scope: 'admin:audit:list',
    query: pageQuery.extend({
      name: z.string().max(100).optional().describe('A whole name, or the beginning of names: `client.created`, `client.*`'),
      account_id: z.string().max(255).optional(),
      client_id: z.string().max(255).optional(),
      device_id: z.string().max(255).optional(),
      transaction_id: z.string().max(255).optional(),
      since: time.describe('From this instant on (RFC 3339)'),
      until: time.describe('Before this instant (RFC 3339)'),
    }),
    answer: z.object({ events: z.array(eventShape), ...nextCursor }),
  }, async (_ctx, { query: { limit, cursor, account_id: accountId, client_id: clientId, device_id: deviceId, transaction_id: transactionId, ...query } }) => {
    const page = await audit.list({ ...query, accountId, clientId, deviceId, transactionId }, { ...(limit !== undefined && { limit }), cursor });
    return { events: page.events.map(eventOf), ...(page.cursor !== undefined && { next_cursor: page.cursor }) };
  });

  operation(api, {
    method: 'POST', path: '/api/admin/apply', operationId: 'apply', tag: 'Registry', summary: 'Make clients and resource servers what a document says', callers, scope: 'admin:registry:apply',
    description: 'Each step is a change of its own: where one is refused, those before it stay, and the document can be sent again.',
    query: z.strictObject({
      dry_run: flag.describe('Only tells what it would do'),
      prune: flag.describe('Takes away the clients, scopes and resource servers of the registry that the document does not name; clients that registered themselves stay'),
    }),
    body: documentSchema, maxBody: 2 * 1024 * 1024, answer: z.object({ dry_run: z.boolean(), steps: z.array(stepShape) }), errors: ['conflict', 'insufficient_scope'],
  }, async (_ctx, { query: { dry_run: dryRun, prune }, body, caller }) => {
    const result = await apply(body as ApplyDocument, caller.actor, { dryRun, prune });
    return { dry_run: result.dryRun, steps: result.steps.map((step) => ({ ...step, changes: step.changes && { ...step.changes } })) };
  });
}
