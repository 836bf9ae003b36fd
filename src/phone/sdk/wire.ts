import { PhoneError, type PhoneErrorCode } from './errors.ts';
import type { Platform } from './platform.ts';
import type { SignedBody } from './jws.ts';

/** A nonce is valid for 120 s at the server; taken for less, it does not run out on the way. */
const NONCE_LIFETIME = 90_000;
const TIMEOUT = 15_000;

/** The HTTP side of the protocol at one issuer. */
export interface Wire {
  /** Posts JSON, answers with JSON. A nonce that comes with the answer serves the next signed call. */
  json(path: string, body: object): Promise<Record<string, unknown>>;
  /**
   * Posts what `sign` makes. `cookies` sends the ticket cookie along; nothing else on this wire wants cookies.
   * Where the server no longer takes the nonce, or the time, signs once more with what it says now.
   */
  signed(path: string, sign: (fresh: Fresh) => Promise<SignedBody>, options?: { nonce?: string; cookies?: boolean }): Promise<Record<string, unknown>>;
}

/** What every signed call must carry of the moment. */
export interface Fresh {
  readonly nonce: string;
  /** Seconds since the epoch by the server's clock. */
  readonly now: number;
}

export function createWire({ fetch, clock }: Platform, issuer: string): Wire {
  let nonce: { value: string; taken: number } | undefined;
  let offset: number | undefined;

  async function post(path: string, body: string, contentType: string, cookies = false): Promise<Record<string, unknown>> {
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), TIMEOUT);
    try {
      const response = await fetch(issuer + path, {
        method: 'POST',
        headers: { 'content-type': contentType, accept: 'application/json' },
        body,
        credentials: cookies ? 'include' : 'omit',
        signal: aborter.signal,
      });
      const answer = parse(await response.text());
      if (response.status >= 200 && response.status < 300 && answer) return answer;
      throw failure(response.status, answer, response.headers.get('retry-after'));
    } catch (error) {
      if (error instanceof PhoneError) throw error;
      throw new PhoneError('unreachable', `${issuer} could not be reached`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async function json(path: string, body: string): Promise<Record<string, unknown>> {
    const sent = clock();
    const answer = await post(path, body, 'application/json');
    if ('nonce' in answer) learn(answer, sent);
    return answer;
  }

  /** Keeps a nonce, which also tells how far this phone's clock is off. */
  function learn(answer: Record<string, unknown>, sent: number): void {
    const value = text(answer, 'nonce');
    const now = clock();
    // Half of the round trip has passed since the server read its clock, to the best of anybody's knowledge.
    offset = Number(answer['server_time']) * 1000 - (sent + now) / 2;
    if (Number.isNaN(offset)) throw new PhoneError('invalid_answer', 'server_time is missing');
    nonce = { value, taken: now };
  }

  async function fresh(given: string | undefined): Promise<Fresh> {
    const kept = nonce && clock() - nonce.taken < NONCE_LIFETIME ? nonce.value : undefined;
    if ((given ?? kept) === undefined || offset === undefined) text(await json('/phone/nonce', ''), 'nonce');
    return { nonce: given ?? nonce?.value ?? '', now: Math.floor((clock() + (offset ?? 0)) / 1000) };
  }

  return {
    json: (path, body) => json(path, JSON.stringify(body)),
    async signed(path, sign, options = {}) {
      const attempt = async () => {
        const { body, contentType } = await sign(await fresh(options.nonce));
        return post(path, body, contentType, options.cookies);
      };
      try {
        return await attempt();
      } catch (error) {
        const code = error instanceof PhoneError ? error.code : undefined;
        const again = code === 'clock_skew' || (code === 'invalid_nonce' && options.nonce === undefined);
        if (!again) throw error;
        nonce = undefined;
        offset = undefined;
        return attempt();
      }
    },
  };
}

/** A member of an answer that must be text. */
export function text(answer: Record<string, unknown>, member: string): string {
  const value = answer[member];
  if (typeof value !== 'string') throw new PhoneError('invalid_answer', `${member} is missing`);
  return value;
}

function parse(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function failure(status: number, answer: Record<string, unknown> | undefined, retryAfter: string | null): PhoneError {
  const seconds = Number(retryAfter ?? undefined);
  const details = { status, retryAfter: Number.isFinite(seconds) ? seconds : undefined };
  const code = answer?.['error'];
  if (typeof code !== 'string') {
    return status >= 500
      ? new PhoneError('temporarily_unavailable', `the server answered ${status}`, details)
      : new PhoneError('invalid_answer', `the server answered ${status} without an error code`, details);
  }
  const { error, error_description: description, ...extra } = answer ?? {};
  return new PhoneError(code as PhoneErrorCode, String(description ?? error), { ...details, extra });
}
