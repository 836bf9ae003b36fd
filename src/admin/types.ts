import type { Account } from '../accounts/types.ts';
import type { AuditService } from '../audit/audit.ts';
import type { ClientRegistry } from '../clients/types.ts';
import type { Device } from '../devices/device-store.ts';
import type { KeysService } from '../keys/service.ts';
import type { Actor } from '../lib/actor.ts';
import type { PageAsked } from '../lib/paging.ts';
import type { SecondFactorReset } from '../recovery/reset.ts';
import type { InitialAccessTokens } from '../registration/types.ts';
import type { ResourceRegistry } from '../resources/types.ts';
import type { ApplyDocument, ApplyOptions, ApplyResult } from './apply/types.ts';

/** An account as administrators see it. */
export interface AdminAccount extends Account {
  readonly admin: boolean;
  /** Whether it has a password; those that backends made may have none. */
  readonly password: boolean;
  /** How many it can approve with. */
  readonly phones: number;
  /** How many authenticator apps are in use. */
  readonly authenticators: number;
}

/** People: at `t.admin.accounts`. Where their accounts are a host's own, those methods that make or list accounts throw `not_found`. */
export interface AdminAccounts {
  /**
   * The newest first.
   *
   * @param query `search`: part of an e-mail address or name; `admin`: administrators alone, or all but those
   * @throws AppError `invalid_request` for a limit or a cursor that makes no sense
   */
  list(query?: { search?: string | undefined; admin?: boolean | undefined }, page?: PageAsked): Promise<{ accounts: readonly AdminAccount[]; cursor?: string }>;
  /** @param idOrEmail either of the two @throws AppError `not_found` */
  get(idOrEmail: string): Promise<AdminAccount>;
  /**
   * Makes an account; without a password one is made up and told this once.
   *
   * @param input `locale`: BCP 47; `exempt`: as an administrator its first phone counts in full at once, as for who sets the installation up
   * @returns with `password` where it was made up
   * @throws AppError `email_taken`, `weak_password`, `invalid_request`; `access_denied` for an administrator where the actor is a client for itself
   *
   * @example
   * const { password } = await t.admin!.accounts.create({ email: 'ada@example.com', admin: true }, { kind: 'host', id: 'set-up', authority: 'all' });
   */
  create(
    input: { email: string; name?: string | undefined; password?: string | undefined; locale?: string | undefined; admin?: boolean | undefined; exempt?: boolean | undefined },
    actor: Actor,
  ): Promise<{ account: AdminAccount; password?: string }>;
  /**
   * Makes an administrator of an account, or takes the role away.
   *
   * @throws AppError `not_found`; `conflict` where it would leave nobody an administrator and the actor is not the command line, and where a client
   *   manages the account; `access_denied` where the actor is a client for itself
   */
  setAdmin(idOrEmail: string, admin: boolean, actor: Actor): Promise<AdminAccount>;
  /**
   * Takes away an account's authenticators, recovery codes and, unless told to keep them, phones, for a person who has lost them; this ends its
   * sessions and is told to the account. The password stays.
   *
   * @throws AppError `not_found`; `access_denied` for an administrator's where the actor is a client for itself
   */
  resetSecondFactor(idOrEmail: string, options: { keepPhones?: boolean | undefined }, actor: Actor): Promise<SecondFactorReset>;
  /** The phones that it can approve with, oldest first. @throws AppError `not_found` */
  devices(idOrEmail: string): Promise<readonly Device[]>;
  /**
   * Locks a phone out.
   *
   * @param reason `lost` also ends what the phone has approved
   * @throws AppError `not_found`
   */
  revokeDevice(deviceId: string, reason: 'lost' | 'retired', actor: Actor): Promise<Device>;
  /**
   * Gives the account to a client that manages accounts (`POST /api/accounts`, `/omi/qr/enrol`); returns the subject by which the client knows it.
   *
   * @throws AppError `not_found`; `conflict` for an administrator's account, which no client manages
   */
  giveTo(clientId: string, idOrEmail: string, actor: Actor): Promise<{ subject: string }>;
  /** Takes it from the client again, with the enrolments that are under way. @throws AppError `not_found` */
  takeFrom(clientId: string, idOrEmail: string, actor: Actor): Promise<void>;
  /**
   * The accounts that a client looks after.
   *
   * @returns `subject`: how the client knows the account; `since`: milliseconds since the epoch
   * @throws AppError `not_found` where there is no such client, `invalid_request`
   */
  managedBy(clientId: string, page?: PageAsked): Promise<{ accounts: readonly { accountId: string; subject: string; since: number }[]; cursor?: string }>;
}

/**
 * What administrators do: the one service beneath the admin API, the admin pages and the command line; at `t.admin`. Every change is in the audit
 * log with its actor.
 *
 * @example
 * const host: Actor = { kind: 'host', id: 'shop', authority: 'all' };
 * await t.admin!.resources.create({ identifier: 'https://api.example.com', scopes: [{ name: 'orders:read', description: { en: 'Read your orders' }, level: 1 }] }, host);
 */
export interface AdminService {
  readonly clients: ClientRegistry;
  readonly resources: ResourceRegistry;
  readonly registrationTokens: InitialAccessTokens;
  readonly accounts: AdminAccounts;
  readonly keys: Omit<KeysService, 'load'>;
  readonly audit: AuditService;
  /** Whether the account may administer. */
  isAdmin(accountId: string): Promise<boolean>;
  /**
   * Makes the registry what a document says, step by step: where one is refused, those before it stay, and the document can be applied again.
   *
   * @param options `dryRun`: only tells what it would do
   * @throws AppError as the changes do: `invalid_request`, `conflict`, `insufficient_scope`
   *
   * @example
   * const { steps } = await t.admin!.apply({ clients: [{ client_id: 'till', client_name: 'Till', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }] }, host, { dryRun: true });
   */
  apply(document: ApplyDocument, actor: Actor, options?: ApplyOptions): Promise<ApplyResult>;
}
