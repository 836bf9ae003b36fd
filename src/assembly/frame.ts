import type Router from '@koa/router';
import type { AccountsService } from '../accounts/types.ts';
import type { AccountItem } from '../accounts/items.ts';
import type { Roles } from '../admin/roles/roles.ts';
import type { ManagedAccounts } from '../clients/managed-accounts/managed-accounts.ts';
import type { Clients } from '../clients/types.ts';
import type { Context } from '../context.ts';
import type { Devices } from '../devices/devices.ts';
import type { ChangeGate } from '../factors/change-gate.ts';
import { createFactors, type Factors } from '../factors/factors.ts';
import type { AccountsFeature, AdminFeature, EnrolmentFeature, Feature, QrFeature, TotpFeature } from '../features.ts';
import type { ProtectOwn } from '../guard/in-process.ts';
import type { Http } from '../lib/http/http.ts';
import type { Api } from '../lib/http/operation.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import { ACR } from '../oidc/acr.ts';
import type { ResourceServers } from '../oidc/configuration/resources.ts';
import type { createOidc } from '../oidc/oidc.ts';
import type { OidcPages } from '../oidc/sign-in/routes.ts';
import type { SecondFactors, SignInMethod } from '../oidc/sign-in/sign-in.ts';
import type { Recovery, ShowFirstCodes } from '../recovery/recovery.ts';
import type { Registration } from '../registration/registration.ts';
import type { ResourceRegistry, ScopeHolders } from '../resources/types.ts';
import type { Authenticators } from '../totp/authenticators/authenticators.ts';
import type { TandemOptions } from './options.ts';

/** The features that were listed. */
export interface Features {
  readonly accounts: AccountsFeature | undefined;
  readonly qr: QrFeature | undefined;
  readonly totp: TotpFeature | undefined;
  readonly enrolment: EnrolmentFeature | undefined;
  readonly admin: AdminFeature | undefined;
}

export function featuresOf(features: readonly Feature[] = []): Features {
  const find = <F extends Feature>(name: F['name']) => features.find((each) => each.name === name) as F | undefined;
  return {
    accounts: find<AccountsFeature>('accounts'),
    qr: find<QrFeature>('qr'),
    totp: find<TotpFeature>('totp'),
    enrolment: find<EnrolmentFeature>('enrolment'),
    admin: find<AdminFeature>('admin'),
  };
}

/** Rooms that others ask, and that are made after those. */
export interface Late {
  devices?: Devices;
  authenticators?: Authenticators;
  clients?: ScopeHolders;
}

/** What the rooms are put into: each is given its part of it, and adds what it has. */
export interface Frame {
  readonly context: Context;
  readonly options: TandemOptions;
  readonly features: Features;
  /** Path of the account's pages. */
  readonly home: string;
  readonly http: Http;
  readonly router: Router;
  readonly oidc: ReturnType<typeof createOidc>;
  readonly pages: OidcPages;
  readonly protect: ProtectOwn;
  /** Where the operations of the provider's own API are declared. */
  readonly api: Api;
  /** All resource servers: Tandem's own API, the host's, and with admin() those of the registry. */
  readonly resources: ResourceServers;
  /** Those of the database among them, where their registry is on. */
  readonly registry: ResourceRegistry | undefined;
  /** The clients in the database, where their registry is on. */
  readonly clients: Clients | undefined;
  /** Clients that register themselves, where the registry is on. */
  readonly registration: Registration | undefined;
  readonly accounts: AccountsService | undefined;
  /** The accounts that clients look after, where the enrolment API is on. */
  readonly managed: ManagedAccounts | undefined;
  /** Who may administer. */
  readonly roles: Roles;
  readonly factors: Factors;
  readonly changes: ChangeGate;
  readonly secondFactors: SecondFactors;
  readonly late: Late;
  /** Ways to sign in, in the order of their panels. */
  readonly methods: SignInMethod[];
  /** What the rooms have on the account's page, in its order. */
  readonly items: AccountItem[];
  readonly sweepers: Array<() => Promise<unknown>>;
  /** Called last to first. */
  readonly closers: Array<() => unknown>;
}

/** Recovery codes, as the rooms of the factors know them. */
export interface FirstCodes {
  readonly service: Recovery;
  readonly showFirstCodes: ShowFirstCodes;
}

/** The rooms of the factors ask the rule, and the rule asks them. */
export function factorsOf(late: Late): Factors {
  return createFactors({
    phones: async (accountId, tx) => late.devices?.reach(accountId, tx),
    lostUnproven: async (accountId, tx) => (await late.devices?.lostUnproven(accountId, tx)) ?? false,
    authenticators: async (accountId, tx) => (await late.authenticators?.required(accountId, tx)) ?? false,
  });
}

/** What the provider asks of the factors. */
export function secondFactorsOf(late: Late, { totp }: Features): SecondFactors {
  return {
    required: async (accountId, tx) => (await late.authenticators?.required(accountId, tx)) ?? false,
    // Where codes are on, an authenticator is added in the middle of a sign-in; a phone is not.
    attainable: async (accountId) => totp !== undefined || (await late.devices?.reach(accountId)) === ACR.twoQr,
  };
}

/** The accounts of a feature: the host's, or Tandem's own. @throws TypeError where there are none */
export function directoryFor({ features, accounts }: Pick<Frame, 'features' | 'accounts'>, name: 'qr' | 'totp'): AccountDirectory {
  const directory = features[name]?.options.accounts ?? accounts;
  if (!directory) throw new TypeError(`tandem: ${name}() needs to know the accounts: add accounts(), or give ${name}({ accounts }) your own`);
  return directory;
}
