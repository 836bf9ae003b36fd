import type { Context as KoaContext } from 'koa';
import qrcode from 'qrcode';
import * as z from 'zod';
import type { AppError } from '../../errors.ts';
import type { Clock } from '../../context.ts';
import { describeBrowser } from '../../lib/http/user-agent.ts';
import { Html } from '../../lib/views/html.ts';
import type { PendingAuthenticator } from '../authenticators/authenticators.ts';

/** What the form of an enrolment sends. Its words are judged where they are used, so that the page can say what is wrong with them. */
export const enrolmentBody = z.strictObject({
  id: z.string().min(1).max(64),
  code: z.string().max(40),
  name: z.string().max(400).default(''),
});

/** What went wrong with what was typed: a key of `views/totp/messages.json` with its parameters, at the code or at the name. */
export interface SeedProblem {
  readonly field: 'code' | 'name';
  readonly key: string;
  readonly params: Readonly<Record<string, number>>;
  readonly status: number;
  readonly retryAfter: number | undefined;
}

/** What can be said on the page of the seed itself; undefined for everything else. */
export function problemOf(error: AppError): SeedProblem | undefined {
  const { code, status, retryAfter, extra } = error;
  const at = (field: SeedProblem['field'], key: string, params: Readonly<Record<string, number>> = {}) => ({ field, key, params, status, retryAfter });
  if (code === 'invalid_request' && extra['field'] === 'name') return at('name', 'name_problem');
  // What is no code at all was not counted.
  if (code === 'invalid_code' && extra['tries_left'] === undefined) return at('code', 'code_digits');
  if (code === 'invalid_code' && retryAfter === undefined) return at('code', 'code_wrong');
  if (code === 'invalid_code' || code === 'rate_limited') return at('code', 'code_wait', { seconds: Math.max(1, Math.ceil(retryAfter ?? 1)) });
  return undefined;
}

/** What the view of a seed shows: its QR, its key in groups of four, and the link that opens an app on this device. */
export async function seedForm(
  ctx: KoaContext,
  { id, secret, uri, expiresAt }: PendingAuthenticator,
  { clock, problem, name = '', late = false }: { clock: Clock; problem?: SeedProblem | undefined; name?: string | undefined; late?: boolean },
) {
  return {
    id,
    otpauth: uri,
    qr: new Html(await qrcode.toString(uri, { type: 'svg', margin: 4, errorCorrectionLevel: 'M' })),
    key: secret.match(/.{1,4}/g)?.join(' ') ?? secret,
    minutes: Math.max(1, Math.ceil((expiresAt - clock()) / 60_000)),
    mobile: describeBrowser(ctx).mobile,
    problem,
    name,
    late,
  };
}
