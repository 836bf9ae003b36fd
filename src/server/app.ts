import type { EventEmitter } from 'node:events';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Provider } from 'oidc-provider';
import { accounts, admin, enrolment, newEncryptionKey, openDatabase, qr, tandem, totp } from '../index.ts';
import { readClients } from './clients-file.ts';
import { ConfigError } from './config.ts';
import type { Config } from './config.ts';
import { startDemo } from './demo.ts';
import { ensureAdministrator, ensureDemoAccount, type FirstAccount } from './first-run.ts';
import { listen } from './listener.ts';
import { readOrMakeSecret } from './secret-file.ts';

/** How often a running server looks whether keys were rotated, in milliseconds. */
const KEYS_INTERVAL = 60_000;
/** Codes of Node, PostgreSQL and MySQL for a database that is not there, or not for us. */
const DATABASE_PROBLEMS = /^(ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|28P01|28000|3D000|ER_ACCESS_DENIED_ERROR|ER_BAD_DB_ERROR|SQLITE_CANTOPEN|SQLITE_NOTADB)/;
/** Codes of a path on which no file can be made or read. */
const PATH_PROBLEMS = /^(EACCES|EISDIR|ENOENT|ENOTDIR|EPERM|EROFS)$/;

export interface RunningServer {
  readonly issuer: string;
  /** The relying site, and its account's password when it was made just now. */
  readonly demo: ({ readonly url: string } & FirstAccount) | undefined;
  /** The administrator that a first start in development makes. */
  readonly administrator: FirstAccount | undefined;
  /** Looks for rotated keys, as happens each minute; true when new ones were taken into use. */
  refreshKeys(): Promise<boolean>;
  close(): Promise<void>;
}

/** Tandem on the database of `config`, without a network: what the command line works with. */
export async function openTandem(config: Config, { issuer, log }: { issuer: string; log: Logger }) {
  const { encryption, knex } = await open(config, log);
  const t = tandem({
    db: knex,
    issuer,
    secrets: { encryption },
    features: [accounts(), qr(), totp({ insecureUnauthenticatedTwoCallApi: config.openTwoCallApi }), enrolment(), admin()],
    level: config.level,
    log,
    theme: config.theme.logo ? { name: config.theme.name, logo: config.theme.logo } : { name: config.theme.name },
    ...(config.phoneOrigin && { phone: { origin: config.phoneOrigin } }),
    notices: { ...(config.mail.smtpUrl ? { smtp: config.mail.smtpUrl } : { folder: config.mail.folder }), ...(config.mail.from && { from: config.mail.from }) },
    ...(config.auditDays !== undefined && { audit: { keepDays: config.auditDays } }),
  });

  return {
    t,
    knex,
    /** Brings the schema up to date and loads the keys; any number of processes may do so at once. */
    async migrate() {
      try {
        return await t.migrate();
      } catch (error) {
        throw explain(error, config);
      }
    },
    async close() {
      await t.close();
      await knex.destroy();
    },
  };
}

/**
 * Starts the identity provider.
 *
 * @param options `demoProgram` is the file that runs the demo relying site
 * @throws ConfigError when a setting cannot be used
 */
