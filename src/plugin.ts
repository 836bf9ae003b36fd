import Router from '@koa/router';
import type { Knex } from 'knex';
import type { Middleware } from 'koa';
import type { Configuration, JWKS, Provider } from 'oidc-provider';
import { migrations } from '../migrations/index.ts';
import { createAccounts, type AccountsService } from './accounts/accounts.ts';
import { emailKey } from './accounts/email.ts';
import type { AccountItem } from './accounts/items.ts';
import { accountRoutes } from './accounts/routes.ts';
import { createPasswordSignIn } from './accounts/sign-in.ts';
import { tellSignOuts } from './accounts/sign-out.ts';
import { createAudit, type AuditService } from './audit/audit.ts';
import type { Context } from './context.ts';
import { createDevices } from './devices/devices.ts';
import { AppError } from './errors.ts';
import { createFactors } from './factors/factors.ts';
import type { AccountsFeature, Feature, QrFeature, TotpFeature } from './features.ts';
import { createProtect, type ProtectOwn } from './guard/in-process.ts';
import { createKeys, type KeySet, type KeysOptions, type KeysService } from './keys/service.ts';
import { systemClock, type Clock } from './lib/clock.ts';
import { createDatabase } from './lib/database/database.ts';
import { migrate, rollback } from './lib/database/migrate.ts';
import { createSweeper } from './lib/database/sweeper.ts';
import { createEvents, type EventHandlers } from './lib/events.ts';
import { catchAll, methodNotAllowed } from './lib/http/answers.ts';
import { createHttp, type Http } from './lib/http/http.ts';
import { createKeyRing } from './lib/key-ring.ts';
import { createLimits } from './lib/limits.ts';
import { silentLog, type Log } from './lib/log.ts';
import type { Theme } from './lib/views/views.ts';
import { createNotices, type NoticesOptions } from './notices/notices.ts';
import { createAdapter } from './oidc/adapter.ts';
import type { AccountDirectory } from './oidc/accounts.ts';
import { ACR } from './oidc/acr.ts';
import { createOidc } from './oidc/oidc.ts';
import { checkResources, type Resource, type Resources } from './oidc/configuration/resources.ts';
import type { SecondFactors, SignInMethod } from './oidc/sign-in.ts';
import { sectorOf } from './oidc/subjects/subjects.ts';
import { createPasskeySignIn } from './passkeys/passkeys.ts';
import { createPhoneApp } from './phone/routes.ts';
import { createQr } from './qr/qr.ts';
import { createRecovery } from './recovery/recovery.ts';
import type { SecondFactorReset } from './recovery/reset.ts';
import { createTotp, type TotpRoom } from './totp/totp.ts';
import { apiOf, twoCallResource } from './totp/two-call/resource.ts';
import { createTwoCall, type TwoCall } from './totp/two-call/two-call.ts';

export interface TandemOptions {
  /** Your knex instance; Tandem's tables are prefixed `tandem_`. You end it. */
  readonly db: Knex;
  /** The provider's issuer identifier: an origin, or an origin and a mount path. */
  readonly issuer: string;
  readonly secrets: {
    /** 32 bytes each, base64url: the first encrypts, all decrypt. */
    readonly encryption: readonly string[];
  };
  readonly features?: readonly Feature[];
  /** Called after the commit of what happened; what they throw is logged and changes nothing. */
  readonly on?: EventHandlers;
  /** Resource servers that access tokens can be made for, by resource indicator. */
  readonly resources?: Resources;
  /** The level at which everybody must sign in: 2 for two factors (`acr` `urn:tandem:acr:2`); default: 1. */
  readonly level?: 1 | 2;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly theme?: Theme;
  /** Where the phone web app lives, if not on the issuer's origin. */
  readonly phone?: { readonly origin?: string };
  readonly keys?: KeysOptions;
  /** Where notices to accounts about their security go: by SMTP, into a folder (default: `data/mail`), or to you. */
  readonly notices?: NoticesOptions;
  readonly audit?: {
    /** Days for which the audit log is kept; for ever unless given. Older events are swept. */
    readonly keepDays?: number;
  };
}

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
   * @throws TypeError naming the option that is wrong, or a resource that is none of {@link TandemOptions.resources}
   * @example
   * router.get('/notes', t.protect({ resource: 'https://api.example.com', scopes: ['read'], acr: ACR.two }), async (ctx) => {
   *   ctx.body = await notesOf(ctx.state.auth.accountId);
   * });
   */
  readonly protect: ProtectOwn;
  /** Tandem's own accounts, where they are on. */
  readonly accounts: AccountsService | undefined;
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
const DAY = 24 * 3_600_000;

