import { AppError } from '../errors.ts';
import { base64url, fromBase64url } from './crypto.ts';

/** What a page of a list is asked by. */
export interface PageAsked {
  /** At most so many, 1 to 200; default: 50. */
  readonly limit?: number | undefined;
  /** Of the page before. */
  readonly cursor?: string | undefined;
}

type Kind = 'number' | 'string';
/** The item that a page ends with, by what its list is ordered by. */
type PositionOf<Kinds extends readonly Kind[]> = { readonly [Index in keyof Kinds]: Kinds[Index] extends 'number' ? number : string };

const MAX_LIMIT = 200;

/**
 * Reads one page of a list.
 *
 * @param kinds what a position is made of; its numbers are whole
 * @param list `read`: at most so many items, from behind a position; `positionOf`: what the next page begins behind
 * @returns the items, and a cursor where there are more
 * @throws AppError `invalid_request` for a limit or a cursor that makes no sense
 *
 * @example
 * const { items, cursor } = await page(asked, ['number', 'string'], {
 *   read: (limit, after) => store.list(limit, after),
 *   positionOf: ({ createdAt, id }) => [createdAt, id],
 * });
 */
export async function page<Item, const Kinds extends readonly Kind[]>(
  { limit = 50, cursor }: PageAsked,
  kinds: Kinds,
  { read, positionOf }: {
    read: (limit: number, after: PositionOf<Kinds> | undefined) => Promise<readonly Item[]>;
    positionOf: (item: Item) => PositionOf<Kinds>;
  },
): Promise<{ items: readonly Item[]; cursor?: string }> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw new AppError('invalid_request', `limit is a whole number from 1 to ${MAX_LIMIT}`);
  // One more than asked for shows whether there is another page.
  const found = await read(limit + 1, cursor === undefined ? undefined : positionIn(cursor, kinds));
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(found.length > limit && last !== undefined && { cursor: base64url(Buffer.from(JSON.stringify(positionOf(last)))) }) };
}

function positionIn<Kinds extends readonly Kind[]>(cursor: string, kinds: Kinds): PositionOf<Kinds> {
  const position = parse(cursor);
  const is = (value: unknown, kind: Kind) => (kind === 'number' ? Number.isSafeInteger(value) : typeof value === 'string');
  const genuine = Array.isArray(position) && position.length === kinds.length && kinds.every((kind, index) => is(position[index], kind));
  if (!genuine) throw new AppError('invalid_request', 'cursor is not one of ours', { extra: { field: 'cursor' } });
  return position as unknown as PositionOf<Kinds>;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(fromBase64url(cursor)).toString('utf8'));
  } catch {
    return undefined;
  }
}
