import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from './postgres-server.ts';

describe('a PostgreSQL server for tests', () => {
  // PostgreSQL refuses root, so root starts it as another user; anybody else starts it as themselves and meets no such folder.
  const title = 'says at once, as root, which folder its user may not enter';
  it(process.getuid?.() === 0 ? title : `SKIPPED, for root alone: ${title}`, async function () {
    if (process.getuid?.() !== 0) this.skip();
    const closed = await mkdtemp(join(tmpdir(), 'tandem-closed-'));
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = closed;
    try {
      await assert.rejects(startPostgres([]), (error: Error) => error.message.includes(`may not enter ${closed}:`) && !error.message.includes('\n'));
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      await rm(closed, { recursive: true });
    }
  });
});
