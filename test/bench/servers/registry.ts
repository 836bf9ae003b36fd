import { Provider } from 'oidc-provider';
import { accounts, admin, enrolment, newEncryptionKey, openDatabase, qr, tandem, totp, type Actor } from '../../../src/index.ts';
import { BACKEND, personOf, type Backend } from './clients.ts';
import { serve } from './serve.ts';

/*
 * Tandem with all rooms on, whose clients are in the database: BENCH_CLIENTS backends, each with a secret of its own. They hold scopes of a resource
 * server with opaque tokens, of one with JWTs, and of the enrolment API.
 */
const { BENCH_DATABASE = 'sqlite::memory:', BENCH_CLIENTS = '10' } = process.env;
const bench: Actor = { kind: 'host', id: 'bench', authority: 'all' };
const ENROLMENT = ['accounts:create', 'credential:omi:enrol:qr:admin:post', 'credential:omi:enrol:status:get'];

export const OPAQUE = 'https://notes.example.com';
export const SIGNED = 'https://signed.example.com';

await serve(async (issuer) => {
  let ahead = 0;
  const clock = () => Date.now() + ahead;
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object, message: string) => console.error('error:', message, fields) };
  // No password is proven here: their hashes would only keep the row waiting.
  const features = [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp(), enrolment(), admin()];
  const t = tandem({ db: openDatabase(BENCH_DATABASE), issuer, clock, log, secrets: { encryption: [newEncryptionKey()] }, features, notices: { send() {} } });
  await t.migrate();
  const provider = new Provider(issuer, t.configure());
  const attached = t.attach(provider);

  const scopes = [{ name: 'read', description: { en: 'Read your notes' }, level: 1 as const }];
  await t.admin!.resources.create({ identifier: OPAQUE, scopes }, bench);
  await t.admin!.resources.create({ identifier: SIGNED, format: 'jwt', algorithm: 'ES256', scopes }, bench);
  const backends: Backend[] = [];
  for (let made = 0; made < Number(BENCH_CLIENTS); made += 1) {
    const { client, secret } = await t.admin!.clients.create({ ...BACKEND, tandem_resources: { [OPAQUE]: ['read'], [SIGNED]: ['read'], [`${issuer}/api`]: ENROLMENT } }, bench);
    backends.push({ id: client.clientId, secret: secret!.value });
  }

  const guards = { '/notes': t.protect({ resource: OPAQUE, scopes: ['read'] }), '/signed-notes': t.protect({ resource: SIGNED, scopes: ['read'] }) };
  provider.use(async (ctx, next) => {
    const guard = guards[ctx.path as keyof typeof guards];
    if (!guard) return next();
    await guard(ctx as never, async () => void (ctx.body = { notes: [] }));
  });
  provider.use(attached);

  return {
    listener: provider.callback(),
    calls: {
      backends: () => backends,
      /** Gives so many accounts to the first backend; returns the subjects that it knows them by. */
      async people(count: number) {
        const ids = await Promise.all(Array.from({ length: count }, async (_, index) => (await t.accounts!.register(personOf(index))).id));
        return Promise.all(ids.map(async (id) => (await t.admin!.accounts.giveTo(backends[0]!.id, id, bench)).subject));
      },
      /** Puts the clock forward by some milliseconds. */
      advance: (milliseconds: number) => (ahead += milliseconds),
    },
  };
});
