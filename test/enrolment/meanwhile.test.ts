import assert from 'node:assert/strict';
import { createEnrolmentApi } from '../../src/devices/api/service.ts';
import { onEachDatabase } from '../support/databases.ts';
import { ALL, assertProblem, backends, startEnrolment, type EnrolmentHarness } from './harness.ts';

/** What holds until the QR code is asked for, and what in the transaction that makes it. */
interface World {
  readonly managed?: boolean;
  readonly factor?: boolean;
  readonly admin?: boolean;
}

/** Asks for a QR code where the world is another one in the transaction than before. */
async function start(before: World, inside: World): Promise<string> {
  const tx = {} as never;
  const at = (given: unknown) => (given === tx ? inside : before);
  const api = createEnrolmentApi(
    { issuer: 'https://id.example.com', clock: () => 0, limits: { limit: () => ({ take: async () => {} }) } as never, events: { subscribe() {} } as never },
    {
      managed: { find: async () => (before.managed ? 'account' : undefined), manages: async (_client: string, _account: string, given?: unknown) => at(given).managed === true, since: async () => 0 } as never,
      passwordSince: async () => undefined,
      factors: { any: async (_account: string, given?: unknown) => at(given).factor === true },
      isAdmin: async (_account: string, given?: unknown) => at(given).admin === true,
      enrolments: { async startFor({ guard }: { guard: (given: never) => Promise<void> }) { await guard(tx); return 'made'; } } as never,
    } as Parameters<typeof createEnrolmentApi>[1],
  );
  return api.start('shop', 'subject', '::1').then(String, (error: { code: string }) => error.code);
}

describe('a QR code for an account that changes meanwhile', () => {
  it('is made where nothing has changed', async () => assert.equal(await start({ managed: true }, { managed: true }), 'made'));
  it('is not made where the account was taken away', async () => assert.equal(await start({ managed: true }, {}), 'not_found'));
  it('is not made where the account has got a factor', async () => assert.equal(await start({ managed: true }, { managed: true, factor: true }), 'conflict'));
  it('is not made where the account has become an administrator’s', async () => assert.equal(await start({ managed: true }, { managed: true, admin: true }), 'conflict'));
});

onEachDatabase('two clients that know people by the same subject', (database) => {
  let t: EnrolmentHarness;
  before(async () => {
    const sector = { tandem_sector: 'house' };
    t = await startEnrolment(database, {
      more: (issuer) => {
        const [shop] = backends(issuer);
        return ['one', 'two'].map((id) => ({ ...shop!, ...sector, client_id: id, client_secret: `${id}-secret-`.repeat(6), tandem_resources: { [`${issuer}/api`]: ALL } }));
      },
    });
  });
  after(() => t.close());
  afterEach(() => assert.deepEqual(t.errors, []));

  it('reach no account of the other, and do not learn whether it has a phone', async () => {
    const [bare, held] = [await t.account('one', 'bare@example.com'), await t.account('one', 'held@example.com')];
    await t.enrolled(held, 'one');
    const answers = [];
    for (const account of [bare, held, '00000000-0000-4000-8000-000000000000']) answers.push(await t.call('POST', '/omi/qr/enrol', { account }, { as: 'two' }));
    for (const answer of answers) assertProblem(answer, 404, 'not_found');
    assert.equal(new Set(answers.map(({ json }) => JSON.stringify(json))).size, 1);
    // The subject is the same to both, once it is given.
    const { subject } = await t.t.admin!.accounts.giveTo('two', 'bare@example.com', { kind: 'host', id: 'test', authority: 'all' });
    assert.equal(subject, bare);
    assert.ok(await t.start(bare, 'two'));
  });
});
