import type { Context as KoaContext } from 'koa';
import type { Log } from '../log.ts';

const CODES = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT', 'ERR_STREAM_PREMATURE_CLOSE', 'HPE_INVALID_EOF_STATE']);

/**
 * Keeps to itself when the caller of this request hangs up, as every closed tab does: nobody is left to be answered and
 * nothing is wrong. Koa would print it with a stack. The code alone is not enough, since a database hangs up by the same.
 */
export function forgiveDisconnect(ctx: KoaContext, log: Log): void {
  const tell = ctx.onerror;
  ctx.onerror = (error: Error & { code?: string }) => {
    const gone = ctx.req.socket.destroyed && CODES.has(error?.code ?? '');
    if (gone) log.debug({ code: error.code, method: ctx.method }, 'the caller has hung up');
    else tell.call(ctx, error);
  };
}
