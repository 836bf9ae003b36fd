import Router from '@koa/router';
import type { JWKS } from 'oidc-provider';
import { createAccounts } from '../accounts/accounts.ts';
import { accountRoutes } from '../accounts/routes.ts';
import { createPasswordSignIn } from '../accounts/sign-in.ts';
import { createRoles } from '../admin/roles/roles.ts';
import { createAudit } from '../audit/audit.ts';
import { clientRoutes } from '../clients/routes.ts';
import type { Context } from '../context.ts';
import { createChangeGate } from '../factors/change-gate.ts';
import { createProtect } from '../guard/in-process.ts';
import { createKeys, type KeySet } from '../keys/service.ts';
import { createSweeper } from '../lib/database/sweeper.ts';
import { createHttp } from '../lib/http/http.ts';
import { createApi } from '../lib/http/operation.ts';
import { createNotices } from '../notices/notices.ts';
import { createAdapter } from '../oidc/adapter.ts';
import { fixedResources } from '../oidc/configuration/resources.ts';
import { createOidc } from '../oidc/oidc.ts';
import { addAdmin } from './admin-rooms.ts';
import { createAuthorize } from './api/authorize.ts';
import { addDocument } from './api/document.ts';
import { withOwnApi } from './api/resource.ts';
import { addEnrolment, managedAccountsOf } from './enrolment-rooms.ts';
import { addQr, addRecovery, addTotp, addTwoCall } from './factor-rooms.ts';
import { factorsOf, featuresOf, secondFactorsOf, type Features, type Frame, type Late } from './frame.ts';
import type { TandemOptions } from './options.ts';
import { clientsOf, registrationOf, resourcesOf } from './registry-rooms.ts';

const DAY = 24 * 3_600_000;

export type Rooms = ReturnType<typeof createRooms>;

/** Makes the rooms of the features that are on, each with what it needs of the others. */
export function createRooms(context: Context, options: TandemOptions) {
  const features = featuresOf(options.features);
  const keys = createLoadedKeys(context, options);
  const audit = createAudit(context);
  const frame = createFrame(context, options, features, keys.current);
  const { http, oidc, router, sweepers, closers } = frame;

  const expiring = createSweeper(context);
  expiring.register({ table: 'tandem_oidc', column: 'expires_at' }, { table: 'tandem_limits', column: 'expires_at' });
  if (options.audit?.keepDays !== undefined) expiring.register({ table: 'tandem_events', column: 'at', keepFor: options.audit.keepDays * DAY });
  sweepers.push(() => expiring.sweep(), () => oidc.sweep(), () => keys.service.prune());
  closers.push(() => http.close(), () => oidc.settled());

  if (frame.registration) sweepers.push(() => frame.registration!.sweep());
  addAccounts(frame);
  if (frame.clients) clientRoutes(router, frame.clients);
  const directory = features.qr?.options.accounts ?? features.totp?.options.accounts ?? frame.accounts;
  const recovery = (features.qr || features.totp) && directory && addRecovery(frame, directory);
  const phones = features.qr && addQr(frame, recovery);
  addEnrolment(frame, phones);
  if (features.totp) addTotp(frame, recovery);
  const twoCall = addTwoCall(frame);
  recovery?.finish();
  const admin = addAdmin(frame, { audit, keys: keys.service, directory, reset: recovery?.reset });

  addDocument(frame);

  // Last to sweep, as a mail server may take its time, and first to close, while there is a database.
  const notices = createNotices(context, { options: options.notices, accounts: directory, views: http.views, home: frame.home });
  sweepers.push(() => notices.sweep());
  closers.push(() => notices.close());

  return { accounts: frame.accounts, admin, audit, directory, http, keys, oidc, protect: frame.protect, recovery, registration: frame.registration, router, twoCall, sweepers, closers };
}

/** The keys, and those of them that the next provider is made with. */
function createLoadedKeys(context: Context, options: TandemOptions) {
  const service = createKeys(context, options.keys);
  let loaded: KeySet | undefined;
  return {
    service,
    current(): { jwks: JWKS; cookieKeys: string[] } {
      if (!loaded) throw new Error('await migrate() before configure(): it loads the keys');
      // Copies: the library may write into what it is configured with.
      return { jwks: { keys: loaded.jwks.keys.map((key) => ({ ...key })) } as JWKS, cookieKeys: [...loaded.cookieKeys] };
    },
    /** Loads the keys if they changed, and tells whether they did. */
    async refresh(): Promise<boolean> {
      if ((await service.ensure()) === loaded?.version) return false;
      loaded = await service.load();
      return true;
    },
  };
}

function createFrame(context: Context, options: TandemOptions, features: Features, keys: () => { jwks: JWKS; cookieKeys: string[] }): Frame {
  const { issuer } = context;
  const ownHome = features.accounts ? '/account' : features.qr ? '/account/devices' : features.totp && '/account/authenticators';
  const home = ownHome ?? '/account';
  const http = createHttp(context, { theme: options.theme, accountPage: ownHome });
  const accounts = features.accounts && createAccounts(context, features.accounts.options);
  const fixed = withOwnApi(options, features, issuer);
  const late: Late = {};
  const registry = resourcesOf(context, { features, theme: options.theme, fixed, holders: () => late.clients, algorithms: () => oidc.algorithms() });
  const resources = registry ?? fixedResources(fixed);
  const secondFactors = secondFactorsOf(late, features);
  const clients = clientsOf(context, { features, registry });
  const registration = registrationOf(context, { features, registry });
  const oidc = createOidc(context, {
    http,
    resources,
    fixed,
    adapter: createAdapter(context),
    clients,
    registration: registration?.provider,
    findAccount: accounts?.findAccount,
    home,
    devices: { usable: async (deviceId, tx) => late.devices?.usable(deviceId, tx) },
    secondFactors,
    level: options.level ?? 1,
    keys,
  });
  if (clients) late.clients = clients;
  const [protect, roles] = [createProtect(context, oidc.tokens, { fixed, registry }), createRoles(context)];
  const [router, methods, factors] = [new Router(), [] as Frame['methods'], factorsOf(late)];
  return {
    context, options, features, home, http, router, oidc, accounts, secondFactors, late, methods, resources, registry, clients, registration,
    pages: oidc.routes(router, methods),
    protect,
    api: createApi({ router, authorize: createAuthorize(context, { protect, tokens: oidc.tokens, roles }) }),
    managed: managedAccountsOf(context, { features, tokens: oidc.tokens }),
    factors,
    changes: createChangeGate(context, { factors, gate: oidc.gate, views: http.views }),
    items: [],
    roles,
    sweepers: [],
    closers: [],
  };
}

/** Tandem's own accounts: their pages, and the password as a way to sign in. */
function addAccounts({ context, http, router, oidc, pages, accounts, secondFactors, methods, items }: Frame): void {
  if (!accounts) return;
  const password = createPasswordSignIn({ context, accounts, interactions: oidc.interactions, secondFactors, http, showSignIn: pages.signInPage });
  password.routes(router);
  methods.push(password);
  accountRoutes(router, { accounts, gate: oidc.gate, http, items });
}
