import { AppError } from '../errors.ts';
import { base64url, fromBase64url } from '../lib/crypto.ts';

/** What a page is asked by: how long, and behind what. */
export interface PageAsked {
  /** 1 to 200; default: 50. */
  readonly limit?: number | undefined;
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

const MAX_LIMIT = 200;

/**
 * Reads one page of a list.
 *
 * @param types the types of a position's members
 * @param read at most so many items behind a position
 * @param positionOf what the next page begins behind
 * @throws AppError `invalid_request` for a limit or a cursor that makes no sense
 */
export async function page<T>(
  { limit = 50, cursor }: PageAsked,
  types: ReadonlyArray<'number' | 'string'>,
  read: (limit: number, after: ReadonlyArray<number | string> | undefined) => Promise<readonly T[]>,
  positionOf: (item: T) => ReadonlyArray<number | string>,
): Promise<{ items: readonly T[]; cursor?: string }> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw new AppError('invalid_request', `limit is a whole number from 1 to ${MAX_LIMIT}`);
  // One more than asked for shows whether there is another page.
  const found = await read(limit + 1, cursor === undefined ? undefined : positionIn(cursor, types));
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(found.length > limit && last !== undefined && { cursor: base64url(Buffer.from(JSON.stringify(positionOf(last)))) }) };
}

function positionIn(cursor: string, types: ReadonlyArray<'number' | 'string'>): ReadonlyArray<number | string> {
  let position: unknown;
  try {
    position = JSON.parse(fromBase64url(cursor).toString('utf8'));
  } catch {
    position = undefined;
  }
  const genuine = Array.isArray(position) && position.length === types.length && types.every((type, index) => typeof position[index] === type);
  if (!genuine) throw new AppError('invalid_request', 'cursor is not one of ours', { extra: { field: 'cursor' } });
  return position as Array<number | string>;
}
