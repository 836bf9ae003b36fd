import type { Context as KoaContext } from 'koa';
import { AppError } from '../../errors.ts';

/** No request to Tandem is larger, in bytes, unless its route says so. */
const MAX_BODY = 64 * 1024;

/**
 * Reads the body as text; a host's own body parser may have read it before.
 *
 * @param max bytes
 */
export async function readBody(ctx: KoaContext, max = MAX_BODY): Promise<string> {
  if (ctx.req.readableEnded) return limited(parsedBefore(ctx), max);
  if (ctx.get('Content-Encoding') && ctx.get('Content-Encoding') !== 'identity') {
    throw new AppError('unsupported_media_type', 'a compressed body is not accepted');
  }
  if (Number(ctx.get('Content-Length')) > max) throw refuse(ctx, max);
  const bytes = await collect(ctx, max);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('invalid_request', 'the body is not UTF-8 text', { cause });
  }
}

function collect(ctx: KoaContext, max: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { req } = ctx;
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= max) chunks.push(chunk);
      else {
        chunks.length = 0;
        reject(refuse(ctx, max));
      }
    });
    req.once('end', () => resolve(Buffer.concat(chunks)));
    req.once('error', (cause) => reject(new AppError('invalid_request', 'the body broke off', { cause })));
    // Every request closes in the end: an error, with its stack, is made only for one whose body did not.
    req.once('close', () => {
      if (!req.readableEnded) reject(new AppError('invalid_request', 'the body broke off'));
    });
  });
}

/** The rest of an oversized body is not read: the connection ends with the answer. */
function refuse(ctx: KoaContext, max: number): AppError {
  ctx.set('Connection', 'close');
  ctx.req.resume();
  return new AppError('payload_too_large', `the body is larger than ${max} bytes`);
}

/** What a host's body parser, which ran before us, left of the body. */
function parsedBefore(ctx: KoaContext): string {
  const { rawBody, body } = ctx.request as { rawBody?: unknown; body?: unknown };
  if (typeof rawBody === 'string') return rawBody;
  if (typeof body === 'string' || Buffer.isBuffer(body)) return String(body);
  if (typeof body !== 'object' || body === null) return '';
  return ctx.is('urlencoded') ? new URLSearchParams(body as Record<string, string>).toString() : JSON.stringify(body);
}

function limited(text: string, max: number): string {
  if (Buffer.byteLength(text) > max) {
    throw new AppError('payload_too_large', `the body is larger than ${max} bytes`);
  }
  return text;
}

/** Fields of an `application/x-www-form-urlencoded` body; a field sent twice is refused, as it is in OAuth. */
export function parseForm(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in fields) throw new AppError('invalid_request', `the field ${JSON.stringify(name)} is sent twice`);
    fields[name] = value;
  }
  return { ...fields };
}

export function parseJson(text: string): unknown {
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AppError('invalid_request', 'the body is not JSON', { cause });
  }
  if (isDeeperThan(value, MAX_DEPTH)) throw new AppError('invalid_request', `the body is nested more than ${MAX_DEPTH} deep`);
  return value;
}

/** How deep JSON may be nested: what reads it, copies it or writes it down goes down with it, and the stack ends before the body does. */
export const MAX_DEPTH = 32;

/** Whether objects and arrays lie within each other more than `depth` times. */
export function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((each) => isDeeperThan(each, depth - 1));
}
