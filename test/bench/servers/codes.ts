import { accounts, newEncryptionKey, openDatabase, tandem } from '../../../src/index.ts';
import { createAudit } from '../../../src/audit/audit.ts';
import type { Context } from '../../../src/context.ts';
import { createDatabase } from '../../../src/lib/database/database.ts';
import { createEvents } from '../../../src/lib/events.ts';
import { createKeyRing } from '../../../src/lib/key-ring.ts';
import { createLimits } from '../../../src/lib/limits.ts';
import { createAuthenticators } from '../../../src/totp/authenticators/authenticators.ts';
import { codeOf } from '../../support/otp.ts';
import { saturate } from '../saturate.ts';
import { personOf } from './clients.ts';
import { serve } from './serve.ts';

/*
 * The authenticators' service without HTTP, audit on. Its clock goes on by a step whenever every person has used the code of
 * the one before, as an account takes each code once.
 */
const { BENCH_DATABASE = 'sqlite::memory:', BENCH_KEY = newEncryptionKey(), BENCH_PEOPLE = '128' } = process.env;
const STEP = 30_000;

await serve(async (issuer) => {
  let now = Date.now();
  const clock = () => now;
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object, message: string) => console.error('error:', message, fields) };
  const knex = openDatabase(BENCH_DATABASE);

  const t = tandem({ db: knex, issuer, log, secrets: { encryption: [BENCH_KEY] }, features: [accounts()], notices: { send() {} } });
  await t.migrate();
  const ids = await Promise.all(Array.from({ length: Number(BENCH_PEOPLE) }, async (_, index) => (await t.accounts!.register({ ...personOf(index), name: 'Ada' })).id));
  // It would send statements of its own into the one connection of SQLite.
  await t.close();

  const db = createDatabase(knex);
  const context: Context = { issuer, db, clock, log, keyRing: createKeyRing([BENCH_KEY]), limits: createLimits({ db, clock }), events: createEvents({ clock, log }) };
  createAudit(context);
  const service = createAuthenticators(context, { label: async () => 'ada@example.com', issuerName: 'Bench' });
  const people: Array<{ id: string; secret: string }> = [];
  for (const id of ids) {
    const { id: authenticatorId, secret } = await service.begin(id);
    await service.activate(id, authenticatorId, codeOf(secret, clock), { by: 'account' });
    people.push({ id, secret });
  }

  let next = people.length;
  /** The next person whose code of this step is fresh. */
  function whoseTurn() {
    if (next === people.length) {
      next = 0;
      now += STEP;
    }
    next += 1;
    return people[next - 1]!;
  }

  return {
    listener: (_request, response) => response.writeHead(404).end(),
    calls: {
      secrets: () => people.map(({ secret }) => secret),
      verify: (seconds: number) =>
        saturate(() => {
          const { id, secret } = whoseTurn();
          return service.verify(id, codeOf(secret, clock), {});
        }, seconds),
    },
  };
});
