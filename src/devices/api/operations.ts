import qrcode from 'qrcode';
import { z } from 'zod';
import { operation, type Api, type ApiCaller } from '../../lib/http/operation.ts';
import { ENROLMENT_SCOPE } from './scopes.ts';
import { POLL_SECONDS, type ClientEnrolment, type EnrolmentApi } from './service.ts';

const PATH = '/omi/qr/enrol';
const TAG = 'enrolment';
const EXAMPLE = '7d0f3a52-1f0b-4a58-8a8e-6b1f3c9d2e44';

const started = z.object({
  qrCode: z.string().meta({ description: 'A PNG in base64, to be shown behind data:image/png;base64,' }),
  enrolmentId: z.string(),
  enrolmentUri: z.string().meta({ description: 'What the QR code says: a link for a person who is on the phone already' }),
  expiresIn: z.int().meta({ description: 'Seconds' }),
  interval: z.int().meta({ description: 'Seconds between two questions for the status' }),
  statusUri: z.string(),
  confirmUri: z.string(),
});

const status = z.object({
  enrolmentId: z.string(),
  status: z.enum(['pending', 'scanned', 'enrolled', 'expired', 'cancelled']),
  expiresIn: z.int().meta({ description: 'Seconds until the QR code, or the confirm code, runs out; 0 once ended' }),
  confirmCodeRequired: z.boolean().meta({ description: 'The phone shows six digits, which the person types where the QR code was shown' }),
  triesLeft: z.int().optional(),
  device: z.object({ name: z.string(), platform: z.string(), userVerifying: z.boolean() }).optional(),
  reason: z.enum(['wrong_codes', 'cancelled']).optional().meta({ description: 'Why it was cancelled' }),
});

const named = z.strictObject({ enrolmentId: z.string().max(100) });
const code = z.string().max(20).transform((typed) => typed.replace(/[\s-]/g, ''));

/** Declares the enrolment API. */
export function enrolmentOperations(api: Api, { issuer }: { issuer: string }, enrolments: EnrolmentApi): void {
  const common = { tag: TAG, callers: 'clients' } as const;
  const example = { enrolmentId: EXAMPLE, status: 'pending', expiresIn: 287, confirmCodeRequired: false };

  operation(
    api,
    {
      ...common,
      method: 'POST',
      path: PATH,
      operationId: 'enrolPhone',
      summary: 'Make a QR code for the first phone of an account that the client looks after',
      description:
        'The phone makes its keys itself; the QR code bears a ticket for one use within five minutes. What was under way for the account before is cancelled. '
        + 'An account that has a phone or an authenticator app, or whose person has chosen a password since the client has had it, is 409, with account_url: there it vouches for a phone itself.',
      scope: ENROLMENT_SCOPE.enrol,
      body: z.strictObject({ account: z.string().meta({ description: 'The subject by which the client knows the account' }) }),
      answer: started,
      errors: ['not_found', 'conflict', 'rate_limited'],
      example: { body: { account: EXAMPLE } },
    },
    async (ctx, { body, caller: { clientId } }) => {
      const { id, link, expiresIn } = await enrolments.start(clientId, body.account, ctx.ip);
      const png = await qrcode.toBuffer(link, { type: 'png', errorCorrectionLevel: 'M', margin: 4, scale: 8 });
      return {
        qrCode: png.toString('base64'),
        enrolmentId: id,
        enrolmentUri: link,
        expiresIn,
        interval: POLL_SECONDS,
        statusUri: `${issuer}${PATH}/status?enrolmentId=${id}`,
        confirmUri: `${issuer}${PATH}/confirm`,
      };
    },
  );

  const asked = {
    ...common,
    path: `${PATH}/status`,
    description: 'pending, then scanned once the phone has read the QR code, then enrolled; or expired, or cancelled. Ask no more often than the interval that was told: sooner is 429.',
    scope: ENROLMENT_SCOPE.status,
    answer: status,
    errors: ['not_found', 'slow_down'] as const,
    example: { answer: example },
  };
  const tell = async ({ clientId }: ApiCaller, { enrolmentId }: z.output<typeof named>) => wire(await enrolments.status(clientId, enrolmentId));

  operation(api, { ...asked, method: 'GET', operationId: 'getEnrolmentStatus', summary: 'How far an enrolment is', query: named }, (_ctx, { query, caller }) =>
    tell(caller, query));

  operation(api, { ...asked, method: 'POST', operationId: 'postEnrolmentStatus', summary: 'How far an enrolment is, asked by POST', body: named, bodyTypes: ['json', 'form'] }, (_ctx, { body, caller }) =>
    tell(caller, body));

  operation(
    api,
    {
      ...common,
      method: 'POST',
      path: `${PATH}/confirm`,
      operationId: 'confirmEnrolment',
      summary: 'Take the confirm code that the phone shows',
      description: 'Six digits, typed by the person where the QR code was shown; after three wrong ones the enrolment is cancelled.',
      scope: ENROLMENT_SCOPE.enrol,
      body: named.extend({ code }),
      answer: status,
      errors: ['not_found', 'invalid_code', 'expired', 'already_claimed', 'conflict'],
      example: { body: { enrolmentId: EXAMPLE, code: '318204' }, answer: { ...example, status: 'enrolled', expiresIn: 0 } },
    },
    async (ctx, { body, caller: { clientId } }) => wire(await enrolments.confirm(clientId, body.enrolmentId, body.code, ctx.ip)),
  );

  operation(
    api,
    {
      ...common,
      method: 'POST',
      path: `${PATH}/cancel`,
      operationId: 'cancelEnrolment',
      summary: 'End an enrolment that is under way',
      scope: ENROLMENT_SCOPE.enrol,
      body: named,
      answer: status,
      errors: ['not_found'],
      example: { body: { enrolmentId: EXAMPLE }, answer: { ...example, status: 'cancelled', expiresIn: 0, reason: 'cancelled' } },
    },
    async (ctx, { body, caller: { clientId } }) => wire(await enrolments.cancel(clientId, body.enrolmentId, ctx.ip)),
  );
}

/** The schema leaves out what else is known of the device. */
function wire({ id, ...enrolment }: ClientEnrolment) {
  return { enrolmentId: id, ...enrolment };
}
