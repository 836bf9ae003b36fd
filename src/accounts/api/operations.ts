import { z } from 'zod';
import { operation, type Api } from '../../lib/http/operation.ts';
import { CREATE_ACCOUNTS } from './scopes.ts';
import type { AccountCreation } from './service.ts';

const EXAMPLE = '4f9d1f0e-6d0c-4a5e-9a8b-0c2f6f1e7a31';

/** Declares `POST /api/accounts`. */
export function accountOperations(api: Api, accounts: Pick<AccountCreation, 'create'>): void {
  operation(
    api,
    {
      method: 'POST',
      path: '/api/accounts',
      operationId: 'createAccount',
      tag: 'accounts',
      summary: 'Make the account of a person who registers with the client',
      description:
        'The account has no password: its person signs in by the phone that the client enrols next, and may set one later. The client looks after the account from then on. '
        + 'A request with an Idempotency-Key may be sent again for 24 hours: it makes one account, and is answered alike.',
      callers: 'clients',
      scope: CREATE_ACCOUNTS,
      headers: z.object({
        'Idempotency-Key': z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters').optional(),
      }),
      body: z.strictObject({
        email: z.string().min(3).max(254),
        name: z.string().max(100).optional(),
        locale: z.string().max(35).optional().meta({ description: 'The language in which the person is written to (BCP 47)' }),
      }),
      answer: z.object({
        account: z.string().meta({ description: 'The subject by which the client, and its sector, know the account' }),
        email: z.string(),
      }),
      status: 201,
      errors: ['conflict', 'rate_limited'],
      example: {
        body: { email: 'ada@example.com', name: 'Ada', locale: 'en' },
        answer: { account: EXAMPLE, email: 'ada@example.com' },
      },
    },
    async (_ctx, { body, headers, caller: { clientId, actor } }) => {
      const { subject } = await accounts.create({ ...body, clientId, actor, key: headers['Idempotency-Key'] });
      return { account: subject, email: body.email.trim() };
    },
  );
}