const OPTIONS = ['db', 'issuer', 'secrets', 'features', 'on', 'resources', 'level', 'clock', 'log', 'theme', 'phone', 'keys', 'notices', 'audit'];

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
  const issuer = options.issuer.replace(/\/$/, '');
  const { features = [], level = 1 } = options;
  const context = createContext(options, issuer);
  const { db, log } = context;
  const feature = <F extends Feature>(name: F['name']) => features.find((each) => each.name === name) as F | undefined;
  const accountsFeature = feature<AccountsFeature>('accounts');
  const qrFeature = feature<QrFeature>('qr');
  const totpFeature = feature<TotpFeature>('totp');
  const resources = withApi(options.resources ?? {}, issuer, accountsFeature && totpFeature && twoCallResource);

  const home = accountsFeature ? '/account' : qrFeature ? '/account/devices' : totpFeature && '/account/authenticators';
  const http = createHttp(context, { theme: options.theme, accountPage: home });
  const keys = createKeys(context, options.keys);
  let keySet: KeySet | undefined;
  /** The keys of the provider that is made next; a provider does not tell its own. */
  let configured: JWKS | undefined;
  const sweepers: Array<() => Promise<unknown>> = [];
  const closers: Array<() => unknown> = [() => http.close()];
  const methods: SignInMethod[] = [];
  /** What the rooms have on the account's page, in its order. */
  const items: AccountItem[] = [];
  const router = new Router();

  const audit = createAudit(context);
  const accounts = accountsFeature && createAccounts(context, accountsFeature.options);
  let devices: ReturnType<typeof createDevices> | undefined;
  let totp: TotpRoom | undefined;
  const secondFactors: SecondFactors = {
    required: async (accountId, tx) => (await totp?.service.required(accountId, tx)) ?? false,
    // Where codes are on, an authenticator is added in the middle of a sign-in; a phone is not.
    attainable: async (accountId) => totpFeature !== undefined || (await devices?.service.reach(accountId)) === ACR.twoQr,
  };
  // The rooms of the factors ask the rule, and the rule asks them.
  const factors = createFactors({
    phones: async (accountId, tx) => devices?.service.reach(accountId, tx),
    lostUnproven: async (accountId, tx) => (await devices?.service.lostUnproven(accountId, tx)) ?? false,
    authenticators: async (accountId, tx) => (await totp?.service.required(accountId, tx)) ?? false,
  });
  const oidc = createOidc(context, {
    http,
    resources,
    adapter: createAdapter(context),
    findAccount: accounts?.findAccount,
    home: home ?? '/account',
    devices: { usable: async (deviceId, tx) => devices?.service.usable(deviceId, tx) },
    secondFactors,
    level,
    keys() {
      if (!keySet) throw new Error('await migrate() before configure(): it loads the keys');
      // Copies: the library may write into what it is configured with.
      return { jwks: { keys: keySet.jwks.keys.map((key) => ({ ...key })) } as JWKS, cookieKeys: [...keySet.cookieKeys] };
    },
  });
  const protect = createProtect(context, oidc.tokens, resources);
  const expiring = createSweeper(context);
  expiring.register({ table: 'tandem_oidc', column: 'expires_at' }, { table: 'tandem_limits', column: 'expires_at' });
  if (options.audit?.keepDays !== undefined) expiring.register({ table: 'tandem_events', column: 'at', keepFor: options.audit.keepDays * DAY });
  sweepers.push(() => expiring.sweep(), () => oidc.sweep(), () => keys.prune());
  closers.push(() => oidc.settled());
  const pages = oidc.routes(router, methods);

  if (accounts) {
    const password = createPasswordSignIn({ context, accounts, interactions: oidc.interactions, secondFactors, http, showSignIn: pages.signInPage });
    password.routes(router);
    methods.push(password);
    accountRoutes(router, { issuer, accounts, gate: oidc.gate, http, items });
  }

  const recoveryAccounts = qrFeature?.options.accounts ?? totpFeature?.options.accounts ?? accounts;
  const recovery = (qrFeature || totpFeature) && recoveryAccounts && createRecovery(context, {
    accounts: recoveryAccounts,
    gate: oidc.gate,
    views: http.views,
    browsers: http.browsers,
    factors,
    home: home ?? '/account',
    hashing: accountsFeature?.options.hashing,
    held: {
      any: factors.any,
      authenticators: secondFactors.required,
      async names(accountId) {
        const [phones = [], authenticators = []] = [await devices?.service.list(accountId), await totp?.service.list(accountId)];
        return { phones: phones.map(({ name }) => name), authenticators: authenticators.map(({ name }) => name) };
      },
      lostUnproven: async (accountId, tx) => (await devices?.service.lostUnproven(accountId, tx)) ?? false,
      endPhones: async (tx, accountId, reason, address) => (await devices?.service.loseAll(tx, accountId, reason, address)) ?? 0,
      endAuthenticators: async (tx, accountId, reason, address) => (await totp?.service.removeAll(tx, accountId, reason, { address })) ?? 0,
      async proven(tx, accountId) {
        await devices?.service.vouch(accountId, tx);
        await devices?.service.liftCap(accountId, tx);
      },
    },
  });
  recovery?.routes(router, oidc.interactions);

  const notices = createNotices(context, { options: options.notices, accounts: recoveryAccounts, views: http.views, home: home ?? '/account' });

  if (qrFeature) {
    const { accounts: hostAccounts, ...qrOptions } = qrFeature.options;
    const directory = directoryFor('qr', hostAccounts);
    const rooms = { accounts: directory, gate: oidc.gate, browsers: http.browsers, views: http.views, phoneOrigin: options.phone?.origin };
    const phones = (devices = createDevices(context, { ...rooms, factors, showFirstCodes: recovery?.showFirstCodes, name: options.theme?.name, home: accounts && '/account', others: accounts ? [] : items }));
    const { passkeys } = phones.service;
    const passkey = passkeys && createPasskeySignIn(context, { ...rooms, passkeys, devices: phones.service });
    const qr = createQr(context, { ...qrOptions, ...rooms, devices: phones.service, secondFactors, below: passkey });
    phones.routes(router);
    items.push(phones.item);
    createPhoneApp(context, { views: http.views, name: options.theme?.name, origin: options.phone?.origin }).routes(router);
    passkey?.routes(router, oidc.interactions);
    qr.routes(router, oidc.interactions);
    methods.push(qr.method);
    sweepers.push(() => phones.service.sweep(), () => qr.sweep());
    closers.push(() => qr.close());
  }

  if (totpFeature) {
    const { accounts: hostAccounts, ...totpOptions } = totpFeature.options;
    const room = (totp = createTotp(context, {
      ...totpOptions,
      accounts: directoryFor('totp', hostAccounts),
      gate: oidc.gate,
      http,
      showSignIn: pages.signInPage,
      recovery: recovery?.service,
      factors,
      name: options.theme?.name,
      home: accounts && '/account',
      others: accounts ? [] : items,
      showFirstCodes: recovery?.showFirstCodes,
      verified: async (tx, accountId) => devices?.service.liftCap(accountId, tx),
    }));
    room.routes(router, oidc.interactions);
    items.push(room.item);
    // Its panel stands first on the pages that it is on.
    methods.unshift(room.method);
    sweepers.push(() => room.service.sweep());
  }

  let twoCall: TwoCall | undefined;
  if (totp && totpFeature && accounts) {
    const api = (twoCall = createTwoCall(context, {
      ...totpFeature.options,
      accounts,
      authenticators: totp.service,
      factors,
      emailKey,
      protect,
      // A caller that is no client has a sector of its own; a client's begins with another word.
      subjectOf: (accountId, client) => oidc.subjects!.of(client ? sectorOf(client) : 'two-call', accountId),
      home: '/account',
    }));
    api.routes(router);
    sweepers.push(() => api.sweep());
  }

  function directoryFor(name: 'qr' | 'totp', hostAccounts: AccountDirectory | undefined): AccountDirectory {
    const directory = hostAccounts ?? accounts;
    if (!directory) throw new TypeError(`tandem: ${name}() needs to know the accounts: add accounts(), or give ${name}({ accounts }) your own`);
    return directory;
  }

  if (recovery) {
    methods.push(recovery.method);
    items.push(recovery.item);
  }

  async function accountOf(who: { email: string } | { accountId: string }): Promise<string> {
    const found = 'email' in who ? (await accounts?.findByEmail(who.email))?.id : (await recoveryAccounts?.find(who.accountId))?.accountId;
    if (found === undefined) throw new AppError('not_found', 'there is no such account');
    return found;
  }

  // Last to sweep, as a mail server may take its time, and first to close, while there is a database.
  sweepers.push(() => notices.sweep());
  closers.push(() => notices.close());

  async function refreshKeys(): Promise<boolean> {
    if ((await keys.ensure()) === keySet?.version) return false;
    keySet = await keys.load();
    return true;
  }

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

  return {
    async migrate() {
      const done = await migrate(options.db, migrations);
      await refreshKeys();
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
      return compose([pin, ourPaths(router, http), mend, ...(accounts ? [tellSignOuts(accounts)] : [])]);
    },
    catchAll: () => compose([http.middleware, catchAll()]),
    protect,
    accounts,
    secondFactor: {
      async reset({ keepPhones = false, by, ...who }) {
        if (!recovery) throw new Error('tandem: without qr() and totp() no account has a second factor');
        return recovery.reset(await accountOf(who), { keepPhones, by });
      },
    },
    audit,
    keys: { ...keys, refresh: refreshKeys },
    sweep,
    async close() {
      clearInterval(timer);
      await sweeping;
      for (const end of closers.reverse()) await end();
      await db.close();
    },
  };
}

