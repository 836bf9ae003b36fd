import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from './postgres-server.ts';
import { itWhere } from './skip.ts';

describe('a PostgreSQL server for tests', () => {
  // PostgreSQL refuses root, so root starts it as another user; anybody else starts it as themselves and meets no such folder.
  itWhere(process.getuid?.() === 0, 'for root alone', 'says at once, as root, which folder its user may not enter', async () => {
    const closed = await mkdtemp(join(tmpdir(), 'tandem-closed-'));
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = closed;
    try {
      // One that starts after all is ended, or it would outlive the tests.
      await assert.rejects(startPostgres([]).then(({ stop }) => stop()), (error: Error) => error.message.includes(`may not enter ${closed}:`) && !error.message.includes('\n'));
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      await rm(closed, { recursive: true });
    }
  });
});
