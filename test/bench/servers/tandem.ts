import { Provider } from 'oidc-provider';
import { accounts, newEncryptionKey, openDatabase, qr, tandem, totp } from '../../../src/index.ts';
import { consentAtOnce, personOf, SHARED } from './clients.ts';
import { serve } from './serve.ts';

/*
 * Tandem with all rooms on. The processes of one row share BENCH_DATABASE and BENCH_KEY; with BENCH_ISSUER the process
 * answers for an issuer that is reached elsewhere.
 */
const { BENCH_DATABASE = 'sqlite::memory:', BENCH_KEY = newEncryptionKey(), BENCH_ISSUER } = process.env;

await serve(async (address) => {
  const issuer = BENCH_ISSUER ?? address;
  /** How far the clock of the transactions is set back, in milliseconds; frozen while a row opens its pages. */
  let frozenAt: number | undefined;
  let behind = 0;
  const clock = () => frozenAt ?? Date.now() - behind;

  const db = openDatabase(BENCH_DATABASE);
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object, message: string) => console.error('error:', message, fields) };
  const t = tandem({ db, issuer, clock, log, secrets: { encryption: [BENCH_KEY] }, features: [accounts(), qr(), totp()], notices: { send() {} } });
  await t.migrate();
  // Without it a password would need a consent page too, and the phone would win by less work.
  const clients = SHARED.clients.map((client) => ({ ...client, tandem_consent: 'implicit' }));
  const provider = new Provider(issuer, t.configure({ ...SHARED, clients }));
  provider.proxy = true;
  // The host's page that asks nothing, for the rows that measure the code flow alone.
  provider.use(async (ctx, next) => {
    const accountId = ctx.query['at-once'];
    if (!ctx.path.startsWith('/interaction/') || typeof accountId !== 'string') return next();
    ctx.respond = false;
    await consentAtOnce(provider, ctx as never, accountId);
  });
  provider.use(t.attach(provider));

  return {
    listener: provider.callback(),
    facts: { key: BENCH_KEY, address },
    calls: {
      /** Makes accounts for the load, person0@… and so on; returns their ids. */
      people: (count: number) =>
        Promise.all(Array.from({ length: count }, async (_, index) => (await t.accounts!.register({ ...personOf(index), name: 'Ada' })).id)),
      freeze: () => (frozenAt = clock()),
      /** Moves a frozen clock on by some milliseconds; returns its time. */
      step: (milliseconds: number) => (frozenAt = clock() + milliseconds),
      /** Lets the clock run again, as far behind as it was left or as another process says; returns how far. */
      thaw: (other?: number) => {
        behind = other ?? Date.now() - clock();
        frozenAt = undefined;
        return behind;
      },
    },
  };
});
