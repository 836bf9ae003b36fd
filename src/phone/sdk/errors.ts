/** The codes of the wire: what the server answers as `error`. */
export type WireErrorCode =
  | 'invalid_request'
  | 'invalid_signature'
  | 'invalid_nonce'
  | 'clock_skew'
  | 'replayed'
  | 'frame_stale'
  | 'already_claimed'
  | 'expired'
  | 'not_found'
  | 'device_revoked'
  | 'device_pending'
  | 'uv_required'
  | 'wrong_account'
  | 'invalid_code'
  | 'access_denied'
  | 'conflict'
  | 'locked'
  | 'slow_down'
  | 'rate_limited'
  | 'temporarily_unavailable';

/** What can go wrong before or beside the wire. */
export type LocalErrorCode =
  /** The text is no link and no code of Tandem. */
  | 'invalid_link'
  /** The link belongs to a provider for which this phone holds no key. */
  | 'unknown_issuer'
  /** The server could not be reached, or took too long. */
  | 'unreachable'
  /** The server answered something that is not the protocol. */
  | 'invalid_answer'
  /** The person did not finish, or the phone refused, the check of PIN or biometry. */
  | 'verification_failed';

export type PhoneErrorCode = WireErrorCode | LocalErrorCode;

/**
 * Everything that the SDK throws on purpose. Decide by {@link PhoneError.code}; the message is for developers.
 *
 * @example
 * try {
 *   await phone.claim(account, link);
 * } catch (error) {
 *   if (error instanceof PhoneError && error.code === 'frame_stale') showScanner('That code has changed. Scan again.');
 *   else throw error;
 * }
 */
export class PhoneError extends Error {
  override readonly name = 'PhoneError';
  readonly code: PhoneErrorCode;
  /** HTTP status, where a server answered. */
  readonly status: number | undefined;
  /** Seconds to wait before the next try, where the server said so (`Retry-After`, RFC 9110 §10.2.3). */
  readonly retryAfter: number | undefined;
  /** Further members of the answer. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: PhoneErrorCode,
    message: string,
    details: { status?: number; retryAfter?: number | undefined; extra?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.retryAfter = details.retryAfter;
    this.extra = details.extra ?? {};
  }
}
