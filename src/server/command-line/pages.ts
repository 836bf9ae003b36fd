import { UsageError, type Option } from './command.ts';
import { number } from './read.ts';

/** The options of a command that lists. */
export const PAGE = {
  limit: { value: 'NUMBER', about: 'at most so many; without it all of them' },
  cursor: { value: 'CURSOR', about: 'where a page before has ended' },
} as const satisfies Record<string, Option>;

const MOST = 200;

/** All that a list has, page by page; with a limit no more than that, and where to go on. */
export async function pages<Item>(
  given: { readonly limit: string | undefined; readonly cursor: string | undefined },
  next: (page: { limit: number; cursor: string | undefined }) => Promise<{ items: readonly Item[]; cursor?: string }>,
): Promise<{ items: Item[]; cursor: string | undefined }> {
  const most = number('--limit', given.limit) ?? Infinity;
  if (most === 0) throw new UsageError('--limit must be 1 or more');
  const items: Item[] = [];
  let { cursor } = given;
  do {
    const page = await next({ limit: Math.min(MOST, most - items.length), cursor });
    items.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined && items.length < most);
  return { items, cursor };
}

/** What a list says below its rows. */
export function more(cursor: string | undefined): string {
  return cursor === undefined ? '' : `\nthere are more: --cursor ${cursor}`;
}
