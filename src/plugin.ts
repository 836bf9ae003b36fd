import type { Middleware } from 'koa';
import type { Configuration, JWKS, Provider } from 'oidc-provider';
import { migrations } from '../migrations/index.ts';
import type { AccountsService } from './accounts/types.ts';
import type { AdminService } from './admin/types.ts';
import { tellSignOuts } from './accounts/sign-out.ts';
import { checkOptions, createContext, type TandemOptions } from './assembly/options.ts';
import { compose, ourPaths } from './assembly/paths.ts';
import { createRooms } from './assembly/rooms.ts';
import type { AuditService } from './audit/audit.ts';
import { AppError } from './errors.ts';
import type { ProtectOwn } from './guard/in-process.ts';
import type { KeysService } from './keys/service.ts';
import { migrate, rollback } from './lib/database/migrate.ts';
import { catchAll } from './lib/http/answers.ts';
import type { SecondFactorReset } from './recovery/reset.ts';

export type { TandemOptions };

export interface Tandem {
  /** Brings the schema up to date and loads the keys. Any number of processes may do so at once. */
  migrate(): Promise<string[]>;
  /** Takes the schema back, with all that is in it. */
  rollback(): Promise<string[]>;
  /** Merges Tandem into your configuration. Pure; throws on a clash, naming the key. Call {@link Tandem.migrate} before. */
  configure(configuration?: Configuration): Configuration;
  /** Binds Tandem to a provider that was made of {@link Tandem.configure}; the middleware goes into `provider.use`. */
  attach(provider: Provider): Middleware;
  /**
   * For a server of which nothing else is part; goes into `provider.use` before {@link Tandem.attach}. Answers the paths
   * that nobody serves, and what breaks outside of every route, as Tandem's own: by a page, or JSON where `Accept` asks for it.
   */
  catchAll(): Middleware;
  readonly keys: Omit<KeysService, 'load'> & {
    /**
     * Loads the keys if they changed, and tells whether they did. A provider keeps those that it was made with:
     * {@link Tandem.configure} takes the new ones for the next.
     */
    refresh(): Promise<boolean>;
  };
  /**
   * Guards a route in this process by access tokens of the attached provider: as `protect`, without HTTP to itself.
   *
   * @throws TypeError naming the option that is wrong, or a resource that is none of {@link TandemOptions.resources}; with the
   *   feature `admin()` it may be one of the registry, now or later
   * @example
   * router.get('/notes', t.protect({ resource: 'https://api.example.com', scopes: ['read'], acr: ACR.two }), async (ctx) => {
   *   ctx.body = await notesOf(ctx.state.auth.accountId);
   * });
   */
  readonly protect: ProtectOwn;
  /** Tandem's own accounts, where they are on. */
  readonly accounts: AccountsService | undefined;
  /**
   * Clients, resource servers, accounts and keys, as administrators look after them, where the feature admin() is on: the same service as beneath the
   * admin API, the admin pages and the command line.
   *
   * @example
   * const host: Actor = { kind: 'host', id: 'shop', authority: 'all' };
   * const { client, secret } = await t.admin!.clients.create({ client_name: 'Till', grant_types: ['client_credentials'] }, host);
   */
  readonly admin: AdminService | undefined;
  readonly secondFactor: {
    /**
     * Takes away an account's authenticators, recovery codes and, unless told to keep them, phones, as its administrator does for a person who has
     * lost them; this ends its sessions, is in the audit log, and told to the account. The password stays.
     *
     * @param options `by`: who does it, for the audit log
     * @returns what there was; nothing is done where there was nothing
     * @throws AppError `not_found` for an account that there is not
     *
     * @example
     * await t.secondFactor.reset({ email: 'ada@example.com', by: 'help desk: grace' });
     */
    reset(options: ({ readonly email: string } | { readonly accountId: string }) & { readonly keepPhones?: boolean; readonly by: string }): Promise<SecondFactorReset>;
  };
  /** What happened, newest first. */
  readonly audit: AuditService;
  /** Forgets what has expired, in small batches; runs by itself while a provider is attached. */
  sweep(): Promise<void>;
  /** Ends timers and open streams. The database stays yours. */
  close(): Promise<void>;
}

/** Milliseconds between two sweeps. */
const SWEEP_EVERY = 60_000;

/**
 * Adds Tandem to an oidc-provider.
 *
 * @example
 * const t = tandem({ db: knex, issuer, secrets: { encryption: [KEY] }, features: [accounts(), qr()] });
 * await t.migrate();
 * const provider = new Provider(issuer, t.configure({ clients }));
 * provider.use(t.attach(provider));
 */
export function tandem(options: TandemOptions): Tandem {
  checkOptions(options);
  const context = createContext(options, options.issuer.replace(/\/$/, ''));
  const { accounts, admin, audit, directory, http, keys, oidc, protect, recovery, registration, router, twoCall, sweepers, closers } = createRooms(context, options);
  const { db, log } = context;
  /** The keys of the provider that is made next; a provider does not tell its own. */
  let configured: JWKS | undefined;

  async function sweep(): Promise<void> {
    for (const each of sweepers) await each();
  }

  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | undefined;
  function sweepNow() {
    sweeping ??= sweep()
      .catch((error: unknown) => log.error({ err: error }, 'sweeping failed'))
      .finally(() => (sweeping = undefined));
  }

  async function accountOf(who: { email: string } | { accountId: string }): Promise<string> {
    const found = 'email' in who ? (await accounts?.findByEmail(who.email))?.id : (await directory?.find(who.accountId))?.accountId;
    if (found === undefined) throw new AppError('not_found', 'there is no such account');
    return found;
  }

  return {
    async migrate() {
      const done = await migrate(options.db, migrations);
      await keys.refresh();
      return done;
    },
    rollback: () => rollback(options.db, migrations),
    configure(configuration) {
      const merged = oidc.configure(configuration);
      configured = merged.jwks;
      return merged;
    },
    attach(provider) {
      const [pin, mend] = oidc.attach(provider);
      if (configured) twoCall?.attach(provider, configured);
      timer ??= setInterval(sweepNow, SWEEP_EVERY).unref();
      return compose([pin, ourPaths(router, http), mend, ...(registration ? [registration.attach(provider)] : []), ...(accounts ? [tellSignOuts(accounts)] : [])]);
    },
    catchAll: () => compose([http.middleware, catchAll()]),
    protect,
    accounts,
    admin,
    secondFactor: {
      async reset({ keepPhones = false, by, ...who }) {
        if (!recovery) throw new Error('tandem: without qr() and totp() no account has a second factor');
        return recovery.reset(await accountOf(who), { keepPhones, by });
      },
    },
    audit,
    keys: { ...keys.service, refresh: keys.refresh },
    sweep,
    async close() {
      clearInterval(timer);
      await sweeping;
      for (const end of closers.reverse()) await end();
      await db.close();
    },
  };
}
