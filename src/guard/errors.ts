/** Why a guard lets nobody pass, and the HTTP status it becomes: RFC 6750 §3.1, RFC 9449 §7.1, RFC 9470 §3. */
const STATUS = {
  invalid_request: 400,
  missing_token: 401,
  invalid_token: 401,
  invalid_dpop_proof: 401,
  insufficient_user_authentication: 401,
  insufficient_scope: 403,
  temporarily_unavailable: 503,
} as const;

export type GuardErrorCode = keyof typeof STATUS;

/**
 * A refusal. Its message goes into a header and must hold nothing that a caller wrote.
 *
 * @example
 * throw new GuardError('invalid_token', 'the access token has expired');
 */
export class GuardError extends Error {
  override readonly name = 'GuardError';
  readonly code: GuardErrorCode;
  /** The scheme to try next, where it is not the one that was tried. */
  readonly scheme: 'DPoP' | undefined;

  constructor(code: GuardErrorCode, message: string, { cause, scheme }: { readonly cause?: unknown; readonly scheme?: 'DPoP' } = {}) {
    super(message, { cause });
    this.code = code;
    this.scheme = scheme;
  }

  get status(): number {
    return STATUS[this.code];
  }
}
