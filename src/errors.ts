/** Every error code that Tandem answers with, and the HTTP status it becomes. */
const STATUS = {
  invalid_request: 400,
  invalid_csrf: 403,
  invalid_signature: 401,
  invalid_nonce: 401,
  clock_skew: 401,
  invalid_credentials: 401,
  invalid_client: 401,
  invalid_token: 401,
  missing_token: 401,
  invalid_dpop_proof: 401,
  insufficient_user_authentication: 401,
  sign_in_required: 401,
  access_denied: 403,
  insufficient_scope: 403,
  uv_required: 403,
  wrong_account: 403,
  device_revoked: 403,
  device_pending: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  replayed: 409,
  already_claimed: 409,
  expired: 410,
  frame_stale: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  invalid_code: 422,
  weak_password: 422,
  email_taken: 422,
  locked: 423,
  slow_down: 429,
  rate_limited: 429,
  temporarily_unavailable: 503,
} as const;

/** A stable, machine-readable name for what went wrong. */
export type ErrorCode = keyof typeof STATUS;

/** The HTTP status of a code. */
export function statusOf(code: ErrorCode): number {
  return STATUS[code];
}

/** What an {@link AppError} may carry beside its code. */
export interface ErrorDetails {
  /** Seconds after which the caller may try again; sent as `Retry-After`. */
  readonly retryAfter?: number;
  /** Further members of the JSON answer; never secrets. */
  readonly extra?: Readonly<Record<string, string | number | boolean>>;
  /** What caused it; logged, never sent. */
  readonly cause?: unknown;
}

/**
 * An expected failure: one code of a closed union, with a sentence for the developer who meets it.
 *
 * @example
 * throw new AppError('frame_stale', 'this QR code has been replaced by a newer one');
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly retryAfter: number | undefined;
  readonly extra: Readonly<Record<string, string | number | boolean>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.retryAfter = details.retryAfter;
    this.extra = details.extra ?? {};
  }

  /** The HTTP status of this error's code. */
  get status(): number {
    return statusOf(this.code);
  }
}
