import { AppError } from '../../errors.ts';

/** OpenID Connect Core §2: a subject has at most 255 characters. */
const MAX_SUBJECT = 255;

/**
 * The subject that a request is for, by `id_token_hint` (OpenID Connect Core §3.1.2.1) or the claim `sub` (§5.5.1); undefined where it is for anybody.
 *
 * @throws AppError `invalid_request`
 */
export function expectedSubject(params: Readonly<Record<string, unknown>>): string | undefined {
  const subject = hintedSubject(params['id_token_hint']) ?? claimedSubject(params['claims']);
  if (subject !== undefined && subject.length > MAX_SUBJECT) throw new AppError('invalid_request', 'the request is for a subject that there cannot be');
  return subject;
}

/** The subject of an ID token that the authorization endpoint has verified before there was an interaction. */
function hintedSubject(hint: unknown): string | undefined {
  return typeof hint === 'string' ? text(parse(Buffer.from(hint.split('.')[1] ?? '', 'base64url').toString('utf8'))?.['sub']) : undefined;
}

function claimedSubject(claims: unknown): string | undefined {
  const idToken = typeof claims === 'string' ? (parse(claims)?.['id_token'] as { sub?: { value?: unknown } | null } | null | undefined) : undefined;
  return text(idToken?.sub?.value);
}

function parse(json: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(json) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
