import type { Account } from '../accounts/accounts.ts';
import type { AuditService } from '../audit/audit.ts';
import type { ClientRegistry } from '../clients/types.ts';
import type { Device } from '../devices/device-store.ts';
import type { KeysService } from '../keys/service.ts';
import type { Actor } from '../lib/actor.ts';
import type { SecondFactorReset } from '../recovery/reset.ts';
import type { InitialAccessTokens } from '../registration/types.ts';
import type { ResourceRegistry } from '../resources/types.ts';
import type { ApplyDocument, ApplyOptions, ApplyResult } from './apply/types.ts';

/** An account as administrators see it. */
export interface AdminAccount extends Account {
  readonly admin: boolean;
  /** Whether it has a password; those that backends made may have none. */
  readonly password: boolean;
  readonly phones: number;
  readonly authenticators: number;
}

export interface AdminAccounts {
  /** `search`: part of an e-mail address or name. */
  list(query?: { search?: string | undefined; admin?: boolean | undefined }, page?: { limit?: number | undefined; cursor?: string | undefined }): Promise<{ accounts: readonly AdminAccount[]; cursor?: string }>;
  /** @param idOrEmail either of the two @throws AppError `not_found` */
  get(idOrEmail: string): Promise<AdminAccount>;
  /**
   * Makes an account; without a password one is made up and told this once.
   *
   * @param input `exempt`: as an administrator its first phone counts in full at once, as for who sets the installation up
   * @throws AppError as registration does; `access_denied` for an administrator where the actor has not every authority
   */
  create(
    input: { email: string; name?: string | undefined; password?: string | undefined; locale?: string | undefined; admin?: boolean | undefined; exempt?: boolean | undefined },
    actor: Actor,
  ): Promise<{ account: AdminAccount; password?: string }>;
  /**
   * @throws AppError `not_found`; `conflict` where it would leave nobody an administrator and the actor is not the command line, and where a client
   *   manages the account; `access_denied` where the actor has not every authority
   */
  setAdmin(idOrEmail: string, admin: boolean, actor: Actor): Promise<AdminAccount>;
  resetSecondFactor(idOrEmail: string, options: { keepPhones?: boolean | undefined }, actor: Actor): Promise<SecondFactorReset>;
  devices(idOrEmail: string): Promise<readonly Device[]>;
  /** @param reason `lost` also ends what the phone has approved @throws AppError `not_found` */
  revokeDevice(deviceId: string, reason: 'lost' | 'retired', actor: Actor): Promise<Device>;
  /**
   * Gives the account to a client that manages accounts (`POST /api/accounts`, `/omi/qr/enrol`); returns the subject by which the client knows it.
   *
   * @throws AppError `not_found`; `conflict` for an administrator's account, which no client manages
   */
  giveTo(clientId: string, idOrEmail: string, actor: Actor): Promise<{ subject: string }>;
  takeFrom(clientId: string, idOrEmail: string, actor: Actor): Promise<void>;
  managedBy(clientId: string, page?: { limit?: number | undefined; cursor?: string | undefined }): Promise<{ accounts: readonly { accountId: string; subject: string; since: number }[]; cursor?: string }>;
}

/** What administrators do: the one service beneath the admin API, the admin pages and the command line. */
export interface AdminService {
  readonly clients: ClientRegistry;
  readonly resources: ResourceRegistry;
  readonly registrationTokens: InitialAccessTokens;
  readonly accounts: AdminAccounts;
  readonly keys: Omit<KeysService, 'load'>;
  readonly audit: AuditService;
  /** Whether the account may administer. */
  isAdmin(accountId: string): Promise<boolean>;
  /** Makes the registry what a document says; with `dryRun` it only tells what it would do. */
  apply(document: ApplyDocument, actor: Actor, options?: ApplyOptions): Promise<ApplyResult>;
}
