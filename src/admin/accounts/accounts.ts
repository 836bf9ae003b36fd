import type { Account, AccountsService } from '../../accounts/types.ts';
import type { ManagedAccounts } from '../../clients/managed-accounts/managed-accounts.ts';
import type { Context, Transaction } from '../../context.ts';
import type { Devices } from '../../devices/devices.ts';
import { AppError } from '../../errors.ts';
import { randomFrom } from '../../lib/crypto.ts';
import { page } from '../../lib/paging.ts';
import type { AccountDirectory } from '../../oidc/accounts.ts';
import type { ResetSecondFactor } from '../../recovery/reset.ts';
import type { Authenticators } from '../../totp/authenticators/authenticators.ts';
import { checkAuthority, checkMayGrant, type Roles } from '../roles/roles.ts';
import type { AdminAccount, AdminAccounts } from '../types.ts';
import { createAccountListStore } from './accounts-store.ts';

type AccountAndRole = Account & { readonly admin: boolean };

export interface AdminAccountsParts {
  readonly roles: Roles;
  /** Tandem's own accounts, where they are on. */
  readonly accounts: AccountsService | undefined;
  /** All accounts, a host's too. */
  readonly directory: AccountDirectory | undefined;
  readonly devices: () => Devices | undefined;
  readonly authenticators: () => Pick<Authenticators, 'list'> | undefined;
  readonly resetSecondFactor: ResetSecondFactor | undefined;
  /** Whose phones clients may enrol. */
  readonly managed: Pick<ManagedAccounts, 'give' | 'take' | 'list' | 'isManaged'> | undefined;
}

/** Letters and digits that nobody mistakes for each other, on paper or aloud. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** Creates what administrators do with accounts. */
export function createAdminAccounts({ db }: Pick<Context, 'db'>, parts: AdminAccountsParts): AdminAccounts {
  const { roles, accounts, directory, devices, authenticators, resetSecondFactor, managed } = parts;
  const store = createAccountListStore(db);

  const own = (): AccountsService => accounts ?? absent('the accounts are kept by the program around this provider; look there');
  const phones = (): Devices => devices() ?? absent('phones are not switched on here');
  const clients = () => managed ?? absent('the enrolment API is not switched on here');

  async function find(idOrEmail: string): Promise<AccountAndRole> {
    const account = accounts ? await ownAccount(accounts, idOrEmail) : await hostAccount(idOrEmail);
    if (!account) throw new AppError('not_found', 'there is no such account');
    return { ...account, admin: await roles.isAdmin(account.id) };
  }

  const ownAccount = ({ findByEmail, profile }: AccountsService, idOrEmail: string) => (idOrEmail.includes('@') ? findByEmail(idOrEmail) : profile(idOrEmail));

  /** Of a host's account nobody has told since when there is one. */
  async function hostAccount(accountId: string) {
    const entry = await directory?.find(accountId);
    return entry && { id: entry.accountId, email: entry.email ?? entry.label, name: entry.name, createdAt: 0, updatedAt: 0, passwordChangedAt: 0 };
  }

  async function whole(account: AccountAndRole): Promise<AdminAccount> {
    const [held, apps] = [await devices()?.list(account.id), await authenticators()?.list(account.id)];
    return { ...account, password: (await accounts?.hasPassword(account.id)) ?? true, phones: held?.length ?? 0, authenticators: apps?.length ?? 0 };
  }

  /** Nobody manages an administrator's account: whoever enrols its phone, administers. */
  async function checkUnmanaged(tx: Transaction, accountId: string) {
    await store.lock(accountId, tx);
    if (await managed?.isManaged(accountId, tx)) throw new AppError('conflict', 'a client manages this account, and may enrol its phone; take it from the client first');
  }

  return {
    async list(query = {}, asked = {}) {
      own();
      const { items, cursor } = await page(asked, ['number', 'string'], {
        read: (limit, after) => store.list(query, limit, after && { createdAt: after[0], id: after[1] }),
        positionOf: ({ createdAt, id }) => [createdAt, id],
      });
      // What there was of a part that is off counts for nothing.
      const [withPhones, withApps] = [devices() !== undefined, authenticators() !== undefined];
      const found = items.map((account) => ({ ...account, ...(!withPhones && { phones: 0 }), ...(!withApps && { authenticators: 0 }) }));
      return { accounts: found, ...(cursor !== undefined && { cursor }) };
    },

    get: async (idOrEmail) => whole(await find(idOrEmail)),

    async create({ email, name, password, locale, admin = false, exempt = false }, actor) {
      if (admin) checkMayGrant(actor);
      const made = password === undefined ? madeUpPassword() : undefined;
      const account = await own().register({ email, password: password ?? made!, name, locale }, {
        actor,
        also: async (tx, { id }) => {
          if (admin) await roles.grant(tx, id, actor, { exempt });
        },
      });
      return { account: await whole({ ...account, admin }), ...(made !== undefined && { password: made }) };
    },

    async setAdmin(idOrEmail, admin, actor) {
      const account = await find(idOrEmail);
      await db.transaction(async (tx) => {
        if (!admin) return roles.revoke(tx, account.id, actor);
        await checkUnmanaged(tx, account.id);
        await roles.grant(tx, account.id, actor);
      });
      return whole({ ...account, admin });
    },

    async resetSecondFactor(idOrEmail, { keepPhones = false }, actor) {
      const { id, admin } = await find(idOrEmail);
      if (admin) checkAuthority(actor);
      if (!resetSecondFactor) return absent('second factors are not switched on here');
      return resetSecondFactor(id, { keepPhones, by: `${actor.kind.replace('-', ' ')}: ${actor.id}`, actor });
    },

    devices: async (idOrEmail) => phones().list((await find(idOrEmail)).id),

    async revokeDevice(deviceId, reason, actor) {
      const device = await phones().usable(deviceId);
      // Without it, the password of an administrator is all that stands.
      if (device && (await roles.isAdmin(device.accountId))) checkAuthority(actor);
      return phones().revokeAs(deviceId, reason, actor);
    },

    async giveTo(clientId, idOrEmail, actor) {
      const { id } = await find(idOrEmail);
      return clients().give(clientId, id, actor, async (tx) => {
        await store.lock(id, tx);
        if (await roles.isAdmin(id, tx)) throw new AppError('conflict', 'whoever enrols the phone of an administrator could sign in as one: no client manages such an account');
      });
    },

    async takeFrom(clientId, idOrEmail, actor) {
      const { id } = await find(idOrEmail);
      await db.transaction((tx) => clients().take(tx, clientId, id, actor));
    },

    managedBy: async (clientId, asked) => clients().list(clientId, asked),
  };
}

/** 98 random bits, to be read out and typed. */
function madeUpPassword(): string {
  return Array.from({ length: 4 }, () => randomFrom(ALPHABET, 5)).join('-');
}

function absent(what: string): never {
  throw new AppError('not_found', what);
}
