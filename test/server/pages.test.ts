import assert from 'node:assert/strict';
import { pages } from '../../src/server/command-line/pages.ts';

describe('lists on the command line', () => {
  const all = Array.from({ length: 450 }, (_, index) => index);

  /** A list of 450, of which no more than 200 are told at once. */
  async function list({ limit, cursor }: { limit: number; cursor: string | undefined }) {
    assert.ok(limit >= 1 && limit <= 200);
    const [from, to] = [Number(cursor ?? 0), Number(cursor ?? 0) + limit];
    return { items: all.slice(from, to), ...(to < all.length && { cursor: String(to) }) };
  }

  it('are told to their end', async () => {
    assert.deepEqual(await pages({ limit: undefined, cursor: undefined }, list), { items: all, cursor: undefined });
    assert.deepEqual(await pages({ limit: undefined, cursor: '440' }, list), { items: all.slice(440), cursor: undefined });
  });

  it('end where they are told to, and say where they go on', async () => {
    assert.deepEqual(await pages({ limit: '250', cursor: undefined }, list), { items: all.slice(0, 250), cursor: '250' });
    assert.deepEqual(await pages({ limit: '3', cursor: '448' }, list), { items: [448, 449], cursor: undefined });
  });

  it('take no limit that is none', async () => {
    for (const limit of ['0', '-1', 'ten', '1.5']) await assert.rejects(pages({ limit, cursor: undefined }, list), { name: 'UsageError' }, limit);
  });
});
