import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { HOST, startWithAdmin } from './harness.ts';

onEachDatabase('resource servers in a dry run', (database) => {
  it('are refused as they would be, new and known ones alike', async () => {
    const tandem = await startWithAdmin(database);
    try {
      const { admin, issuer } = tandem;
      await admin.resources.create({ identifier: 'https://known.example', format: 'jwt', ttl: 600, scopes: [] }, HOST);
      for (const wanted of [
        { identifier: `${issuer}/api/x` },
        { identifier: 'https://a.example', format: 'jwt', ttl: 7200 },
        { identifier: 'https://b.example', audience: issuer },
        { identifier: 'https://c.example', audience: 'https://known.example' },
        { identifier: 'https://known.example', ttl: 7200 },
        { identifier: `${issuer}/api`, ttl: 60 },
      ]) {
        const refusal = async (dryRun: boolean) => admin.apply({ resource_servers: [wanted] } as never, HOST, { dryRun }).then(() => 'done', ({ code, message }: Error & { code: string }) => `${code}: ${message}`);
        const dry = await refusal(true);
        assert.match(dry, /^(invalid_request|conflict): /, JSON.stringify(wanted));
        assert.equal(dry, await refusal(false));
      }
      const fine = { resource_servers: [{ identifier: 'https://known.example', ttl: 900 }, { identifier: 'https://new.example' }] } as never;
      const [dry, wet] = [await admin.apply(fine, HOST, { dryRun: true }), await admin.apply(fine, HOST)];
      assert.deepEqual(dry.steps, wet.steps);
    } finally {
      await tandem.close();
    }
  });
});