/** Adds the provider's own API, where something of it is on. */
function withApi(given: Resources, issuer: string, api: Resource | undefined): Resources {
  if (!api) return given;
  if (Object.hasOwn(given, apiOf(issuer))) throw new TypeError(`tandem: resources clashes with Tandem: ${apiOf(issuer)} is its own API`);
  return { ...given, [apiOf(issuer)]: api };
}

function checkOptions(options: TandemOptions): void {
  const unknown = Object.keys(options).filter((key) => !OPTIONS.includes(key));
  if (unknown.length) throw new TypeError(`tandem: there is no option ${unknown.join(', ')}; there are ${OPTIONS.join(', ')}`);
  if (!URL.canParse(options.issuer) || /[?#]/.test(options.issuer)) throw new TypeError('tandem: issuer must be a URL without query and fragment');
  if (options.level !== undefined && ![1, 2].includes(options.level)) throw new TypeError('tandem: level must be 1 or 2');
  checkResources(options.resources ?? {});
  const { keepDays = 1, ...others } = options.audit ?? {};
  if (!Number.isFinite(keepDays) || keepDays <= 0) throw new TypeError('tandem: audit.keepDays must be a number of days above 0');
  const [other] = Object.keys(others);
  if (other !== undefined) throw new TypeError(`tandem: there is no option audit.${other}; there is keepDays`);
  const names = (options.features ?? []).map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw new TypeError(`tandem: the feature ${twice}() is listed twice`);
}

function createContext({ db: knex, secrets, on, clock = systemClock, log = silentLog }: TandemOptions, issuer: string): Context {
  const db = createDatabase(knex);
  const events = createEvents({ clock, log, ...(on && { on }) });
  return { issuer, db, clock, log, keyRing: createKeyRing(secrets.encryption), limits: createLimits({ db, clock }), events };
}

/**
 * Answers the paths that are ours by their first segment, each with the routes below it alone: neither tokens nor polls look through
 * every page for theirs.
 */
function ourPaths(router: Router, http: Http): Middleware {
  const first = (path: string) => path.split('/', 2)[1] ?? '';
  const routers = new Map<string, Router>();
  for (const layer of router.stack) {
    const segment = first(String(layer.path));
    const below = routers.get(segment) ?? new Router();
    below.stack.push(layer);
    routers.set(segment, below);
  }
  const ours = new Map<string, Middleware>([['assets', http.views.assets]]);
  for (const [segment, below] of routers) ours.set(segment, compose([http.middleware, below.routes() as unknown as Middleware, methodNotAllowed()]));
  return (ctx, next) => (ours.get(first(ctx.path)) ?? pass)(ctx, next);
}

const pass: Middleware = (_ctx, next) => next();

/** One middleware of several, put together once. */
function compose(stack: readonly Middleware[]): Middleware {
  return stack.reduceRight<Middleware>(
    (rest, each) => (ctx, next) => each(ctx, async () => rest(ctx, next)),
    pass,
  );
}