export async function startServer(config: Config, { log, demoProgram }: { log: Logger; demoProgram: URL }): Promise<RunningServer> {
  const opened: Array<() => Promise<void>> = [];
  async function close() {
    for (const end of opened.splice(0).reverse()) await end();
  }

  try {
    const clients = await readClients(config.clientsFile);
    let isReady = async () => false;
    const listener = await listen(config, () => isReady());
    const issuer = config.issuer ?? listener.url;
    const { t, knex, migrate } = await openTandem(config, { issuer, log }).catch(async (error: unknown) => {
      await listener.close();
      throw error;
    });
    opened.push(async () => {
      const closed = listener.close();
      // Ends the streams of waiting pages, which would hold the listener; requests under way still have the database.
      await t.close();
      await closed;
      await knex.destroy();
    });
    isReady = async () => (await knex.raw('select 1')) !== undefined;

    // Both are waited for, even where one has failed: a demo that started must be stopped.
    const [started, migrated] = await Promise.allSettled([
      config.demo && startDemo({ program: demoProgram, issuer, port: config.demo.port, dataFolder: config.dataFolder }),
      migrate(),
    ]);
    const demo = started.status === 'fulfilled' ? started.value : undefined;
    if (demo) {
      opened.push(() => demo.stop());
      clients.push(demo.client);
    }
    for (const each of [started, migrated]) if (each.status === 'rejected') throw each.reason;

    /** The provider takes its keys once, when it is made: other keys need another provider. */
    function use() {
      const provider = new Provider(issuer, t.configure({ clients }));
      provider.proxy = config.trustedProxies > 0;
      provider.maxIpsCount = config.trustedProxies;
      // What is left for Koa to tell: answers that broke off on their way.
      (provider as EventEmitter).on('error', (error: Error) => log.error({ err: error }, 'an answer broke off'));
      if (config.production && issuer.startsWith('https:')) provider.use(strictTransport);
      provider.use(t.catchAll());
      provider.use(home(issuer));
      provider.use(t.attach(provider));
      listener.use(provider.callback());
    }
    use();

    async function refreshKeys() {
      if (!(await t.keys.refresh())) return false;
      use();
      log.info({}, 'took rotated keys into use');
      return true;
    }
    const timer = setInterval(() => {
      refreshKeys().catch((error: unknown) => log.error({ err: error }, 'could not look for rotated keys; trying again in a minute'));
    }, KEYS_INTERVAL);
    opened.push(async () => clearInterval(timer));

    const account = demo && (await ensureDemoAccount(t));
    const administrator = await ensureAdministrator(t, { make: demo !== undefined, log });
    log.info({ issuer, host: config.host }, 'the provider is ready');
    return { issuer, demo: demo && account && { url: demo.url, ...account }, administrator, refreshKeys, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** RFC 6797: for a year by https alone; of this host, as those below it may be others'. */
const strictTransport: Parameters<Provider['use']>[0] = (ctx, next) => {
  ctx.set('Strict-Transport-Security', 'max-age=31536000');
  return next();
};

/** Leads a person who opens the bare address to their account. */
function home(issuer: string): Parameters<Provider['use']>[0] {
  return (ctx, next) => (ctx.path === '/' && ctx.method === 'GET' && ctx.accepts('json', 'html') === 'html' ? ctx.redirect(`${issuer}/account`) : next());
}

/** The database, and what decrypts it; the development key's file may be no easier to make than the database's. */
async function open(config: Config, log: Logger) {
  try {
    return { encryption: await encryptionKeys(config, log), knex: openDatabase(config.databaseUrl, { log }) };
  } catch (error) {
    throw explain(error, config);
  }
}

/** The encryption keys given; in development, else, one that is made beside an SQLite file, or in `./data`. */
async function encryptionKeys({ encryptionKeys: given, dataFolder }: Config, log: Logger): Promise<string[]> {
  if (given) return [...given];
  if (!dataFolder) return [newEncryptionKey()];
  const file = join(dataFolder, 'encryption.key');
  const { secret, made } = await readOrMakeSecret(file, newEncryptionKey);
  if (made) log.warn({ file }, 'made an encryption key for development; in production give ENCRYPTION_KEY');
  return [secret];
}

/** What a person can mend, in one line; anything else as it is. */
function explain(error: unknown, { databaseUrl }: Pick<Config, 'databaseUrl'>): unknown {
  const { code, message } = error as { code?: string; message?: string };
  // libsql gives no code where it cannot open a file.
  const why = code || (message?.startsWith('ConnectionFailed') ? 'SQLITE_CANTOPEN' : '');
  if (DATABASE_PROBLEMS.test(why) || PATH_PROBLEMS.test(why)) {
    const what = databaseUrl.startsWith('sqlite:') ? 'path' : 'host, user, password and name';
    return new ConfigError(`DATABASE_URL: the database cannot be used (${why}); check ${what}`);
  }
  if (message?.startsWith('no encryption key')) {
    return new ConfigError('ENCRYPTION_KEY: the database was written under another key; add that key behind the first, after a comma');
  }
  return error;
}
